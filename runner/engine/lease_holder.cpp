// SPDX-License-Identifier: Apache-2.0
#include "engine/lease_holder.hpp"

#include <pwd.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstdlib>

#include "model/error.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

constexpr std::chrono::milliseconds k_lease_poll{100};
constexpr std::size_t k_max_run_id = 64;

std::string host_name() {
    std::array<char, 256> host{};
    ::gethostname(host.data(), host.size() - 1);
    return host.data();
}

}  // namespace

LeaseInfo make_lease_owner(const std::string& run) {
    LeaseInfo owner;
    owner.owner = run;
    owner.pid = ::getpid();
    owner.host = host_name();
    const char* actor = std::getenv("RUNNER_ACTOR");
    const passwd* user = ::getpwuid(::getuid());
    owner.actor = actor != nullptr && *actor != '\0' ? actor
                  : user != nullptr                  ? user->pw_name
                                                     : std::to_string(::getuid());
    return owner;
}

bool is_live(const LeaseInfo& lease, const Clock& clock) {
    if (lease.manual()) return true;
    if (clock.wall() - lease.heartbeat_at >= k_lease_expiry) return false;
    return lease.host != host_name() || ::kill(static_cast<pid_t>(lease.pid), 0) == 0 ||
           errno != ESRCH;
}

std::string make_run_id(const Clock& clock) {
    std::string id = format_time(clock.wall());
    id.erase(std::remove_if(id.begin(), id.end(),
                            [](char c) { return c == '-' || c == ':' || c == '.'; }),
             id.end());
    return id + '-' + random_hex(3);
}

bool is_run_id(const std::string& id) {
    return !id.empty() && id.size() <= k_max_run_id && id.front() != '-' &&
           std::all_of(id.begin(), id.end(), [](char c) {
               return c == '-' || std::isalnum(static_cast<unsigned char>(c)) != 0;
           });
}

void check_run_id(LedgerView& ledger, const std::string& id) {
    if (id.empty()) return;
    if (!is_run_id(id))
        throw Error(Failure::usage, "--run-id: expected up to 64 letters, digits and '-'");
    if (ledger.run(id))
        throw Error(Failure::usage, "--run-id " + id + ": the ledger has a run with this id",
                    "every run has an id of its own; 'runner history' shows them");
}

void check_interrupted(const StopSignals& signals) {
    if (signals.count() > 0) throw Interrupted{signals.first_signal()};
}

std::string acquire_lease(Ledger& ledger, const LeaseInfo& owner, std::chrono::milliseconds wait,
                          const StopSignals& signals, const Clock& clock,
                          const std::function<void(const std::string&)>& told) {
    const auto deadline = clock.steady() + wait;
    bool waiting = false;
    while (true) {
        try {
            return ledger.acquire_lease(owner);
        } catch (const Error& error) {
            if (wait.count() > 0) check_interrupted(signals);
            if (error.failure() != Failure::lease_held || clock.steady() >= deadline) throw;
            const std::string words = error.what();  // "...; nothing was changed"
            if (!waiting)
                told("waiting up to " + format_duration(wait) + ": " +
                     words.substr(0, words.rfind(';')));
            waiting = true;
        }
        signals.wait(k_lease_poll);
    }
}

}  // namespace runner

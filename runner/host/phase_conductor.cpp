// SPDX-License-Identifier: Apache-2.0
#include "host/phase_conductor.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "host/file_commits.hpp"
#include "host/frame.hpp"
#include "host/message.hpp"
#include "host/phases.hpp"
#include "host/plugin_output.hpp"
#include "model/error.hpp"
#include "support/file.hpp"
#include "support/terminal.hpp"
#include "support/text.hpp"
#include "upgrade/abi.h"

namespace runner {
namespace {

constexpr std::uint64_t k_max_output = 64U << 20U;
constexpr std::int64_t k_max_renders = 1'000'000;
constexpr int k_tick_ms = 1000;

std::string signal_name(int number) {
    const char* name = ::strsignal(number);
    return "signal " + std::to_string(number) +
           (name == nullptr ? "" : std::string(" (") + name + ")");
}

/// Conducts one phase.
class PhaseConductor {
 public:
    PhaseConductor(Child child, const PhaseRequest& request, HostEvents& events,
                   const HostParts& parts)
        : m_parts(parts),
          m_child(std::move(child)),
          m_request(request),
          m_events(events),
          m_commits(parts.zygote, request, events, parts.make_child),
          m_output(events) {}

    PhaseResult run() {
        start();
        const std::chrono::milliseconds begun = m_parts.clock.steady();
        m_deadline = begun + m_request.timeout;
        // A commit goes on when its upgrade has died: what is recorded is done, or put back.
        while (!m_ended || m_commits.is_alive()) {
            if (m_ended && !m_commits.under_way()) m_commits.close();
            wait_and_serve();
            watch_the_clock();
        }
        drain_output();
        serve_frames();
        return classify();
    }

 private:
    void start() {
        Json message = {{"type", "start"}, {"phase", to_string(m_request.phase)}};
        std::vector<int> descriptors{m_request.image};
        message["form"] = to_string(m_request.form);
        message["imageDescriptor"] = 0;
        message["describe"] = m_request.describe;
        message["repository"] = m_request.repository.string();
        message["temporary"] = m_parts.temporary_folder.string();
        message["writePaths"] = m_request.write_paths;
        message["protectedPaths"] = m_request.protected_paths;
        message["commands"] = m_request.commands;
        message["network"] = m_request.network;
        message["sandbox"] = m_request.sandbox;
        message["info"] = Json::object();
        for (const auto& [key, value] : m_request.info) message["info"][key] = value;
        message["info"]["temporaryDirectory"] = m_parts.temporary_folder.string();
        message["parameters"] = Json::object();
        for (const auto& [key, value] : m_request.parameters)
            message["parameters"][key] = value ? Json(value->reveal()) : Json();
        message["finishedSteps"] = m_request.finished_steps;
        message["arguments"] = m_request.arguments;
        message["afterEffects"] = m_request.after_effects;
        if (m_request.manifest != nullptr) message["manifest"] = *m_request.manifest;
        if (m_request.without_preflight)
            message["withoutPreflight"] = to_string(*m_request.without_preflight);
        if (m_request.overlay >= 0) {
            message["overlayDescriptor"] = descriptors.size();
            descriptors.push_back(m_request.overlay);
        }
        UniqueFd input;
        if (m_request.relay_input) {
            std::array<int, 2> ends{};
            if (::pipe2(ends.data(), O_CLOEXEC) != 0)
                throw system_error("cannot make a pipe", errno);
            input.reset(ends[0]);
            m_input.reset(ends[1]);
            forget_what_was_typed();  // before it could ask
            message["inputDescriptor"] = descriptors.size();
            descriptors.push_back(input.get());
        }
        if (!m_child.channel.send(message, descriptors))
            fail(PhaseEnd::protocol_violation, "the plugin process died before it began");
        m_result.phase = m_request.phase;
    }

    /// The next phase finds it as this one did; most leave it empty, and it is kept.
    void clear_temporary_folder() const {
        const std::filesystem::path& folder = m_parts.temporary_folder;
        struct stat status {};
        std::error_code problem;
        const bool as_made = ::lstat(folder.c_str(), &status) == 0 && S_ISDIR(status.st_mode) &&
                             (status.st_mode & 07777U) == 0700;
        if (as_made && std::filesystem::is_empty(folder, problem) && !problem) return;
        std::filesystem::remove_all(folder, problem);
    }

    void wait_and_serve() {
        std::array<pollfd, 6> waits{{{m_open ? m_child.channel.descriptor() : -1, POLLIN, 0},
                                     {m_child.output.get(), POLLIN, 0},
                                     {m_parts.zygote.descriptor(), POLLIN, 0},
                                     {m_parts.signals.descriptor(), POLLIN, 0},
                                     {m_input ? STDIN_FILENO : -1, POLLIN, 0},
                                     {m_commits.descriptor(), POLLIN, 0}}};
        ::poll(waits.data(), waits.size(), wait_ms());
        // Output first: what was printed before a message was sent comes before it.
        if (waits[1].revents != 0) drain_output();
        if (waits[0].revents != 0) receive();
        if (waits[5].revents != 0) serve_commit();
        if (waits[2].revents != 0) hear_zygote();
        if (waits[3].revents != 0) m_parts.signals.drain();
        if (waits[4].revents != 0) relay_input();
        m_events.tick();
    }

    [[nodiscard]] int wait_ms() const {
        auto left = std::chrono::milliseconds(k_tick_ms);
        const auto now = m_parts.clock.steady();
        if (m_kill_at) left = std::min(left, *m_kill_at - now);
        if (!m_stopping) left = std::min(left, m_deadline - now);
        return static_cast<int>(std::max<std::int64_t>(0, left.count()));
    }

    void receive() {
        try {
            m_open = m_child.channel.receive(false);
            serve_frames();
        } catch (const ProtocolError& error) {
            violate(error);
        }
    }

    void violate(const std::exception& error) {
        m_open = false;
        fail(PhaseEnd::protocol_violation, std::string("it broke the protocol: ") + error.what());
        kill_now();
    }

    void serve_frames() {
        guarded([&] {
            Frame frame;
            while (m_child.channel.next(frame)) {
                drain_output();
                serve(frame);
            }
        });
    }

    void serve_commit() {
        guarded([&] {
            if (const auto reply = m_commits.receive()) answer(*reply);
        });
    }

    template <typename Work>
    void guarded(Work work) {
        try {
            work();
        } catch (const ProtocolError& error) {
            violate(error);
        } catch (const nlohmann::json::exception& error) {
            violate(error);
        } catch (
            const Error& error) {  // the ledger could not be written: what was asked is not granted
            m_events_error.emplace(error);
            kill_now();
        }
    }

    void serve(Frame& frame) {
        const Json& message = frame.message;
        const std::string type = frame.type();
        if (m_done) throw ProtocolError("a message came after the last one");
        if (m_commits.under_way()) throw ProtocolError("a message came amid a commit");
        if (type == "confirm") {
            answer({{"type", "answer"}, {"yes", m_events.confirm(text_at(message, "question"))}});
        } else if (type == "state") {
            const auto value = m_events.state_value(
                static_cast<std::int32_t>(number_at(message, "scope")), text_at(message, "key"));
            answer({{"type", "value"}, {"value", value ? Json(*value) : Json()}});
        } else if (type == "stepUndone" && m_request.phase == HostPhase::simulate_rollback) {
            undo_in_simulation(text_at(message, "id"));
        } else if (type == "commit" || type == "commandBegun" || type == "stepFinished" ||
                   type == "stepUndone") {
            if (!facts_of(m_request.phase).changes)
                throw ProtocolError("a phase that changes nothing wants something recorded");
            if (type != "commit") {
                record(type, message);
                return;
            }
            hear_zygote();  // the process that made the commits before may have died since
            if (!m_ended) m_commits.begin(frame);
        } else if (type == "done") {
            take_done(frame);
        } else {
            throw ProtocolError("a message of unknown type '" + type + "'");
        }
    }

    void record(const std::string& type, const Json& message) {
        if (type == "commandBegun") {
            m_events.on_command_begun(begun_command_at(message));
        } else if (type == "stepFinished") {
            m_events.record_step(text_at(message, "id"), values_at(message));
        } else {
            m_events.record_step_undone(text_at(message, "id"), values_at(message));
        }
        answer({{"type", "ok"}});
    }

    void undo_in_simulation(const std::string& step) {
        Json reply = {{"type", "undone"}};
        std::vector<UniqueFd> files;
        attach(reply, files, "changesDescriptor",
               upgrade::services::encode(m_events.undone_in_simulation(step)));
        answer(reply, descriptors_of(files));
    }

    void answer(const Json& message, const std::vector<int>& descriptors = {}) {
        if (!m_child.channel.send(message, descriptors)) m_open = false;
    }

    void take_done(Frame& frame) {
        const Json& message = frame.message;
        m_done = true;
        m_result.message = text_at(message, "message");
        m_result.remedy = text_at(message, "remedy");
        m_result.implements = texts_at(message, "implements");
        m_result.values = values_at(message);
        const auto description = message.find("description");
        if (description != message.end() && description->is_string())
            m_result.description = description->get<std::string>();
        if (message.contains("phase")) m_result.phase = phase_that_ran(text_at(message, "phase"));
        if (m_result.phase == HostPhase::simulate) take_simulation(frame);
        if (!message.value("loaded", false)) {
            m_said = PhaseEnd::not_loaded;
            return;
        }
        switch (number_at(message, "status")) {
            case UPGRADE_OK:
                m_said = PhaseEnd::ok;
                break;
            case UPGRADE_BLOCKED:
                m_said = PhaseEnd::blocked;
                break;
            case UPGRADE_NOTHING_TO_DO:
                m_said = PhaseEnd::nothing_to_do;
                break;
            case UPGRADE_ABORTED:
                m_said = PhaseEnd::aborted;
                break;
            case UPGRADE_TRANSIENT:
                m_said = PhaseEnd::transient;
                break;
            case UPGRADE_CANCELLED:
                m_said = PhaseEnd::cancelled;
                break;
            default:
                m_said = is_stop_of_the_run(number_at(message, "commandSignal"))
                             ? PhaseEnd::cancelled
                             : PhaseEnd::failed;
                if (m_result.message.empty()) {
                    m_result.message = "it gives no reason (status " +
                                       std::to_string(number_at(message, "status")) + ")";
                }
                break;
        }
    }

    void take_simulation(Frame& frame) {
        const auto count = [&](const char* key) {
            return static_cast<std::size_t>(
                std::clamp<std::int64_t>(number_at(frame.message, key), 0, k_max_renders));
        };
        m_result.renders = count("renders");
        m_result.blind_renders = count("blindRenders");
        m_result.changes = take_descriptor(frame, "changesDescriptor");
        if (const UniqueFd shown = take_descriptor(frame, "shownDescriptor"))
            m_result.shown = read_shown(shown.get());
        if (const UniqueFd found = take_descriptor(frame, "foundDescriptor"))
            m_result.found = read_found(found.get());
    }

    /// The one that was asked for, or what the request goes on with without a preflight.
    [[nodiscard]] HostPhase phase_that_ran(const std::string& word) const {
        const HostPhase phase = phase_named(word).phase;
        if (phase != m_request.phase && phase != m_request.without_preflight)
            throw ProtocolError("it says that another phase ran than was asked for");
        return phase;
    }

    void drain_output() {
        std::array<char, 65536> bytes{};
        while (m_child.output) {
            const ssize_t count = ::read(m_child.output.get(), bytes.data(), bytes.size());
            if (count < 0 && errno == EINTR) continue;
            if (count < 0 && errno == EAGAIN) return;
            if (count <= 0) {
                m_child.output.reset();
                return;
            }
            if (!count_output(static_cast<std::size_t>(count))) return;
            try {
                m_output.take({bytes.data(), static_cast<std::size_t>(count)});
            } catch (const Error& error) {  // the log could not be written
                m_events_error.emplace(error);
                kill_now();
                return;
            }
        }
    }

    bool count_output(std::size_t bytes) {
        m_output_bytes += bytes;
        if (m_output_bytes <= k_max_output) return true;
        if (!m_failure) {
            fail(PhaseEnd::output_limit, "it wrote more than 64 MiB of output");
            kill_now();
        }
        return false;
    }

    void relay_input() {
        std::array<char, 4096> bytes{};
        const ssize_t count = ::read(STDIN_FILENO, bytes.data(), bytes.size());
        if (count <= 0 ||
            ::write(m_input.get(), bytes.data(), static_cast<std::size_t>(count)) != count)
            m_input.reset();
    }

    void hear_zygote() {
        ChildEvent event;
        while (m_parts.zygote.next(event, false)) {
            if (event.kind == ChildEvent::Kind::started) continue;
            // It may be ended while it waits, by the kernel for want of memory, say.
            if (m_parts.spare && event.id == m_parts.spare->id) m_parts.spare.reset();
            if (m_commits.is(event.id)) {
                while (m_commits.descriptor() >= 0) serve_commit();  // what it sent before
                if (const auto reply = m_commits.ended(event)) answer(*reply);
            }
            if (event.id == m_child.id) end(event);
        }
    }

    void end(const ChildEvent& event) {
        if (event.kind == ChildEvent::Kind::failed) {
            fail(PhaseEnd::not_loaded,
                 system_error("a plugin process cannot be made", event.wait_status).what());
        }
        m_ended = event;
        // What it sent before it ended is still to be read.
        while (m_open) {
            try {
                pollfd there{m_child.channel.descriptor(), POLLIN, 0};
                if (::poll(&there, 1, 0) <= 0) break;
                m_open = m_child.channel.receive(false);
            } catch (const ProtocolError& error) {
                violate(error);
            }
        }
    }

    /// Second signal: cancel. Third: kill. Over its time: as cancelled.
    void watch_the_clock() {
        const auto now = m_parts.clock.steady();
        const int stops = m_parts.signals.count() - m_request.signals_before;
        if (stops != m_signals_told) {
            m_signals_told = stops;
            if (!m_request.stop_at_first_signal) m_events.on_stop_signal(m_signals_told);
        }
        if (m_request.stop_at_first_signal && stops >= 1 && !m_stopping) {
            if (!m_done) fail(PhaseEnd::cancelled, "it was interrupted");
            kill_now();
        }
        // The third may be here when the second is first seen: it is a cancelled run all the same.
        if (!m_stopping && stops >= 2) stop(PhaseEnd::cancelled, "it was cancelled");
        if (stops >= 3) kill_now();
        if (!m_stopping && now >= m_deadline) {
            stop(PhaseEnd::timed_out,
                 "it took longer than its limit of " + format_duration(m_request.timeout));
        }
        if (m_kill_at && now >= *m_kill_at) kill_now();
    }

    void stop(PhaseEnd end, const std::string& message) {
        m_stopping = true;
        if (!m_done) fail(end, message);
        if (m_open && m_request.form == UpgradeForm::plugin)
            m_child.channel.send({{"type", "cancel"}});
        m_parts.zygote.signal(m_child.id, SIGTERM);
        m_kill_at = m_parts.clock.steady() + m_parts.grace;
    }

    void kill_now() {
        m_stopping = true;
        m_kill_at.reset();
        m_parts.zygote.signal(m_child.id, SIGKILL);
        m_commits.kill();
    }

    void fail(PhaseEnd end, const std::string& message) {
        if (m_failure) return;
        m_failure = end;
        m_failure_message = message;
    }

    /// Whether a process was ended by the signal that stops the run: it may be sent to all of them.
    [[nodiscard]] bool is_stop_of_the_run(std::int64_t signal) const {
        return m_parts.signals.count() > m_request.signals_before &&
               is_stop_signal(static_cast<int>(signal));
    }

    PhaseResult classify() {
        clear_temporary_folder();
        m_result.strays = m_ended->strays;
        if (m_events_error) throw Error(*m_events_error);
        const int status = m_ended->wait_status;
        if (m_failure) {
            m_result.end = *m_failure;
            m_result.message = m_failure_message;
        } else if (WIFSIGNALED(status)) {
            m_result.end = is_stop_of_the_run(WTERMSIG(status)) ? PhaseEnd::cancelled
                                                                : PhaseEnd::killed_by_signal;
            m_result.message = "its process was ended by " + signal_name(WTERMSIG(status));
        } else if (m_done && m_said == PhaseEnd::not_loaded) {
            m_result.end = PhaseEnd::not_loaded;
        } else if (WEXITSTATUS(status) != 0) {
            m_result.end = PhaseEnd::exit_status;
            m_result.message =
                "its process ended with exit status " + std::to_string(WEXITSTATUS(status));
        } else if (m_request.form == UpgradeForm::executable) {
            m_result.end = PhaseEnd::ok;
        } else if (!m_done) {
            m_result.end = PhaseEnd::exit_status;
            m_result.message =
                "its process ended with exit status 0 without saying that it was done";
        } else {
            m_result.end = m_said;
        }
        return std::move(m_result);
    }

    const HostParts& m_parts;
    Child m_child;
    const PhaseRequest& m_request;
    HostEvents& m_events;
    FileCommits m_commits;
    std::chrono::milliseconds m_deadline{};
    std::optional<std::chrono::milliseconds> m_kill_at;
    UniqueFd m_input;
    PhaseResult m_result;
    std::optional<ChildEvent> m_ended;
    std::optional<PhaseEnd> m_failure;
    std::string m_failure_message;
    std::optional<Error> m_events_error;
    PhaseEnd m_said = PhaseEnd::failed;
    PluginOutput m_output;
    std::uint64_t m_output_bytes = 0;
    int m_signals_told = 0;
    bool m_open = true;
    bool m_done = false;
    bool m_stopping = false;
};

}  // namespace

PhaseResult conduct_phase(Child child, const PhaseRequest& request, HostEvents& events,
                          const HostParts& parts) {
    return PhaseConductor(std::move(child), request, events, parts).run();
}

}  // namespace runner

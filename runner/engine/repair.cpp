// SPDX-License-Identifier: Apache-2.0
#include "engine/repair.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <set>

#include "engine/advice.hpp"
#include "engine/gates/gate.hpp"
#include "engine/lease_holder.hpp"
#include "engine/planning.hpp"
#include "engine/recorded_run.hpp"
#include "engine/run_folder.hpp"
#include "engine/standing.hpp"
#include "engine/work_tree.hpp"
#include "ledger/beside.hpp"
#include "ledger/lease.hpp"
#include "ledger/sqlite_ledger.hpp"
#include "model/error.hpp"
#include "support/file.hpp"
#include "support/read.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

namespace fs = std::filesystem;

/// Whether somebody works with the ledger now.
bool is_held(const ClusterConfig& config) {
    const fs::path file = lock_beside(config.state);
    if (!fs::exists(file)) return false;
    LeaseFile lease;
    return !lease.try_lock(file);
}

/// Upgrades whose logs say that they were attempted after the copy was made: whether they were
/// finished is not known.
std::vector<std::string> attempted_since(const ClusterConfig& config, const std::string& copy) {
    const std::string made = fs::path(copy).stem().string();
    std::set<std::string> versions;
    std::error_code none;
    for (const auto& run : fs::directory_iterator(logs_beside(config.state), none)) {
        // Names begin with their run's time; the copy was made by the run of its own name.
        if (run.path().filename().string() < made) continue;
        for (const auto& log : fs::directory_iterator(run.path(), none))
            versions.insert(log.path().stem().string());
    }
    return {versions.begin(), versions.end()};
}

Diagnosis diagnose_damage(const ClusterConfig& config, const std::string& damage) {
    Diagnosis diagnosis;
    diagnosis.damaged = true;
    for (const fs::path& copy : ledger_copies(config.state)) {
        if (ledger_damage(copy).empty()) {
            diagnosis.copy = copy.string();
            break;
        }
    }
    Finding finding{"the file " + config.state.string() + " is damaged: " + damage, {}, true};
    if (diagnosis.copy.empty()) {
        finding.repairable = false;
        finding.remedy =
            "there is no whole copy below " + copies_beside(config.state).string() +
            ": bring one back from a backup, or start anew with what 'state export' wrote";
    } else {
        finding.remedy =
            "the copy " + diagnosis.copy + " takes its place; the damaged file is kept beside it";
    }
    diagnosis.findings.push_back(std::move(finding));
    if (diagnosis.copy.empty()) return diagnosis;
    const std::vector<std::string> since = attempted_since(config, diagnosis.copy);
    if (!since.empty())
        diagnosis.findings.push_back(
            {"attempted after that copy was made: " + join(since, ", "),
             "they will be due again, from their first step on: run them again, which changes "
             "nothing where they are finished, or record those whose log in " +
                 logs_beside(config.state).string() +
                 " shows that they are: " + record_by_hand("VERSION", "its log shows its end"),
             false});
    return diagnosis;
}

}  // namespace

bool Diagnosis::can_repair() const {
    return std::any_of(findings.begin(), findings.end(),
                       [](const Finding& finding) { return finding.repairable; });
}

Diagnosis diagnose_ledger(const ClusterConfig& config) {
    if (!fs::exists(config.state))
        throw Error(Failure::preparation, "there is no ledger at " + config.state.string());
    const std::string damage = ledger_damage(config.state);
    if (!damage.empty()) return diagnose_damage(config, damage);
    Diagnosis diagnosis;
    const auto add = [&](const std::string& what, const std::string& remedy, bool repairable) {
        diagnosis.findings.push_back({what, remedy, repairable});
    };
    const auto ledger = look_at_ledger(config.state);
    const LedgerFacts facts = ledger->facts();
    check_identity(config, facts);
    const auto lease = ledger->lease();
    if (is_held(config)) {
        add("a run is under way" + (lease ? ": " + lease->owner + " of " + lease->actor : ""),
            "wait for its end; nothing is judged meanwhile", false);
        return diagnosis;
    }
    if (lease && lease->manual()) {
        add("it is locked by hand: " + lease->reason, "'runner state unlock' releases it", false);
    } else if (lease) {
        add("the lease of " + lease->owner + " of " + lease->actor + " on " + lease->host +
                " is left, and its holder is gone",
            "it is given back", true);
    }
    if (facts.has_unfinished_run)
        add("a run was interrupted", "it is marked so; the next run begins with what it has left",
            true);
    for (const UnsettledUpgrade& upgrade : facts_after_a_death(facts).unsettled) {
        if (!is_half_undone(upgrade)) continue;
        const Refusal words = half_undone_refusal(upgrade);
        add(words.what, words.way_out, false);
    }
    const LooseEnds ends = ledger->loose_ends();
    if (ends.open_attempts > 0)
        add(counted(ends.open_attempts, "attempt") + " of runs that are over " +
                (ends.open_attempts == 1 ? "is" : "are") + " open",
            "closed as interrupted", true);
    if (ends.missing_references > 0)
        add(counted(ends.missing_references, "reference") + " to rows that are gone",
            "somebody has changed the file by other means: compare with a copy below " +
                copies_beside(config.state).string(),
            false);
    if (const auto broken = ledger->first_broken_event())
        add("the history is not as it was written, from event " + std::to_string(*broken) + " on",
            "it cannot be put right, only compared with a copy or a backup: what it says from "
            "there on is not to be trusted",
            false);
    return diagnosis;
}

namespace {

/// The damaged file aside, with its log, and the copy in its place.
std::vector<std::string> replace_by_copy(const ClusterConfig& config, const Diagnosis& diagnosis,
                                         const Clock& clock) {
    LeaseFile lease;
    if (!lease.try_lock(lock_beside(config.state)))
        throw Error(Failure::lease_held, "another run holds the lease; nothing was changed");
    const std::string aside = config.state.string() + ".damaged-" + make_run_id(clock);
    // A log beside the copy would be taken for its own.
    for (const char* suffix : {"-wal", "-shm"}) {
        if (::rename((config.state.string() + suffix).c_str(), (aside + suffix).c_str()) != 0 &&
            errno != ENOENT)
            throw system_error("cannot move " + config.state.string() + suffix, errno);
    }
    // A second name first: whenever this dies, the damaged file or the copy is in its place.
    if (::link(config.state.c_str(), aside.c_str()) != 0)
        throw system_error("cannot keep the damaged file as " + aside, errno);
    replace_file(config.state, read_file(diagnosis.copy, std::size_t{1} << 31U));
    const auto ledger = open_ledger(config.state, clock);
    ledger->note("repaired", make_lease_owner("").actor,
                 "the ledger was damaged; " + diagnosis.copy + " took its place");
    return {"the copy " + diagnosis.copy + " is the ledger now",
            "the damaged file is kept: " + aside};
}

}  // namespace

std::vector<std::string> repair_ledger(const ClusterConfig& config, const Diagnosis& diagnosis,
                                       Reporter& reporter, const StopSignals& signals,
                                       const Clock& clock) {
    if (diagnosis.damaged) return replace_by_copy(config, diagnosis, clock);
    RecordedRun run(open_ledger(config.state, clock), std::chrono::milliseconds(0), reporter,
                    signals, clock);
    DiskRunFolder folder(config.state, config.releases.prefix);
    DiskWorkTree work_tree(config.repository_directory, config.state);
    std::vector<std::string> done{"the ledger as it was: " +
                                  folder.copy_ledger(run.ledger(), run.id())};
    run.recover(work_tree);
    run.ledger().close_loose_ends();
    for (const Finding& finding : diagnosis.findings) {
        if (finding.repairable) done.push_back(finding.what + ": " + finding.remedy);
    }
    run.ledger().note("repaired", run.actor(), join(done, "; "));
    return done;
}

}  // namespace runner

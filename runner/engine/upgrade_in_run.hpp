// SPDX-License-Identifier: Apache-2.0
// One upgrade in a run: what it is, what was judged and shown of it, and how it ended.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "engine/parameters.hpp"
#include "engine/report.hpp"
#include "engine/shown_work.hpp"
#include "host/host.hpp"
#include "ledger/ledger.hpp"
#include "ledger/records.hpp"
#include "model/run_state.hpp"
#include "releases/upgrade_store.hpp"
#include "support/unique_fd.hpp"

namespace runner {

/// What the preparation has found out about an upgrade.
enum class Verdict {
    ready,          ///< it can be applied; what it does was shown
    nothing_to_do,  ///< its preflight says so
    later,     ///< blocked, or nothing to do, but only as far as can be seen before the upgrades
               ///< ahead of it have run: it is asked again then
    left_out,  ///< blocked, or requires what is blocked: this run goes on without it
};

/// Where an upgrade's release is read from.
enum class Supplier {
    source,  ///< the config's source
    kept,    ///< what is kept beside the ledger
    file,    ///< a file that the user has named: nothing verifies it
    none,    ///< nowhere: only the ledger knows it
};

struct UpgradeInRun {
    std::string version;
    std::string tag;  ///< of its release; empty: it has none
    std::string platform;
    Supplier supplier = Supplier::source;
    KnownUpgrade known;       ///< release, manifest, digest of the archive, signer
    std::string done_how;     ///< upgrade, record or import; empty: it is not done
    bool half_way = false;    ///< undo: its last attempt, or the undo of it, stopped half-way
    bool undo_steps = false;  ///< undo: of its finished steps, though it is not declared reversible
    bool late = false;        ///< a hotfix: not above the cluster version
    std::string notes;
    std::vector<Declaration> news;  ///< permissions and parameters that no upgrade had before

    UpgradeForm form = UpgradeForm::plugin;
    UniqueFd image;                 ///< the verified library or program, sealed
    Json manifest_json;             ///< what the plugin's own description is compared with
    bool check_description = true;  ///< false: there is nothing to compare it with
    ParameterValues parameters;

    Verdict verdict = Verdict::ready;
    std::string words;  ///< the verdict, for people
    ShownWork shown;
    std::optional<PinnedWork> pinned;  ///< for a saved plan
    std::string problem;               ///< verify: why it cannot be checked
    bool has_preflight = false;
    bool has_verify = false;

    std::chrono::milliseconds begun_at{};    ///< as the times of files are
    std::vector<std::string> commands_run;   ///< changing commands that it has started, masked
    std::vector<std::string> open_commands;  ///< those of them in a step that did not finish
    bool cancelled = false;                  ///< by the user, whatever became of it then
    bool held_back = false;          ///< stopped before it did something else than was shown
    std::optional<Outcome> outcome;  ///< nothing: it was not begun
    bool shown_late = false;         ///< only when its turn had come
    std::string message;

    /// Whether it has a check of its own, which its verify phase runs.
    [[nodiscard]] bool checks_itself() const { return has_verify && form == UpgradeForm::plugin; }
    [[nodiscard]] const Manifest& manifest() const { return known.manifest; }
    /// The archive's digest; nothing: it was not verified by one.
    [[nodiscard]] std::optional<Digest> digest() const {
        return known.archive_digest == Digest{} ? std::nullopt
                                                : std::optional(known.archive_digest);
    }
};

/// An upgrade that was run here, as the ledger lists it: its release has to be found again.
/// `digest`: of its archive; empty: not known.
UpgradeInRun from_ledger(const std::string& version, const std::string& tag,
                         const std::string& platform, const std::string& digest);

/// Manifest, form and check, as its newest attempt had them. Whether the ledger knows them. Throws
/// Error{preparation} when the manifest cannot be read.
bool recall_attempt(LedgerView& ledger, UpgradeInRun& upgrade);

/// Whether applying it may change something else than files of the repository, so that what later
/// upgrades find is known only afterwards.
bool may_change_the_world(const UpgradeInRun& upgrade);

}  // namespace runner

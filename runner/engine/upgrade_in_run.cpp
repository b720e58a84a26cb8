// SPDX-License-Identifier: Apache-2.0
#include "engine/upgrade_in_run.hpp"

namespace runner {

UpgradeInRun from_ledger(const std::string& version, const std::string& tag,
                         const std::string& platform, const std::string& digest) {
    UpgradeInRun upgrade;
    upgrade.version = version;
    upgrade.tag = tag;
    upgrade.platform = platform;
    upgrade.supplier = Supplier::none;
    upgrade.known.manifest = Manifest::undeclared(UpgradeVersion::parse(version));
    if (const auto known = Digest::parse(digest)) upgrade.known.archive_digest = *known;
    return upgrade;
}

bool recall_attempt(LedgerView& ledger, UpgradeInRun& upgrade) {
    const auto attempted = ledger.manifest_of(upgrade.version);
    if (!attempted) return false;
    upgrade.form = attempted->form;
    upgrade.has_verify = attempted->has_check;
    upgrade.known.manifest =
        Manifest::parse(attempted->text, "the manifest of " + upgrade.version + " in the ledger");
    return true;
}

bool may_change_the_world(const UpgradeInRun& upgrade) {
    if (upgrade.verdict == Verdict::nothing_to_do || upgrade.verdict == Verdict::left_out)
        return false;
    const Permissions& permissions = upgrade.manifest().permissions;
    // What was not simulated yet has not shown its commands.
    const bool unseen = upgrade.verdict == Verdict::later && !permissions.commands.empty();
    return upgrade.form == UpgradeForm::executable || permissions.network || unseen ||
           !upgrade.shown.commands.empty();
}

}  // namespace runner

// SPDX-License-Identifier: Apache-2.0
#include "engine/saved_plan.hpp"

#include <algorithm>

#include "engine/documents.hpp"
#include "model/error.hpp"
#include "model/platform.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

constexpr const char* k_kind = "RunnerPlan";

std::set<std::string> done_in(const LedgerFacts& facts) {
    std::set<std::string> versions;
    for (const DoneUpgrade& done : facts.cluster.done) versions.insert(done.version);
    return versions;
}

std::set<std::string> skipped_in(const LedgerFacts& facts) {
    std::set<std::string> versions;
    for (const SkippedUpgrade& skipped : facts.cluster.skipped) versions.insert(skipped.version);
    return versions;
}

std::string text_of(const std::optional<SemanticVersion>& version) {
    return version ? version->to_string() : "";
}

std::set<std::string> texts_of(const JsonObject& object, const char* key) {
    const std::vector<std::string> texts = object.strings_or_empty(key);
    return {texts.begin(), texts.end()};
}

/// "0.1.2 and 3 more", of what is in `all` and not in `known`; empty when there is none.
std::string extra(const std::set<std::string>& all, const std::set<std::string>& known) {
    std::vector<std::string> versions;
    std::set_difference(all.begin(), all.end(), known.begin(), known.end(),
                        std::back_inserter(versions));
    if (versions.empty()) return {};
    return versions.front() +
           (versions.size() == 1 ? "" : " and " + std::to_string(versions.size() - 1) + " more");
}

[[noreturn]] void refuse(const std::string& file, const std::vector<std::string>& moved) {
    throw Error(Failure::refused,
                "the saved plan " + file + " no longer fits: " + join(moved, "; ") +
                    "; nothing was changed",
                "make a new one with 'runner plan --out', and have that reviewed");
}

}  // namespace

Json saved_plan_document(const RunReport& report, const LedgerFacts& facts,
                         const ClusterIdentity& cluster) {
    Json document = plan_document(report);
    document["kind"] = k_kind;
    document["platform"] = Platform::current().to_string();
    document["ledger"] = {
        {"cluster",
         {{"name", cluster.name}, {"region", cluster.region}, {"accountID", cluster.account_id}}},
        {"done", done_in(facts)},
        {"skipped", skipped_in(facts)},
        {"lastAttempt", facts.last_attempt}};
    return document;
}

SavedPlan SavedPlan::parse(std::string_view text, const std::string& file) {
    try {
        const Json document = parse_json(text, file);
        const JsonObject object(document, file);
        if (object.string_or("kind", "") != k_kind || object.integer("schemaVersion") != 1)
            object.fail("kind", "must be RunnerPlan, as 'runner plan --out' writes it");
        SavedPlan plan;
        plan.file = file;
        plan.platform = object.string("platform");
        plan.target = SemanticVersion::parse(object.string("target")).to_string();
        plan.original_version = object.string("originalVersion");
        plan.cluster_version = object.string("clusterVersion");
        const Json& due = object.at("due");
        const Json& other = object.at("other");
        if (!due.is_array() || !other.is_array()) object.fail("due", "must be a list");
        for (const Json& item : due) {
            const JsonObject entry(item, file + ": due");
            plan.due.push_back({UpgradeVersion::parse(entry.string("version")).to_string(),
                                entry.string("tag"), entry.string("digest")});
            if (!Digest::parse(plan.due.back().digest))
                entry.fail("digest", "must be a SHA-256 of 64 hexadecimal digits");
        }
        for (const Json& item : other)
            plan.other.insert(JsonObject(item, file + ": other").string("version"));
        const JsonObject ledger(object.at("ledger"), file + ": ledger");
        const JsonObject cluster(ledger.at("cluster"), file + ": ledger.cluster");
        plan.cluster = {cluster.string("name"), cluster.string_or("region", ""),
                        cluster.string_or("accountID", "")};
        plan.done = texts_of(ledger, "done");
        plan.skipped = texts_of(ledger, "skipped");
        plan.last_attempt = ledger.integer("lastAttempt");
        return plan;
    } catch (const Error& error) {
        throw error.as(Failure::usage);
    }
}

void check_pinnable(const RunReport& report) {
    for (const PlannedUpgrade& upgrade : report.due) {
        if (upgrade.digest.empty())
            throw Error(Failure::preparation,
                        upgrade.version +
                            " was not built yet, and a saved plan pins digests; no plan was saved",
                        "'runner upgrade --dry-run' builds it");
    }
}

Selection SavedPlan::selection() const {
    Selection selection;
    selection.target = target;
    for (const Pinned& pinned : due) selection.only.push_back(pinned.version);
    return selection;
}

void SavedPlan::check_ledger(const LedgerFacts& facts, const ClusterIdentity& own) const {
    std::vector<std::string> moved;
    if (cluster != own)
        moved.push_back("it is for the cluster '" + cluster.name + "', the config is of '" +
                        own.name + "'");
    if (platform != Platform::current().to_string())
        moved.push_back("it is for " + platform + ", this is " + Platform::current().to_string());
    const std::set<std::string> done_now = done_in(facts);
    const std::set<std::string> skipped_now = skipped_in(facts);
    const auto tell = [&](const std::string& versions, const std::string& what) {
        if (!versions.empty()) moved.push_back(versions + what);
    };
    tell(extra(done_now, done), " was done since");
    tell(extra(done, done_now), " is no longer done");
    tell(extra(skipped_now, skipped), " was skipped since");
    tell(extra(skipped, skipped_now), " is no longer skipped");
    const std::string at = text_of(facts.cluster.cluster_version);
    if (!at.empty() && at != cluster_version)
        moved.push_back("the cluster was at " + cluster_version + " and is at " + at);
    const std::string made = text_of(facts.cluster.original_version);
    if (!made.empty() && made != original_version)
        moved.push_back("the original version was " + original_version + " and is " + made);
    if (moved.empty() && facts.last_attempt != last_attempt)
        moved.emplace_back("an upgrade was attempted since ('runner history' shows it)");
    if (!moved.empty()) refuse(file, moved);
}

void SavedPlan::check_plan(const PreparedPlan& prepared) const {
    std::vector<std::string> moved;
    std::vector<std::string> versions;
    for (std::size_t i = 0; i < prepared.plan.due.size(); ++i) {
        const Release& release = (*prepared.releases)[prepared.plan.due[i].release];
        versions.push_back(release.version->to_string());
        if (i >= due.size() || due[i].version != versions.back()) continue;
        if (due[i].tag != release.tag)
            moved.push_back(versions.back() + " was the release '" + due[i].tag +
                            "' and is the release '" + release.tag + "'");
        if (i >= prepared.upgrades.size()) continue;
        const std::string digest = prepared.upgrades[i].archive_digest.to_string();
        if (digest != due[i].digest)
            moved.push_back("the release of " + versions.back() + " had " + due[i].digest +
                            " and has " + digest);
    }
    std::vector<std::string> pinned;
    for (const Pinned& one : due) pinned.push_back(one.version);
    if (versions != pinned)
        moved.push_back("due were " + (pinned.empty() ? "none" : join(pinned, ", ")) +
                        ", and are " + (versions.empty() ? "none" : join(versions, ", ")));
    if (!moved.empty()) refuse(file, moved);
}

std::vector<std::string> SavedPlan::released_since(const PreparedPlan& prepared) const {
    std::vector<std::string> versions;
    for (const OtherUpgrade& upgrade : prepared.plan.other) {
        const Release& release = (*prepared.releases)[upgrade.release];
        if (upgrade.reason != Reason::not_selected || !release.version) continue;
        const std::string version = release.version->to_string();
        if (other.count(version) == 0) versions.push_back(version);
    }
    return versions;
}

}  // namespace runner

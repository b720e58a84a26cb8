// SPDX-License-Identifier: Apache-2.0
#include "engine/saved_plan.hpp"

#include <algorithm>

#include "engine/documents.hpp"
#include "model/error.hpp"
#include "model/platform.hpp"
#include "support/sha256.hpp"
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
    return first_names(versions, 1);
}

[[noreturn]] void refuse(const std::string& file, const std::vector<std::string>& moved) {
    throw Error(Failure::refused,
                "the saved plan " + file + " no longer fits: " + join(moved, "; ") +
                    "; nothing was changed",
                "make a new one with 'runner plan --out', and have that reviewed");
}

Json pinned_entry(const PinnedWork& pinned) {
    return {{"verdict", pinned.verdict},
            {"values", pinned.values},
            {"files", pinned.files},
            {"shown", pinned.shown}};
}

std::map<std::string, std::string> map_at(const JsonObject& object, const char* key) {
    std::map<std::string, std::string> values;
    const Json& entries = object.at(key);
    if (!entries.is_object()) object.fail(key, "must be an object of texts");
    for (const auto& [name, value] : entries.items()) {
        if (!value.is_string()) object.fail(key, "must be an object of texts");
        values[name] = value.get<std::string>();
    }
    return values;
}

std::optional<PinnedWork> pinned_work(const JsonObject& entry, const std::string& what) {
    if (!entry.has("pinned")) return std::nullopt;
    const JsonObject pinned(entry.at("pinned"), what);
    PinnedWork work;
    work.verdict = pinned.string("verdict");
    work.values = map_at(pinned, "values");
    work.files = map_at(pinned, "files");
    work.shown = pinned.string("shown");
    return work;
}

const char* word_for(Verdict verdict) {
    switch (verdict) {
        case Verdict::ready:
            return "ready";
        case Verdict::nothing_to_do:
            return "nothing_to_do";
        case Verdict::later:
            return "later";
        case Verdict::left_out:
            return "left_out";
    }
    return "ready";
}

/// The value itself, or for a secret what only those can compute who have the ledger and the value.
std::string pinned_value(const std::optional<Secret>& value, bool secret,
                         const std::optional<std::string>& key) {
    if (!value) return "none";
    if (!secret) return "value:" + value->reveal();
    if (!key)
        throw Error(Failure::preparation,
                    "a secret is pinned by a key of the ledger, and there is no ledger yet, or one "
                    "of an older format; no plan was saved",
                    "'runner upgrade' starts the ledger, or brings an older one up to date; with "
                    "--to and the version of the cluster it changes nothing else");
    return "hmac-sha256:" + hmac_sha256(*key, value->reveal()).to_string();
}

std::map<std::string, std::string> pinned_values(const UpgradeInRun& upgrade,
                                                 const std::optional<std::string>& key) {
    std::map<std::string, std::string> values;
    for (const Parameter& parameter : upgrade.manifest().parameters) {
        const auto value = upgrade.parameters.find(parameter.name);
        values[parameter.name] =
            pinned_value(value == upgrade.parameters.end() ? std::nullopt : value->second,
                         parameter.secret, key);
    }
    return values;
}

PinnedWork work_of(const UpgradeInRun& upgrade, const std::optional<std::string>& key) {
    PinnedWork work;
    work.verdict = word_for(upgrade.verdict);
    work.values = pinned_values(upgrade, key);
    for (const auto& [path, before] : upgrade.shown.before) work.files[path] = before.to_string();
    for (const auto& [pattern, names] : upgrade.shown.lists)
        work.files[pattern] = "list " + names.to_string();
    work.shown = upgrade.shown.digest().to_string();
    return work;
}

/// The names whose entries differ.
std::string differing(const std::map<std::string, std::string>& before,
                      const std::map<std::string, std::string>& now) {
    std::vector<std::string> names;
    for (const auto& [name, value] : before) {
        const auto found = now.find(name);
        if (found == now.end() || found->second != value) names.push_back(name);
    }
    for (const auto& [name, value] : now) {
        if (before.count(name) == 0) names.push_back(name);
    }
    return join(names, ", ");
}

}  // namespace

Json saved_plan_document(const RunReport& report, const LedgerFacts& facts,
                         const ClusterIdentity& cluster,
                         const std::map<std::string, std::string>& given) {
    Json document = plan_document(report);
    for (std::size_t i = 0; i < report.due.size(); ++i) {
        const auto& pinned = report.due[i].pinned;
        if (pinned) document["due"][i]["pinned"] = pinned_entry(*pinned);
    }
    document["given"] = given;
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
                                entry.string("tag"), entry.string("digest"),
                                pinned_work(entry, file + ": due.pinned")});
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
        if (object.has("given")) plan.given = map_at(object, "given");
        return plan;
    } catch (const Error& error) {
        throw error.as(Failure::usage);
    }
}

Selection SavedPlan::selection() const {
    Selection selection;
    selection.target = target;
    for (const Pinned& pinned : due) selection.only.push_back(pinned.version);
    return selection;
}

void SavedPlan::check_ledger(const LedgerFacts& facts, const ClusterIdentity& own,
                             const SemanticVersion& original) const {
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
    // Before its first run a cluster is at its original version.
    const auto& known =
        facts.cluster.cluster_version ? facts.cluster.cluster_version : std::optional(original);
    const std::string at = text_of(known);
    if (at != cluster_version)
        moved.push_back("the cluster was at " + cluster_version + " and is at " + at);
    const std::string made = text_of(facts.cluster.original_version);
    if (!made.empty() && made != original_version)
        moved.push_back("the original version was " + original_version + " and is " + made);
    if (moved.empty() && facts.last_attempt != last_attempt)
        moved.emplace_back("an upgrade was attempted since ('runner history' shows it)");
    if (!moved.empty()) refuse(file, moved);
}

void SavedPlan::check_upgrades(const std::vector<UpgradeInRun>& upgrades) const {
    std::vector<std::string> moved;
    std::vector<std::string> versions;
    for (std::size_t i = 0; i < upgrades.size(); ++i) {
        const UpgradeInRun& upgrade = upgrades[i];
        versions.push_back(upgrade.version);
        if (i >= due.size() || due[i].version != upgrade.version) continue;
        if (due[i].tag != upgrade.tag)
            moved.push_back(upgrade.version + " was the release '" + due[i].tag +
                            "' and is the release '" + upgrade.tag + "'");
        const auto digest = upgrade.digest();
        if (digest && digest->to_string() != due[i].digest)
            moved.push_back("the release of " + upgrade.version + " had " + due[i].digest +
                            " and has " + digest->to_string());
    }
    std::vector<std::string> pinned;
    for (const Pinned& one : due) pinned.push_back(one.version);
    if (versions != pinned)
        moved.push_back("due were " + (pinned.empty() ? "none" : join(pinned, ", ")) +
                        ", and are " + (versions.empty() ? "none" : join(versions, ", ")));
    if (!moved.empty()) refuse(file, moved);
}

std::vector<std::string> SavedPlan::released_since(const Choice& choice) const {
    std::vector<std::string> versions;
    for (const OtherUpgrade& upgrade : choice.plan.other) {
        const Release& release = (*choice.releases)[upgrade.release];
        if (upgrade.reason != Reason::not_selected || !release.version) continue;
        const std::string version = release.version->to_string();
        if (other.count(version) == 0) versions.push_back(version);
    }
    return versions;
}

GivenParameters SavedPlan::with_given(GivenParameters values) const {
    for (const auto& [name, value] : given) values.values.emplace(name, value);
    return values;
}

void SavedPlan::check_values(const Run& run) const {
    std::vector<std::string> moved;
    const auto key = run.ledger_view().plan_key();
    for (std::size_t i = 0; i < run.upgrades.size(); ++i) {
        if (!due[i].work) continue;
        const std::string names =
            differing(due[i].work->values, pinned_values(run.upgrades[i], key));
        if (!names.empty())
            moved.push_back("the values of " + run.upgrades[i].version +
                            " are others than those that were planned with: " + names);
    }
    if (!moved.empty()) refuse(file, moved);
}

void SavedPlan::check_work(const Run& run) const {
    std::vector<std::string> moved;
    const auto key = run.ledger_view().plan_key();
    for (const UpgradeInRun& upgrade : run.upgrades) {
        const auto pinned = std::find_if(due.begin(), due.end(), [&](const Pinned& one) {
            return one.version == upgrade.version;
        });
        if (pinned == due.end() || !pinned->work) continue;
        const PinnedWork now = work_of(upgrade, key);
        const PinnedWork& planned = *pinned->work;
        if (now.verdict != planned.verdict) {
            moved.push_back(upgrade.version + " was " + planned.verdict + " and is " + now.verdict);
        } else if (now.files != planned.files) {
            moved.push_back(
                "files that " + upgrade.version +
                " reads or changes are not as they were: " + differing(planned.files, now.files));
        } else if (now.shown != planned.shown) {
            moved.push_back(upgrade.version + " would do something else than the plan shows");
        }
    }
    if (!moved.empty()) refuse(file, moved);
}

void pin_work(Run& run) {
    const auto key = run.ledger_view().plan_key();
    for (UpgradeInRun& upgrade : run.upgrades) upgrade.pinned = work_of(upgrade, key);
}

}  // namespace runner

// SPDX-License-Identifier: Apache-2.0
#include "engine/gates/gate.hpp"

#include <algorithm>

#include "support/text.hpp"

namespace runner {
namespace {

constexpr const char* k_stands = nullptr;
constexpr const char* k_own_cluster = "its repository and its ledger are made for the proof";
constexpr const char* k_done_already = "it was let in when it was applied";
constexpr const char* k_nothing_changes = "nothing is changed";
constexpr const char* k_nothing_changed = "nothing was changed";

}  // namespace

const char* to_string(KindOfRun kind) {
    constexpr std::array<const char*, k_kinds_of_run> k_words{"look",     "upgrade", "run",
                                                              "rollback", "verify",  "conformance"};
    return k_words[static_cast<std::size_t>(kind)];
}

const std::vector<Gate>& gates() {  // lint: table
    using M = GateMoment;
    // Columns: look, upgrade, single, rollback, verify, conformance.
    static const std::vector<Gate> table{
        {"identity",
         M::look,
         false,
         identity_gate,
         {k_stands, k_stands, k_stands, k_stands, k_stands, k_own_cluster}},
        {"standing",
         M::look,
         false,
         standing_gate,
         {k_stands, k_stands, k_stands, "it is how such an upgrade is finished", k_stands,
          k_own_cluster}},
        {"half way",
         M::choose,
         false,
         half_way_gate,
         {k_stands, k_stands, "what was asked for by name runs by itself",
          "it is how such an upgrade is undone", k_nothing_changes, k_own_cluster}},
        {"original",
         M::admit,
         true,
         original_gate,
         {k_stands, k_stands, k_stands, k_done_already, k_done_already, k_own_cluster}},
        {"trust",
         M::admit,
         true,
         trust_gate,
         {k_stands, k_stands, k_stands, k_stands, k_stands,
          "the author proves a plugin that is not released yet"}},
        {"pin",
         M::admit,
         true,
         pin_gate,
         {k_stands, k_stands, k_stands,
          "what is undone is what was applied, by the digest of its attempt",
          "what is checked is what was applied, by the digest of its attempt", k_own_cluster}},
        {"policy",
         M::admit,
         true,
         policy_gate,
         {k_stands, k_stands, k_stands, k_done_already, k_done_already, k_own_cluster}},
        {"enforcement",
         M::admit,
         false,
         enforcement_gate,
         {k_stands, k_stands, k_stands, k_stands, k_stands,
          "its rule 'permissions' says what could be enforced"}},
        {"requires",
         M::admit,
         true,
         requires_gate,
         {k_stands, k_stands, k_stands, "what requires it is undone with it, and before it",
          k_done_already, k_own_cluster}},
        {"after",
         M::admit,
         true,
         after_gate,
         {k_stands, k_stands, k_stands, k_done_already, k_done_already, k_own_cluster}},
        {"skip",
         M::admit,
         true,
         skip_gate,
         {k_stands, k_stands, k_stands, k_done_already, k_done_already, k_own_cluster}},
        {"minimums",
         M::admit,
         true,
         minimums_gate,
         {k_stands, k_stands, k_stands, k_done_already, k_done_already, k_own_cluster}},
        {"risk",
         M::ask,
         false,
         risk_gate,
         {k_nothing_changes, k_stands, k_stands, "going back has its own question",
          k_nothing_changes, k_own_cluster}},
        {"work tree",
         M::work,
         true,
         work_tree_gate,
         {k_nothing_changes, k_stands, k_stands, k_stands, k_nothing_changes,
          "its rule 'simulation-is-exact' compares"}},
    };
    return table;
}

const Gate& gate_named(const std::string& name) {
    return *std::find_if(gates().begin(), gates().end(),
                         [&](const Gate& gate) { return gate.name == name; });
}

bool KnownVersions::is_done(const LedgerFacts& facts, const std::string& version) const {
    if (!m_done) {
        m_done.emplace();
        for (const DoneUpgrade& done : facts.cluster.done) m_done->insert(done.version);
    }
    return m_done->count(version) != 0;
}

bool KnownVersions::is_known(const LedgerFacts& facts, const std::vector<Release>& releases,
                             const std::string& version) const {
    if (!m_known) {
        m_known.emplace();
        for (const SkippedUpgrade& skipped : facts.cluster.skipped)
            m_known->insert(skipped.version);
        for (const Release& release : releases) {
            if (release.version) m_known->insert(release.version->to_string());
        }
    }
    return m_known->count(version) != 0 || is_done(facts, version);
}

std::vector<Refusal> refusals(const GateInput& run, GateMoment moment) {
    std::vector<Refusal> found;
    for (const Gate& gate : gates()) {
        if (gate.moment != moment || !gate.stands_for(run.kind)) continue;
        if (!gate.of_upgrades) {
            if (auto refusal = gate.check(run, nullptr)) found.push_back(std::move(*refusal));
            continue;
        }
        for (const UpgradeInRun& upgrade : run.upgrades) {
            if (auto refusal = gate.check(run, &upgrade)) found.push_back(std::move(*refusal));
        }
    }
    return found;
}

std::optional<Refusal> refusal_of(const GateInput& run, GateMoment moment,
                                  const UpgradeInRun& upgrade) {
    for (const Gate& gate : gates()) {
        if (gate.moment != moment || !gate.of_upgrades || !gate.stands_for(run.kind)) continue;
        if (auto refusal = gate.check(run, &upgrade)) return refusal;
    }
    return std::nullopt;
}

std::optional<Refusal> refusal_of_run(const GateInput& run, GateMoment moment) {
    for (const Gate& gate : gates()) {
        if (gate.moment != moment || gate.of_upgrades || !gate.stands_for(run.kind)) continue;
        if (auto refusal = gate.check(run, nullptr)) return refusal;
    }
    return std::nullopt;
}

void throw_refusal(const Refusal& refusal, const std::string& unchanged) {
    throw Error(refusal.failure, refusal.what + "; " + unchanged, refusal.way_out);
}

void pass_gate(const GateInput& run, const Gate& gate) {
    if (!gate.stands_for(run.kind)) return;
    if (const auto refusal = gate.check(run, nullptr)) throw_refusal(*refusal, k_nothing_changed);
}

void pass_gates(const GateInput& run, GateMoment moment) {
    const std::vector<Refusal> found = refusals(run, moment);
    if (found.empty()) return;
    std::vector<std::string> lines;
    std::vector<std::string> ways_out;
    for (const Refusal& refusal : found) {
        lines.push_back(refusal.what);
        if (!refusal.way_out.empty() &&
            std::find(ways_out.begin(), ways_out.end(), refusal.way_out) == ways_out.end())
            ways_out.push_back(refusal.way_out);
    }
    lines.back() += std::string("; ") + k_nothing_changed;
    throw Error::of_lines(found.front().failure, lines, join(ways_out, "; "));
}

}  // namespace runner

// SPDX-License-Identifier: Apache-2.0
#include "engine/undo_order.hpp"

#include <algorithm>
#include <map>

#include "model/error.hpp"

namespace runner {
namespace {

class Builder {
 public:
    Builder(LedgerView& ledger, const std::vector<UpgradeInRun>& candidates,
            std::set<std::string> wanted)
        : m_ledger(ledger), m_candidates(candidates), m_wanted(std::move(wanted)) {}

    UndoOrder build() {
        std::vector<std::string> open(m_wanted.begin(), m_wanted.end());
        while (!open.empty()) {
            const std::string version = open.back();
            open.pop_back();
            add_what_changed_files_later(version, open);
            add_what_requires_it(version, open);
        }
        put_in_order();
        return std::move(m_order);
    }

 private:
    [[nodiscard]] bool is_candidate(const std::string& version) const {
        return std::any_of(m_candidates.begin(), m_candidates.end(),
                           [&](const UpgradeInRun& one) { return one.version == version; });
    }

    void add(const std::string& version, const std::string& before, const std::string& why,
             std::vector<std::string>& open) {
        m_before[before].insert(version);
        if (!m_wanted.insert(version).second) return;
        open.push_back(version);
        m_order.reasons.push_back(version + " is undone first, as it " + why + "; it is due again");
    }

    void add_what_changed_files_later(const std::string& version, std::vector<std::string>& open) {
        for (const FileIntent& later : m_ledger.changed_later(version)) {
            if (!later.finished) continue;  // it is put back before
            if (!is_candidate(later.version))
                throw Error(Failure::refused,
                            version + " cannot be rolled back: " + later.version + " has changed " +
                                later.path +
                                " after it, and is not recorded as done; nothing was changed",
                            "undo " + later.version + " by hand first");
            add(later.version, version, "has changed " + later.path + " after " + version, open);
        }
    }

    /// What requires it was applied after it.
    void add_what_requires_it(const std::string& version, std::vector<std::string>& open) {
        for (const UpgradeInRun& later : m_candidates) {
            if (later.version == version) return;
            const std::vector<std::string>& needed = needed_by(later.version);
            if (std::find(needed.begin(), needed.end(), version) != needed.end())
                add(later.version, version, "requires " + version, open);
        }
    }

    /// Read from the ledger once, however many are undone.
    const std::vector<std::string>& needed_by(const std::string& version) {
        const auto [found, is_new] = m_needed.try_emplace(version);
        if (is_new) {
            UpgradeInRun upgrade;
            upgrade.version = version;
            if (recall_attempt(m_ledger, upgrade))
                found->second = upgrade.manifest().needed_upgrades;
        }
        return found->second;
    }

    /// As the candidates stand, but each after what has to be undone before it.
    void put_in_order() {
        while (m_order.versions.size() < m_wanted.size()) {
            const UpgradeInRun* next = nullptr;
            for (const UpgradeInRun& candidate : m_candidates) {
                if (m_wanted.count(candidate.version) == 0 || is_placed(candidate.version))
                    continue;
                if (next == nullptr) next = &candidate;  // should they go in a circle
                if (!is_free(candidate.version)) continue;
                next = &candidate;
                break;
            }
            m_order.versions.push_back(next->version);
            m_placed.insert(next->version);
        }
    }

    [[nodiscard]] bool is_placed(const std::string& version) const {
        return m_placed.count(version) != 0;
    }

    [[nodiscard]] bool is_free(const std::string& version) const {
        const auto before = m_before.find(version);
        return before == m_before.end() ||
               std::all_of(before->second.begin(), before->second.end(),
                           [&](const std::string& one) { return is_placed(one); });
    }

    LedgerView& m_ledger;
    const std::vector<UpgradeInRun>& m_candidates;
    std::set<std::string> m_wanted;
    std::map<std::string, std::set<std::string>> m_before;     ///< by version: what goes before it
    std::map<std::string, std::vector<std::string>> m_needed;  ///< by version: what it requires
    std::set<std::string> m_placed;
    UndoOrder m_order;
};

}  // namespace

UndoOrder order_to_undo(LedgerView& ledger, const std::vector<UpgradeInRun>& candidates,
                        std::set<std::string> wanted) {
    return Builder(ledger, candidates, std::move(wanted)).build();
}

}  // namespace runner

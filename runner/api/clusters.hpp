// SPDX-License-Identifier: Apache-2.0
// The clusters that are served: their configs, taken up anew when they change; what their ledgers
// say; and the releases, as of the last time somebody looked.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "config/cluster_config.hpp"
#include "engine/planning.hpp"
#include "ledger/ledger.hpp"
#include "model/error.hpp"
#include "support/clock.hpp"
#include "support/file.hpp"

namespace runner {

/// Releases are looked at on request no more often than this.
constexpr std::chrono::seconds k_discovery_pause{15};

/// Everything that a cluster's replies are made from, as of one moment.
struct ClusterView {
    std::shared_ptr<const ClusterConfig> config;
    std::optional<RunReport> report;  ///< the plan; absent: see `unknown`
    const char* unknown = nullptr;    ///< why there is no plan: a stable word
    std::string cause;                ///< why, for the log
    std::optional<LeaseInfo> lease;
    std::optional<RunRecord> newest;                         ///< run
    std::optional<std::chrono::milliseconds> discovered_at;  ///< wall clock
    const char* discovery_problem = nullptr;                 ///< of the last try; null: none
};

class Cluster {
 public:
    /// `stopped` ends downloads.
    Cluster(std::filesystem::path file, const Clock& clock, std::function<bool()> stopped);

    [[nodiscard]] const std::filesystem::path& file() const { return m_file; }
    /// As it is now. Throws Error{usage}.
    std::shared_ptr<const ClusterConfig> config();
    /// What is known now; looks for releases when nobody has yet. Never throws for what is broken:
    /// that is in the view.
    std::shared_ptr<const ClusterView> view();
    /// Calls `look` with the plan for a selection, made from what was discovered last. Throws
    /// Error.
    using PlanLook =
        std::function<void(const RunReport&, const LedgerFacts&, const ClusterConfig&)>;
    void with_plan(const Selection& selection, const PlanLook& look);
    /// Looks for releases. Throws Error.
    void discover();
    /// Seconds until `discover` may be asked for again; 0: now.
    [[nodiscard]] std::int64_t discovery_wait_s() const;
    /// By the steady clock; nothing when nobody has looked yet.
    [[nodiscard]] std::optional<std::chrono::milliseconds> last_discovery() const;
    [[nodiscard]] std::uint64_t discoveries() const;
    [[nodiscard]] std::uint64_t failed_discoveries() const;

    /// One start at a time.
    std::mutex start_mutex;

 private:
    struct Discovery {
        std::shared_ptr<const ClusterConfig> config;
        std::unique_ptr<ReleaseSource> source;
        std::unique_ptr<LookingPlanner> planner;
        std::chrono::milliseconds at{};  ///< wall clock
    };
    std::shared_ptr<const ClusterView> make_view(
        const std::shared_ptr<const ClusterConfig>& config);
    void ensure_discovered(const std::shared_ptr<const ClusterConfig>& config);
    void discover(const std::shared_ptr<const ClusterConfig>& config);

    std::filesystem::path m_file;
    const Clock& m_clock;
    std::function<bool()> m_stopped;
    mutable std::mutex m_mutex;
    std::mutex m_discovering;                       // taken before m_mutex
    std::shared_ptr<const ClusterConfig> m_config;  // the same one as long as its text is
    std::string m_config_text;
    std::optional<FileStamp> m_config_stamp;
    std::unique_ptr<Discovery> m_discovery;
    std::optional<Error> m_discovery_error;
    std::optional<std::chrono::milliseconds> m_last_try;  // steady clock
    std::uint64_t m_discoveries = 0;
    std::uint64_t m_failed_discoveries = 0;
    std::shared_ptr<const ClusterView> m_view;
    std::optional<FileStamp> m_ledger_stamp;  // of m_view
    std::optional<FileStamp> m_log_stamp;
};

/// A config that cannot be served, and why, for the log.
struct BrokenConfig {
    std::filesystem::path file;
    std::string cause;
};

class Clusters {
 public:
    /// `places`: configs, and folders of them (*.yaml, *.yml). Throws Error{usage} when one
    /// is not there.
    Clusters(std::vector<std::filesystem::path> places, const Clock& clock,
             std::function<bool()> stopped);

    /// By name, as of now: a config that appears in a folder is served a second later.
    std::vector<std::pair<std::string, std::shared_ptr<Cluster>>> all();
    std::shared_ptr<Cluster> find(const std::string& name);
    std::vector<BrokenConfig> broken();

 private:
    void scan();

    std::vector<std::filesystem::path> m_places;
    const Clock& m_clock;
    std::function<bool()> m_stopped;
    std::mutex m_mutex;
    std::optional<std::chrono::milliseconds> m_scanned;
    std::map<std::filesystem::path, std::shared_ptr<Cluster>> m_by_file;
    std::map<std::string, std::shared_ptr<Cluster>> m_by_name;
    std::vector<BrokenConfig> m_broken;
};

}  // namespace runner

// SPDX-License-Identifier: Apache-2.0
#include "api/clusters.hpp"

#include <algorithm>
#include <set>

#include "engine/standing.hpp"
#include "ledger/sqlite_ledger.hpp"
#include "releases/open_source.hpp"
#include "support/log.hpp"
#include "support/read.hpp"
#include "support/secret_memory.hpp"

namespace runner {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds k_scan_interval{1000};

bool is_config(const fs::path& file) {
    const std::string extension = file.extension().string();
    return extension == ".yaml" || extension == ".yml";
}

}  // namespace

Cluster::Cluster(fs::path file, const Clock& clock, std::function<bool()> stopped)
    : m_file(std::move(file)), m_clock(clock), m_stopped(std::move(stopped)) {}

std::shared_ptr<const ClusterConfig> Cluster::config() {
    const FileStamp stamp(m_file);
    const std::lock_guard lock(m_mutex);
    if (m_config && stamp.proves_same(m_config_stamp)) return m_config;
    m_config_stamp.reset();
    std::string text = read_file_if_there(m_file).value_or("");
    if (!m_config || text != m_config_text) {
        m_config.reset();
        m_config = std::make_shared<const ClusterConfig>(ClusterConfig::load(m_file));
        m_config_text = std::move(text);
    }
    m_config_stamp = stamp;
    return m_config;
}

std::shared_ptr<const ClusterView> Cluster::view() {
    std::shared_ptr<const ClusterConfig> config;
    try {
        config = this->config();
    } catch (const Error& error) {
        auto view = std::make_shared<ClusterView>();
        view->unknown = "config_broken";
        view->cause = error.what();
        return view;
    }
    const FileStamp ledger(config->state);
    const FileStamp log(config->state.string() + "-wal");
    {
        const std::lock_guard lock(m_mutex);
        if (m_view && m_view->config == config && ledger.proves_same(m_ledger_stamp) &&
            log.proves_same(m_log_stamp))
            return m_view;
    }
    ensure_discovered(config);
    const std::lock_guard lock(m_mutex);
    auto view = make_view(config);
    m_view = view;
    m_ledger_stamp = ledger;
    m_log_stamp = log;
    return view;
}

std::shared_ptr<const ClusterView> Cluster::make_view(
    const std::shared_ptr<const ClusterConfig>& config) {
    auto view = std::make_shared<ClusterView>();
    view->config = config;
    const auto fail = [&](const char* word, const std::string& cause) {
        view->unknown = word;
        view->cause = cause;
        return view;
    };
    const auto ledger = look_at_ledger(config->state);
    if (m_discovery_error) view->discovery_problem = "releases_unavailable";
    if (m_discovery) view->discovered_at = m_discovery->at;
    LedgerFacts facts;
    try {
        view->lease = ledger->lease();
        std::vector<RunRecord> newest = ledger->runs(1);
        if (!newest.empty()) view->newest = std::move(newest.front());
        facts = facts_as_of_now(*ledger, m_clock);
    } catch (const Error& error) {
        return fail("ledger_unavailable", error.what());
    }
    if (!m_discovery || m_discovery->config != config)
        return fail("releases_unavailable", m_discovery_error ? m_discovery_error->what() : "");
    try {
        m_discovery->planner->check(facts);
        view->report = m_discovery->planner->report(*ledger, facts, {});
    } catch (const Error& error) {
        return fail(error.failure() == Failure::preparation ? "no_plan" : "refused", error.what());
    }
    return view;
}

void Cluster::with_plan(const Selection& selection, const PlanLook& look) {
    const auto config = this->config();
    ensure_discovered(config);
    const std::lock_guard lock(m_mutex);
    if (!m_discovery || m_discovery->config != config)
        throw m_discovery_error.value_or(
            Error(Failure::preparation, "the releases could not be listed"));
    const auto ledger = look_at_ledger(config->state);
    const LedgerFacts facts = facts_as_of_now(*ledger, m_clock);
    m_discovery->planner->check(facts);
    look(m_discovery->planner->report(*ledger, facts, selection), facts, *config);
}

void Cluster::ensure_discovered(const std::shared_ptr<const ClusterConfig>& config) {
    const std::lock_guard discovering(m_discovering);
    {
        const std::lock_guard lock(m_mutex);
        if (m_discovery && m_discovery->config == config) return;
        const bool tried = m_last_try && m_clock.steady() - *m_last_try < k_discovery_pause;
        if (m_discovery_error && tried) return;
    }
    try {
        discover(config);
    } catch (const Error&) {  // remembered
    }
}

void Cluster::discover() {
    const auto config = this->config();
    const std::lock_guard discovering(m_discovering);
    discover(config);
}

void Cluster::discover(const std::shared_ptr<const ClusterConfig>& config) {
    {
        const std::lock_guard lock(m_mutex);
        m_last_try = m_clock.steady();
        ++m_discoveries;
    }
    auto discovery = std::make_unique<Discovery>();
    try {
        discovery->config = config;
        discovery->source =
            open_source(*config, secret_variable(config->releases.token_variable), m_stopped);
        discovery->planner = std::make_unique<LookingPlanner>(*config, *discovery->source);
        discovery->planner->list();
        discovery->at = m_clock.wall();
    } catch (const Error& error) {
        const std::lock_guard lock(m_mutex);
        m_discovery_error = error;
        m_view.reset();
        ++m_failed_discoveries;
        throw;
    }
    const std::lock_guard lock(m_mutex);
    m_discovery = std::move(discovery);
    m_discovery_error.reset();
    m_view.reset();
}

std::int64_t Cluster::discovery_wait_s() const {
    const std::lock_guard lock(m_mutex);
    if (!m_last_try) return 0;
    const auto left = *m_last_try + k_discovery_pause - m_clock.steady();
    return left.count() <= 0 ? 0 : (left.count() + 999) / 1000;
}

std::optional<std::chrono::milliseconds> Cluster::last_discovery() const {
    const std::lock_guard lock(m_mutex);
    return m_last_try;
}

std::uint64_t Cluster::discoveries() const {
    const std::lock_guard lock(m_mutex);
    return m_discoveries;
}

std::uint64_t Cluster::failed_discoveries() const {
    const std::lock_guard lock(m_mutex);
    return m_failed_discoveries;
}

Clusters::Clusters(std::vector<fs::path> places, const Clock& clock, std::function<bool()> stopped)
    : m_places(std::move(places)), m_clock(clock), m_stopped(std::move(stopped)) {
    for (const fs::path& place : m_places) {
        if (!fs::exists(place))
            throw Error(Failure::usage, "--clusters " + place.string() + ": there is no such file",
                        "name configs, or folders with configs");
    }
}

void Clusters::scan() {
    const auto now = m_clock.steady();
    if (m_scanned && now - *m_scanned < k_scan_interval) return;
    m_scanned = now;
    std::set<fs::path> files;
    for (const fs::path& place : m_places) {
        std::error_code none;
        if (!fs::is_directory(place, none)) {
            files.insert(fs::absolute(place).lexically_normal());
            continue;
        }
        for (const auto& entry : fs::directory_iterator(place, none)) {
            if (is_config(entry.path()) && entry.path().filename().string().front() != '.' &&
                entry.is_regular_file(none))
                files.insert(fs::absolute(entry.path()).lexically_normal());
        }
    }
    std::erase_if(m_by_file, [&](const auto& entry) { return files.count(entry.first) == 0; });
    m_by_name.clear();
    std::vector<BrokenConfig> broken;
    for (const fs::path& file : files) {
        std::shared_ptr<Cluster>& cluster = m_by_file[file];
        if (!cluster) cluster = std::make_shared<Cluster>(file, m_clock, m_stopped);
        try {
            const std::string name = cluster->config()->name;
            if (!m_by_name.emplace(name, cluster).second)
                broken.push_back({file, "another config is of the cluster '" + name +
                                            "', too: " + m_by_name.at(name)->file().string()});
        } catch (const Error& error) {
            broken.push_back({file, error.what()});
        }
    }
    for (const BrokenConfig& found : broken) {
        const auto same = [&](const BrokenConfig& before) {
            return before.file == found.file && before.cause == found.cause;
        };
        if (std::none_of(m_broken.begin(), m_broken.end(), same))
            log_warning(found.file.string() + " is not served: " + found.cause);
    }
    m_broken = std::move(broken);
}

std::vector<std::pair<std::string, std::shared_ptr<Cluster>>> Clusters::all() {
    const std::lock_guard lock(m_mutex);
    scan();
    return {m_by_name.begin(), m_by_name.end()};
}

std::shared_ptr<Cluster> Clusters::find(const std::string& name) {
    const std::lock_guard lock(m_mutex);
    scan();
    const auto found = m_by_name.find(name);
    return found == m_by_name.end() ? nullptr : found->second;
}

std::vector<BrokenConfig> Clusters::broken() {
    const std::lock_guard lock(m_mutex);
    scan();
    return m_broken;
}

}  // namespace runner

// SPDX-License-Identifier: Apache-2.0
// What an upgrade is given in each phase.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "upgrade/exec.hpp"
#include "upgrade/files.hpp"
#include "upgrade/services.hpp"

namespace upgrade {

/// Values kept in the ledger from one run to the next. Since 1.0.
class State {
 public:
    /// Made by Context; `services` must outlive it.
    explicit State(const detail::Services& services) : m_services(services) {}

    /// A value of this upgrade, or nothing.
    std::optional<std::string> get(std::string_view key) const {
        return get(UPGRADE_SCOPE_UPGRADE, key);
    }
    /// A value that all upgrades of the cluster share, or nothing.
    std::optional<std::string> get_shared(std::string_view key) const {
        return get(UPGRADE_SCOPE_CLUSTER, key);
    }
    /// Stored together with the step, or the completion, in which it is set.
    void set(std::string_view key, std::string_view value) const {
        set(UPGRADE_SCOPE_UPGRADE, key, value);
    }
    /// As set, for all upgrades of the cluster.
    void set_shared(std::string_view key, std::string_view value) const {
        set(UPGRADE_SCOPE_CLUSTER, key, value);
    }

 private:
    std::optional<std::string> get(std::int32_t scope, std::string_view key) const {
        detail::Collector value;
        const std::int32_t status =
            service().get(m_services.context(), scope, detail::to_abi(key), value.sink());
        if (status == UPGRADE_NOT_FOUND) return std::nullopt;
        detail::check(status, "state value " + std::string(key));
        return value.first();
    }
    void set(std::int32_t scope, std::string_view key, std::string_view value) const {
        detail::check(
            service().set(m_services.context(), scope, detail::to_abi(key), detail::to_abi(value)),
            "set state value " + std::string(key));
    }
    const upgrade_state_service& service() const {
        return detail::Services::need(m_services.state, UPGRADE_SERVICE_STATE);
    }
    const detail::Services& m_services;
};

/// Everything that an upgrade may use. One code path serves the simulation and the real run.
/// Since 1.0.
class Context {
 public:
    /// Made by the plugin's wall, and by the test harness; `host` must outlive it.
    explicit Context(const upgrade_host& host)
        : m_services(host),
          m_files(m_services),
          m_exec(m_services),
          m_kubectl(m_services),
          m_helm(m_services),
          m_state(m_services) {}
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;

    /// The cluster's repository.
    const Files& files() const { return m_files; }
    /// Programs, never through a shell.
    const Exec& exec() const { return m_exec; }
    /// The usual calls of kubectl.
    const Kubectl& kubectl() const { return m_kubectl; }
    /// The usual calls of helm.
    const Helm& helm() const { return m_helm; }
    /// Values that outlive the run.
    const State& state() const { return m_state; }
    /// One YAML file of the repository.
    YamlFile yaml(std::string_view path) const { return {m_services, path}; }

    /// Does `work` once, ever: a finished step is left out when a run that died is started anew,
    /// and its files and state values become visible all at once when it is finished. `id` is
    /// unique within the upgrade; steps do not nest. `undo`, where given, takes back on rollback
    /// what the host cannot (it restores files by itself).
    template <typename Work>
    void step(const std::string& id, const std::string& description, Work&& work,
              std::function<void()> undo = nullptr) {
        const auto& steps = detail::Services::need(m_services.steps, UPGRADE_SERVICE_STEPS);
        std::int32_t action = UPGRADE_STEP_RUN;
        detail::check(steps.begin(m_services.context(), detail::to_abi(id),
                                  detail::to_abi(description), &action),
                      "step " + id);
        if (action == UPGRADE_STEP_UNDO) {
            m_undo.emplace_back(id, std::move(undo));
        } else if (action == UPGRADE_STEP_RUN) {
            work();
            detail::check(steps.finish(m_services.context(), detail::to_abi(id)),
                          "finish step " + id);
        }
    }

    /// The value of a declared parameter, or nothing when it has none.
    std::optional<std::string> find_parameter(std::string_view name) const {
        detail::Collector value;
        const auto& service =
            detail::Services::need(m_services.parameters, UPGRADE_SERVICE_PARAMETERS);
        const std::int32_t status =
            service.get(m_services.context(), detail::to_abi(name), value.sink());
        if (status == UPGRADE_NOT_FOUND) return std::nullopt;
        detail::check(status, "parameter " + std::string(name));
        return value.first();
    }

    /// The value of a declared parameter. Throws ServiceError when it has none.
    std::string parameter(std::string_view name) const {
        auto value = find_parameter(name);
        if (!value)
            throw ServiceError(UPGRADE_NOT_FOUND,
                               "parameter " + std::string(name) + " has no value");
        return *value;
    }

    /// A fact about this run; the keys are in abi.h, UPGRADE_SERVICE_INFO. Empty when unknown.
    std::string info(std::string_view key) const {
        detail::Collector value;
        const auto& service = detail::Services::need(m_services.info, UPGRADE_SERVICE_INFO);
        service.get(m_services.context(), detail::to_abi(key), value.sink());
        return value.first();
    }
    /// The cluster's name, as its config has it.
    std::string cluster_name() const { return info("clusterName"); }

    /// A line that is shown with --debug, and kept in the log.
    void debug(std::string_view text) const { log(UPGRADE_LOG_DEBUG, text); }
    /// A line for the operator and the log.
    void log(std::string_view text) const { log(UPGRADE_LOG_INFO, text); }
    /// A line that the operator should not miss.
    void warn(std::string_view text) const { log(UPGRADE_LOG_WARNING, text); }
    /// A line that says what is wrong; the upgrade fails by throwing, not by this.
    void error(std::string_view text) const { log(UPGRADE_LOG_ERROR, text); }

    /// `done` of `total` units of work; total 0: unknown.
    void progress(std::uint64_t done, std::uint64_t total, std::string_view message = {}) const {
        if (m_services.progress == nullptr) return;
        m_services.progress->report(m_services.context(), done, total, detail::to_abi(message));
    }

    /// Asks the user; throws Aborted unless the answer is yes. Skipped (yes) with --yes and in a
    /// simulation.
    void confirm(std::string_view question) const {
        const auto& service = detail::Services::need(m_services.prompt, UPGRADE_SERVICE_PROMPT);
        if (service.confirm(m_services.context(), detail::to_abi(question)) != UPGRADE_OK) {
            throw Aborted("aborted: the answer to '" + std::string(question) + "' was no");
        }
    }

    /// Whether the run is being cancelled.
    bool cancelled() const {
        return m_services.cancel != nullptr &&
               m_services.cancel->requested(m_services.context()) != 0;
    }
    /// Throws Cancelled when the run is being cancelled: for safe points inside long work.
    void check_cancelled() const {
        if (cancelled()) throw Cancelled("the run is being cancelled");
    }

    /// rollback: walks over `apply` to find the undo of its finished steps; nothing is changed on
    /// the way. The default Upgrade::rollback does this.
    template <typename Apply>
    void walk(Apply&& apply) {
        const auto& service = detail::Services::need(m_services.walk, UPGRADE_SERVICE_WALK);
        detail::check(service.set(m_services.context(), 1), "walk over the steps");
        apply();
        detail::check(service.set(m_services.context(), 0), "end the walk over the steps");
    }

    /// rollback: runs the undo of every step that the walk has found finished, newest first.
    /// The default Upgrade::rollback does this.
    void undo_steps() {
        const auto& steps = detail::Services::need(m_services.steps, UPGRADE_SERVICE_STEPS);
        for (auto step = m_undo.rbegin(); step != m_undo.rend(); ++step) {
            if (step->second) step->second();
            detail::check(steps.undone(m_services.context(), detail::to_abi(step->first)),
                          "undo step " + step->first);
        }
        m_undo.clear();
    }

    /// For what the C++ face does not have: the services of abi.h themselves.
    const detail::Services& services() const { return m_services; }

 private:
    void log(std::int32_t level, std::string_view text) const {
        if (m_services.log != nullptr)
            m_services.log->write(m_services.context(), level, detail::to_abi(text));
    }

    detail::Services m_services;
    Files m_files;
    Exec m_exec;
    Kubectl m_kubectl;
    Helm m_helm;
    State m_state;
    std::vector<std::pair<std::string, std::function<void()>>> m_undo;
};

}  // namespace upgrade

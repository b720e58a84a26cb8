// SPDX-License-Identifier: Apache-2.0
// Outside programs, and kubectl over them.
#pragma once

#include <chrono>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "upgrade/files.hpp"
#include "upgrade/services.hpp"

namespace upgrade {

/// What a program came to. Since 1.0.
struct CommandResult {
    std::int32_t exit_status = 0;  ///< its exit status, or 128 and the signal's number
    std::string output;            ///< its standard output, as it wrote it
    bool ran = true;               ///< false: it was only shown, in a simulation
    /// Whether it exited with 0.
    bool ok() const { return exit_status == 0; }
};

/// Programs by argv, never through a shell; only those that the manifest declares. Since 1.0.
class Exec {
 public:
    /// Made by Context; `services` must outlive it.
    explicit Exec(const detail::Services& services) : m_services(services) {}

    /// Runs a program that only reads, in every phase and in a simulation too. `timeout` 0: the
    /// upgrade's own limit.
    CommandResult query(const std::vector<std::string>& arguments, std::string_view input = {},
                        std::chrono::milliseconds timeout = {}) const {
        return run(UPGRADE_EXEC_QUERY, arguments, input, timeout);
    }

    /// Runs a program that changes something, and throws ServiceError unless it exits with 0. In a
    /// simulation it is shown instead, and counts as successful without output.
    CommandResult change(const std::vector<std::string>& arguments, std::string_view input = {},
                         std::chrono::milliseconds timeout = {}) const {
        CommandResult result = run(UPGRADE_EXEC_CHANGE, arguments, input, timeout);
        if (!result.ok()) fail(arguments, result);
        return result;
    }

    /// As query, but throws ServiceError unless the program exits with 0; returns its output.
    std::string read(const std::vector<std::string>& arguments, std::string_view input = {}) const {
        CommandResult result = query(arguments, input);
        if (!result.ok()) fail(arguments, result);
        return std::move(result.output);
    }

    /// Makes what a program prints the content of `path`, a file of the repository: for programs
    /// that only read, but read what this upgrade has changed. In a simulation the program is shown
    /// and the file left as it is. Throws ServiceError unless the program exits with 0.
    void render(std::string_view path, const std::vector<std::string>& arguments) const {
        // What is looked at in a simulation must be the same for real: so this file is.
        const Files files(m_services);
        if (files.exists(path)) static_cast<void>(files.read(path));
        const CommandResult result = run(UPGRADE_EXEC_RENDER, arguments, {}, {});
        if (!result.ok()) fail(arguments, result);
        if (result.ran) files.write(path, result.output);
    }

 private:
    [[noreturn]] static void fail(const std::vector<std::string>& arguments,
                                  const CommandResult& result) {
        throw ServiceError(UPGRADE_FAILED,
                           shown(arguments) + " exited with " + std::to_string(result.exit_status));
    }
    static std::string shown(const std::vector<std::string>& arguments) {
        std::string line;
        for (const std::string& argument : arguments) line += (line.empty() ? "" : " ") + argument;
        return line;
    }
    CommandResult run(std::int32_t kind, const std::vector<std::string>& arguments,
                      std::string_view input, std::chrono::milliseconds timeout) const {
        std::vector<upgrade_string> views;
        for (const std::string& argument : arguments) views.push_back(detail::to_abi(argument));
        upgrade_command command{};
        command.size = sizeof(command);
        command.abi_minor = UPGRADE_ABI_MINOR;
        command.kind = kind;
        command.timeout_ms = static_cast<std::uint32_t>(timeout.count());
        command.arguments = views.data();
        command.argument_count = views.size();
        command.input = detail::to_abi(input);
        detail::Collector output;
        CommandResult result;
        const auto& service = detail::Services::need(m_services.exec, UPGRADE_SERVICE_EXEC);
        detail::check(
            service.run(m_services.context(), &command, output.sink(), &result.exit_status),
            "run " + shown(arguments));
        for (const std::string& piece : output.results()) result.output += piece;
        result.ran = kind != UPGRADE_EXEC_RENDER || !output.results().empty();
        return result;
    }
    const detail::Services& m_services;
};

/// kubectl, against the cluster that the run's environment points to. Needs `kubectl` among the
/// manifest's commands. Since 1.0.
class Kubectl {
 public:
    /// Made by Context; `services` must outlive it.
    explicit Kubectl(const detail::Services& services) : m_exec(services) {}

    /// What `kubectl kustomize FOLDER` prints. Throws ServiceError when the folder does not build.
    std::string kustomize(const std::string& folder) const {
        return m_exec.read({"kubectl", "kustomize", folder});
    }

    /// Whether the object is there, e.g. exists("deployment/argocd-server", "argocd").
    bool exists(const std::string& object, const std::string& name_space) const {
        return !m_exec
                    .read({"kubectl", "get", object, "--namespace", name_space,
                           "--ignore-not-found", "--output=name"})
                    .empty();
    }

    /// The image of one container of a workload.
    std::string image(const std::string& object, const std::string& container,
                      const std::string& name_space) const {
        return m_exec.read({"kubectl", "get", object, "--namespace", name_space,
                            "--output=jsonpath={.spec.template.spec.containers[?(@.name==\"" +
                                container + "\")].image}"});
    }

    /// Applies a JSON Patch (RFC 6902).
    void patch(const std::string& object, const std::string& name_space,
               const std::string& json_patch) const {
        m_exec.change({"kubectl", "patch", object, "--namespace", name_space, "--type=json",
                       "--patch", json_patch});
    }

    /// Restarts a workload and waits until it is rolled out.
    void restart(const std::string& object, const std::string& name_space,
                 std::chrono::seconds timeout) const {
        m_exec.change({"kubectl", "rollout", "restart", object, "--namespace", name_space});
        m_exec.change({"kubectl", "rollout", "status", object, "--namespace", name_space,
                       "--timeout=" + std::to_string(timeout.count()) + "s"});
    }

 private:
    Exec m_exec;
};

/// helm, as thin as it can be: what each function runs stands in its name. Since 1.0.
class Helm {
 public:
    /// Made by Context; `services` must outlive it.
    explicit Helm(const detail::Services& services) : m_exec(services) {}

    /// Whether the release is installed.
    bool exists(const std::string& release, const std::string& name_space) const {
        return m_exec.query({"helm", "status", release, "--namespace", name_space}).ok();
    }

    /// The values that the release was given, as YAML.
    std::string values(const std::string& release, const std::string& name_space) const {
        return m_exec.read(
            {"helm", "get", "values", release, "--namespace", name_space, "--output=yaml"});
    }

    /// Brings the release to a chart, with `arguments` such as `--version=5.0.1`, and waits until
    /// its objects are ready, for at most `timeout`.
    void upgrade(const std::string& release, const std::string& chart,
                 const std::string& name_space, std::chrono::seconds timeout,
                 const std::vector<std::string>& arguments = {}) const {
        std::vector<std::string> command{"helm", "upgrade",     release,
                                         chart,  "--namespace", name_space};
        command.insert(command.end(), arguments.begin(), arguments.end());
        command.insert(command.end(),
                       {"--wait", "--timeout=" + std::to_string(timeout.count()) + "s"});
        m_exec.change(command);
    }

    /// Brings the release back to its revision `revision`; 0: to the one before. For the undo of a
    /// step.
    void rollback(const std::string& release, const std::string& name_space, int revision,
                  std::chrono::seconds timeout) const {
        m_exec.change({"helm", "rollback", release, std::to_string(revision), "--namespace",
                       name_space, "--wait", "--timeout=" + std::to_string(timeout.count()) + "s"});
    }

 private:
    Exec m_exec;
};

}  // namespace upgrade

// SPDX-License-Identifier: Apache-2.0
// The host's services, looked up once each and called with C++ types. Used by the other headers;
// authors use Context.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "upgrade/abi.h"
#include "upgrade/errors.hpp"

namespace upgrade::detail {

inline upgrade_string to_abi(std::string_view text) {
    return {text.data(), text.size()};
}
inline std::string_view from_abi(upgrade_string text) {
    return text.size == 0 ? std::string_view() : std::string_view(text.data, text.size);
}

/// Collects what a service writes.
class Collector {
 public:
    upgrade_sink sink() { return {this, &Collector::write}; }
    std::vector<std::string>& results() { return m_results; }
    std::string first() { return m_results.empty() ? std::string() : std::move(m_results.front()); }

 private:
    static void write(void* context, upgrade_string text) noexcept {
        try {
            static_cast<Collector*>(context)->m_results.emplace_back(from_abi(text));
        } catch (...) {  // out of memory: the caller sees no result
        }
    }
    std::vector<std::string> m_results;
};

/// All services of ABI 1.0; each is null when the host does not have it.
class Services {
 public:
    explicit Services(const upgrade_host& host) : m_host(host) {
        find(error, UPGRADE_SERVICE_ERROR);
        find(log, UPGRADE_SERVICE_LOG);
        find(info, UPGRADE_SERVICE_INFO);
        find(parameters, UPGRADE_SERVICE_PARAMETERS);
        find(state, UPGRADE_SERVICE_STATE);
        find(progress, UPGRADE_SERVICE_PROGRESS);
        find(prompt, UPGRADE_SERVICE_PROMPT);
        find(cancel, UPGRADE_SERVICE_CANCEL);
        find(steps, UPGRADE_SERVICE_STEPS);
        find(walk, UPGRADE_SERVICE_WALK);
        find(files, UPGRADE_SERVICE_FILES);
        find(yaml, UPGRADE_SERVICE_YAML);
        find(exec, UPGRADE_SERVICE_EXEC);
    }

    void* context() const { return m_host.context; }

    /// Throws ServiceError when the host lacks the service.
    template <typename Service>
    static const Service& need(const Service* service, const char* id) {
        if (service == nullptr) {
            throw ServiceError(UPGRADE_NOT_FOUND, std::string("this runner has no service ") + id +
                                                      "; use a newer one");
        }
        return *service;
    }

    const upgrade_error_service* error = nullptr;
    const upgrade_log_service* log = nullptr;
    const upgrade_info_service* info = nullptr;
    const upgrade_parameters_service* parameters = nullptr;
    const upgrade_state_service* state = nullptr;
    const upgrade_progress_service* progress = nullptr;
    const upgrade_prompt_service* prompt = nullptr;
    const upgrade_cancel_service* cancel = nullptr;
    const upgrade_steps_service* steps = nullptr;
    const upgrade_walk_service* walk = nullptr;
    const upgrade_files_service* files = nullptr;
    const upgrade_yaml_service* yaml = nullptr;
    const upgrade_exec_service* exec = nullptr;

 private:
    template <typename Service>
    void find(const Service*& service, std::string_view id) {
        const auto* found =
            static_cast<const Service*>(m_host.get_service(m_host.context, to_abi(id)));
        if (found != nullptr && found->size >= sizeof(Service)) service = found;
    }

    const upgrade_host& m_host;
};

/// Throws ServiceError for anything but UPGRADE_OK; the host has already written the particulars to
/// its message.
inline void check(std::int32_t status, const std::string& operation) {
    if (status == UPGRADE_OK) return;
    if (status == UPGRADE_CANCELLED) throw Cancelled("the run is being cancelled");
    if (status == UPGRADE_ABORTED) throw Aborted("aborted by the user");
    const char* reason = "failed";
    if (status == UPGRADE_NOT_FOUND) reason = "not found";
    if (status == UPGRADE_DENIED) reason = "not allowed by the manifest or in this phase";
    if (status == UPGRADE_INVALID) reason = "invalid";
    throw ServiceError(status, operation + ": " + reason);
}

}  // namespace upgrade::detail

// SPDX-License-Identifier: Apache-2.0
#include "services/session.hpp"

#include <algorithm>

#include "services/service_error.hpp"
#include "services/yaml_edit.hpp"

namespace upgrade::services {
namespace {

constexpr std::size_t k_max_key = 512;

std::string_view view(upgrade_string text) {
    return text.size == 0 ? std::string_view() : std::string_view(text.data, text.size);
}
upgrade_string string_of(std::string_view text) {
    return {text.data(), text.size()};
}
void give(upgrade_sink sink, std::string_view text) {
    if (sink.write != nullptr) sink.write(sink.context, string_of(text));
}
Session& session(void* context) {
    return *static_cast<Session*>(context);
}

/// Every service call goes through here: nothing thrown reaches the plugin.
template <typename Work>
std::int32_t guarded(void* context, Work&& work) noexcept {
    Session& self = session(context);
    try {
        const std::int32_t status = work(self);
        if (status == UPGRADE_OK) self.succeeded();
        return status;
    } catch (const Refusal& refusal) {
        self.refused(refusal.what());
        return refusal.status();
    } catch (const std::exception& error) {
        self.refused(error.what());
        return UPGRADE_FAILED;
    } catch (...) {
        return UPGRADE_FAILED;
    }
}

#define UPGRADE_HEADER(Type) sizeof(Type), UPGRADE_ABI_MINOR

const upgrade_error_service k_error = {
    UPGRADE_HEADER(upgrade_error_service),
    [](void* context, upgrade_string message, upgrade_string remedy) {
        guarded(context, [&](Session& self) {
            self.report_error(view(message), view(remedy));
            return UPGRADE_OK;
        });
    }};

const upgrade_log_service k_log = {
    UPGRADE_HEADER(upgrade_log_service),
    [](void* context, std::int32_t level, upgrade_string text) {
        guarded(context, [&](Session& self) {
            self.log(level, view(text));
            return UPGRADE_FAILED;  // a log line says nothing about the last refusal
        });
    }};

const upgrade_info_service k_info = {
    UPGRADE_HEADER(upgrade_info_service),
    [](void* context, upgrade_string key, upgrade_sink value) {
        return guarded(context, [&](Session& self) { return self.info(view(key), value); });
    }};

const upgrade_parameters_service k_parameters = {
    UPGRADE_HEADER(upgrade_parameters_service),
    [](void* context, upgrade_string name, upgrade_sink value) {
        return guarded(context, [&](Session& self) { return self.parameter(view(name), value); });
    }};

const upgrade_state_service k_state = {
    UPGRADE_HEADER(upgrade_state_service),
    [](void* context, std::int32_t scope, upgrade_string key, upgrade_sink value) {
        return guarded(context,
                       [&](Session& self) { return self.state_get(scope, view(key), value); });
    },
    [](void* context, std::int32_t scope, upgrade_string key, upgrade_string value) {
        return guarded(context, [&](Session& self) {
            self.state_set(scope, view(key), view(value));
            return UPGRADE_OK;
        });
    }};

const upgrade_progress_service k_progress = {
    UPGRADE_HEADER(upgrade_progress_service),
    [](void* context, std::uint64_t done, std::uint64_t total, upgrade_string message) {
        guarded(context, [&](Session& self) {
            self.progress(done, total, view(message));
            return UPGRADE_OK;
        });
    }};

const upgrade_prompt_service k_prompt = {
    UPGRADE_HEADER(upgrade_prompt_service), [](void* context, upgrade_string question) {
        return guarded(context, [&](Session& self) { return self.confirm(view(question)); });
    }};

const upgrade_cancel_service k_cancel = {UPGRADE_HEADER(upgrade_cancel_service),
                                         [](void* context) -> std::int32_t {
                                             try {
                                                 return session(context).cancelled() ? 1 : 0;
                                             } catch (...) {
                                                 return 1;
                                             }
                                         }};

const upgrade_steps_service k_steps = {
    UPGRADE_HEADER(upgrade_steps_service),
    [](void* context, upgrade_string id, upgrade_string description, std::int32_t* action) {
        return guarded(context, [&](Session& self) {
            *action = self.step_begin(view(id), view(description));
            return UPGRADE_OK;
        });
    },
    [](void* context, upgrade_string id) {
        return guarded(context, [&](Session& self) {
            self.step_finish(view(id));
            return UPGRADE_OK;
        });
    },
    [](void* context, upgrade_string id) {
        return guarded(context, [&](Session& self) {
            self.step_undone(view(id));
            return UPGRADE_OK;
        });
    }};

const upgrade_walk_service k_walk = {UPGRADE_HEADER(upgrade_walk_service),
                                     [](void* context, std::int32_t on) {
                                         return guarded(context, [&](Session& self) {
                                             self.walk(on != 0);
                                             return UPGRADE_OK;
                                         });
                                     }};

const upgrade_files_service k_files = {
    UPGRADE_HEADER(upgrade_files_service),
    [](void* context, upgrade_string path, std::int32_t* kind) {
        return guarded(context, [&](Session& self) {
            *kind = self.files().kind(view(path));
            self.asked_for(view(path));
            return UPGRADE_OK;
        });
    },
    [](void* context, upgrade_string path, upgrade_sink content) {
        return guarded(context, [&](Session& self) {
            give(content, self.files().read(view(path)));
            self.has_read(view(path));
            return UPGRADE_OK;
        });
    },
    [](void* context, upgrade_string path, upgrade_string content) {
        return guarded(context, [&](Session& self) {
            self.files_to_change(view(path)).write(view(path), view(content));
            return UPGRADE_OK;
        });
    },
    [](void* context, upgrade_string path) {
        return guarded(context, [&](Session& self) {
            self.files_to_change(view(path)).remove(view(path));
            return UPGRADE_OK;
        });
    },
    [](void* context, upgrade_string from, upgrade_string to) {
        return guarded(context, [&](Session& self) {
            self.files_to_change(view(from));
            self.files_to_change(view(to)).move(view(from), view(to));
            return UPGRADE_OK;
        });
    },
    [](void* context, upgrade_string pattern, upgrade_sink each) {
        return guarded(context, [&](Session& self) {
            for (const std::string& path : self.files().glob(view(pattern))) give(each, path);
            return UPGRADE_OK;
        });
    }};

const upgrade_yaml_service k_yaml = {
    UPGRADE_HEADER(upgrade_yaml_service),
    [](void* context, upgrade_string text, upgrade_string selector, upgrade_sink value) {
        return guarded(context, [&](Session&) {
            const auto found = yaml_get(view(text), view(selector));
            if (!found) return UPGRADE_NOT_FOUND;
            give(value, *found);
            return UPGRADE_OK;
        });
    },
    [](void* context, upgrade_string text, upgrade_string selector, upgrade_string value,
       upgrade_sink new_text) {
        return guarded(context, [&](Session&) {
            give(new_text, yaml_set(view(text), view(selector), view(value)));
            return UPGRADE_OK;
        });
    },
    [](void* context, upgrade_string text, upgrade_string selector, upgrade_sink new_text) {
        return guarded(context, [&](Session&) {
            give(new_text, yaml_remove(view(text), view(selector)));
            return UPGRADE_OK;
        });
    }};

const upgrade_exec_service k_exec = {
    UPGRADE_HEADER(upgrade_exec_service), [](void* context, const upgrade_command* command,
                                             upgrade_sink output, std::int32_t* exit_status) {
        return guarded(context, [&](Session& self) {
            if (command == nullptr || command->size < sizeof(upgrade_command))
                return UPGRADE_INVALID;
            *exit_status = self.run(*command, output);
            return UPGRADE_OK;
        });
    }};

#undef UPGRADE_HEADER

const void* find_service(void*, upgrade_string id) {
    static const std::map<std::string_view, const void*> services = {
        {UPGRADE_SERVICE_ERROR, &k_error},   {UPGRADE_SERVICE_LOG, &k_log},
        {UPGRADE_SERVICE_INFO, &k_info},     {UPGRADE_SERVICE_PARAMETERS, &k_parameters},
        {UPGRADE_SERVICE_STATE, &k_state},   {UPGRADE_SERVICE_PROGRESS, &k_progress},
        {UPGRADE_SERVICE_PROMPT, &k_prompt}, {UPGRADE_SERVICE_CANCEL, &k_cancel},
        {UPGRADE_SERVICE_STEPS, &k_steps},   {UPGRADE_SERVICE_WALK, &k_walk},
        {UPGRADE_SERVICE_FILES, &k_files},   {UPGRADE_SERVICE_YAML, &k_yaml},
        {UPGRADE_SERVICE_EXEC, &k_exec},
    };
    const auto found = services.find(view(id));
    return found == services.end() ? nullptr : found->second;
}

}  // namespace

Session::Session(SessionOptions options, Backend& backend)
    : m_options(std::move(options)),
      m_backend(backend),
      m_files(m_options.repository, std::move(m_options.base)) {
    m_host.size = sizeof(m_host);
    m_host.abi_minor = UPGRADE_ABI_MINOR;
    m_host.context = this;
    m_host.get_service = find_service;
    become(m_options.phase);
}

void Session::become(Phase phase) {
    m_options.phase = phase;
    m_files.tell(phase == Phase::simulate ? &m_backend : nullptr);
}

StateValues Session::complete() {
    if (!m_step.empty()) {
        throw Refusal(UPGRADE_FAILED, "step '" + m_step + "' was begun and never finished");
    }
    if (m_walking) throw Refusal(UPGRADE_FAILED, "the walk over the steps was not ended");
    commit_files("");
    return std::move(m_values);
}

void Session::commit_files(const std::string& step) {
    if (m_options.phase == Phase::simulate) {
        m_files.settle(
            [&](const std::vector<ShownFile>& changes) { m_backend.files_shown(step, changes); });
        return;
    }
    if (!is_real() || m_files.pending().empty()) return;
    std::set<std::string> rendered;
    for (const auto& [path, change] : m_files.pending()) {
        if (change.content && m_rendered.count(*change.content) != 0) rendered.insert(path);
    }
    m_backend.commit(step, m_files, rendered);
}

void Session::report_error(std::string_view message, std::string_view remedy) {
    m_report.message = message;
    m_report.remedy = remedy;
    if (!m_last_refusal.empty() && m_report.message.find(m_last_refusal) == std::string::npos) {
        m_report.message += " (" + m_last_refusal + ")";
    }
}

void Session::log(std::int32_t level, std::string_view text) {
    m_backend.log(level, text);
}

std::int32_t Session::info(std::string_view key, upgrade_sink sink) {
    const auto found = m_options.info.find(std::string(key));
    if (found == m_options.info.end()) return UPGRADE_NOT_FOUND;
    give(sink, found->second);
    return UPGRADE_OK;
}

std::int32_t Session::parameter(std::string_view name, upgrade_sink sink) {
    const auto found = m_options.parameters.find(std::string(name));
    if (found == m_options.parameters.end()) {
        throw Refusal(UPGRADE_DENIED,
                      "parameter '" + std::string(name) + "' is not declared in the manifest");
    }
    if (!found->second) return UPGRADE_NOT_FOUND;
    give(sink, *found->second);
    return UPGRADE_OK;
}

std::int32_t Session::state_get(std::int32_t scope, std::string_view key, upgrade_sink sink) {
    const auto set_here = m_values.find({scope, std::string(key)});
    if (set_here != m_values.end()) {
        give(sink, set_here->second);
        return UPGRADE_OK;
    }
    const auto stored = m_backend.state(scope, std::string(key));
    if (!stored) return UPGRADE_NOT_FOUND;
    give(sink, *stored);
    return UPGRADE_OK;
}

void Session::state_set(std::int32_t scope, std::string_view key, std::string_view value) {
    if (!may_change())
        throw Refusal(UPGRADE_DENIED, "state values cannot be set in preflight and verify");
    if (key.empty() || key.size() > k_max_key)
        throw Refusal(UPGRADE_INVALID, "a state key has 1 to 512 bytes");
    m_values[{scope, std::string(key)}] = value;
}

void Session::progress(std::uint64_t done, std::uint64_t total, std::string_view message) {
    m_backend.progress(done, total, message);
}

std::int32_t Session::confirm(std::string_view question) {
    if (is_simulation() || m_walking) return UPGRADE_OK;
    if (!may_change())
        throw Refusal(UPGRADE_DENIED, "questions cannot be asked in preflight and verify");
    return m_backend.confirm(question) ? UPGRADE_OK : UPGRADE_ABORTED;
}

bool Session::cancelled() {
    return m_backend.cancelled();
}

std::int32_t Session::step_begin(std::string_view id, std::string_view description) {
    if (!may_change()) throw Refusal(UPGRADE_DENIED, "steps belong in apply");
    if (id.empty() || id.size() > k_max_key)
        throw Refusal(UPGRADE_INVALID, "a step's id has 1 to 512 bytes");
    if (!m_step.empty()) {
        throw Refusal(UPGRADE_INVALID,
                      "step '" + std::string(id) + "' begins inside step '" + m_step + "'");
    }
    if (m_begun.count(std::string(id)) != 0) {
        throw Refusal(UPGRADE_INVALID, "step '" + std::string(id) +
                                           "' begins a second time: a step's id is unique within "
                                           "its upgrade");
    }
    if (m_backend.cancelled()) throw Refusal(UPGRADE_CANCELLED, "the run is being cancelled");
    m_begun.emplace(id);
    const bool finished = m_backend.step_is_finished(std::string(id));
    if (is_rollback()) return finished ? UPGRADE_STEP_UNDO : UPGRADE_STEP_SKIP;
    if (finished) return UPGRADE_STEP_SKIP;
    commit_files("");
    m_backend.step_begun(std::string(id), description);
    m_step = id;
    return UPGRADE_STEP_RUN;
}

void Session::step_finish(std::string_view id) {
    if (m_step != id)
        throw Refusal(UPGRADE_INVALID, "step '" + std::string(id) + "' was not begun");
    commit_files(m_step);
    if (is_real()) {
        m_backend.step_finished(m_step, m_values);
        m_values.clear();
    }
    m_step.clear();
}

void Session::walk(bool on) {
    if (!is_rollback()) throw Refusal(UPGRADE_DENIED, "steps are walked over in rollback");
    m_walking = on;
    if (on) return;
    m_files.forget_pending();
    m_values.clear();
}

void Session::step_undone(std::string_view id) {
    if (!is_rollback()) throw Refusal(UPGRADE_DENIED, "steps are undone in rollback");
    commit_files(std::string(id));
    const FileChanges put_back = m_backend.step_undone(std::string(id), m_values);
    if (is_real()) {
        m_values.clear();
        return;
    }
    // What the undo itself has written belongs to its step, and is put back with it.
    m_files.forget_pending();
    m_files.lay_over(put_back);
}

RepositoryFiles& Session::files_to_change(std::string_view path) {
    check_path(path);
    if (!may_change()) {
        throw Refusal(UPGRADE_DENIED,
                      "'" + std::string(path) + "' cannot be changed in preflight and verify");
    }
    check_may_write(path, m_options.write_paths, m_options.protected_paths);
    return m_files;
}

}  // namespace upgrade::services

// SPDX-License-Identifier: Apache-2.0
#include "host/plugin_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/dll/shared_library.hpp>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "host/file_process.hpp"
#include "host/frame.hpp"
#include "host/message.hpp"
#include "host/phases.hpp"
#include "host/sandbox.hpp"
#include "host/supervisor_backend.hpp"
#include "host/write_grants.hpp"
#include "model/error.hpp"
#include "model/json.hpp"
#include "model/manifest.hpp"
#include "services/program.hpp"
#include "services/service_error.hpp"
#include "services/session.hpp"
#include "support/read.hpp"
#include "support/secret_memory.hpp"
#include "support/stop_signals.hpp"
#include "upgrade/abi.h"

namespace runner {
namespace {

services::SessionOptions session_options(const Json& start, services::Phase phase, int overlay) {
    services::SessionOptions options;
    options.phase = phase;
    options.repository = start.at("repository").get<std::string>();
    for (const auto& path : start.at("writePaths"))
        options.write_paths.push_back(path.get<std::string>());
    options.protected_paths = texts_at(start, "protectedPaths");
    for (const auto& command : start.at("commands"))
        options.commands.push_back(command.get<std::string>());
    for (const auto& [key, value] : start.at("info").items())
        options.info[key] = value.get<std::string>();
    for (const auto& [key, value] : start.at("parameters").items()) {
        options.parameters[key] =
            value.is_string() ? std::optional(value.get<std::string>()) : std::nullopt;
    }
    options.after_effects = start.value("afterEffects", false);
    if (overlay >= 0)
        options.base =
            services::decode(read_all(overlay, k_max_overlay, "the changes before this upgrade"));
    return options;
}

/// Of every child, before anything else: it leaves no copy of its memory, and gains no rights.
void lose_privileges() {
    keep_memory_to_itself();
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/// Working directory and temporary folder, before any code of the upgrade is in the process.
void settle_in(const Json& start) {
    const std::string temporary = start.at("temporary").get<std::string>();
    if (::mkdir(temporary.c_str(), 0700) != 0 && errno != EEXIST)
        throw system_error("cannot make " + temporary, errno);
    ::setenv("TMPDIR", temporary.c_str(), 1);
    // The usual places of caches are out of reach in the sandbox.
    ::setenv("XDG_CACHE_HOME", (temporary + "/cache").c_str(), 0);
    ::setenv("KUBECACHEDIR", (temporary + "/kube").c_str(), 0);
    const std::string repository = start.at("repository").get<std::string>();
    if (::chdir(repository.c_str()) != 0) throw system_error("cannot work in " + repository, errno);
}

bool is_executable(const Json& start) {
    return upgrade_form_from(start.at("form").get<std::string>()) == UpgradeForm::executable;
}

/// Only what the manifest declares, from here on. Nothing but the temporary folder is written in
/// phases that change nothing.
void close_the_sandbox(const Json& start, int image) {
    if (!start.value("sandbox", true)) return;
    SandboxRules rules;
    rules.write.emplace_back(start.at("temporary").get<std::string>());
    if (phase_named(start.at("phase").get<std::string>()).changes)
        rules.write_opened = [&start](const EachGrant& allow) {
            grant_writes(start.at("repository").get<std::string>(), texts_at(start, "writePaths"),
                         texts_at(start, "protectedPaths"), allow);
        };
    rules.execute.emplace();
    for (const Json& command : start.at("commands")) {
        if (command == "*") {
            rules.execute.reset();
            break;
        }
        rules.execute->push_back(command.get<std::string>());
    }
    if (rules.execute && is_executable(start))
        rules.execute->push_back("/proc/self/fd/" + std::to_string(image));
    rules.network = start.value("network", false);
    enter_sandbox(rules);
}

/// The plugin's own words must be the manifest's: every field that it names, both read the same
/// way.
void check_description(const upgrade_plugin& plugin, const Json& manifest) {
    const std::string_view text(plugin.description.data, plugin.description.size);
    const std::string what = "the plugin's own description";
    const Json named = parse_json(text, what);
    const Json description = Manifest::parse(text, what).to_json();
    for (const auto& [key, value] : description.items()) {
        const auto published = manifest.find(key);
        if (!named.contains(key) || (published != manifest.end() && *published == value)) continue;
        throw Error(Failure::preparation,
                    "the plugin says '" + key + "' is " + dump_json(value) +
                        ", its published manifest says " +
                        (published == manifest.end() ? "nothing" : dump_json(*published)));
    }
}

const upgrade_plugin& load_plugin(int image, const upgrade_host& host,
                                  boost::dll::shared_library& library) {
    library.load("/proc/self/fd/" + std::to_string(image),
                 boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local);
    if (!library.has(UPGRADE_ENTRY_SYMBOL)) {
        throw Error(Failure::preparation,
                    std::string("it has no symbol ") + UPGRADE_ENTRY_SYMBOL +
                        ": it is no upgrade, or was built for another ABI major than 1");
    }
    const auto& entry =
        library.get<const upgrade_plugin*(const upgrade_host*)>(UPGRADE_ENTRY_SYMBOL);
    const upgrade_plugin* plugin = entry(&host);
    if (plugin == nullptr)
        throw Error(Failure::preparation, "it refuses to start (its entry function returned null)");
    if (plugin->size < sizeof(upgrade_plugin)) {
        throw Error(Failure::preparation, "its plugin struct has " + std::to_string(plugin->size) +
                                              " bytes, ABI 1 has " +
                                              std::to_string(sizeof(upgrade_plugin)));
    }
    if (plugin->apply == nullptr) throw Error(Failure::preparation, "it has no apply function");
    return *plugin;
}

/// Everything about one plugin and its phase.
class PluginRun {
 public:
    PluginRun(FrameChannel& channel, const Json& start, int overlay)
        : m_channel(channel),
          m_start(start),
          m_backend(channel, start),
          m_phase(&phase_named(start.at("phase").get<std::string>())) {
        m_session.emplace(session_options(start, m_phase->session, overlay), m_backend);
    }

    int run(int image) {
        boost::dll::shared_library library;
        const upgrade_plugin* plugin = nullptr;
        try {
            plugin = &load_plugin(image, m_session->host(), library);
            const auto manifest = m_start.find("manifest");
            if (manifest != m_start.end()) check_description(*plugin, *manifest);
        } catch (const std::exception& error) {
            finish({{"type", "done"}, {"loaded", false}, {"message", loader_text(error.what())}},
                   {});
        }
        Json done = {{"type", "done"}, {"loaded", true}, {"implements", implemented(*plugin)}};
        if (m_start.value("describe", false)) {
            done["description"] = std::string(plugin->description.data, plugin->description.size);
            done["status"] = UPGRADE_OK;
            finish(done, {});
        }
        const std::string fallback = m_start.value("withoutPreflight", "");
        if (m_phase->phase == HostPhase::preflight && plugin->preflight == nullptr &&
            !fallback.empty()) {
            // A plugin without preflight goes straight on to its simulation: no code of it has run
            // but its constructors. The session is the one that the plugin was given: only what it
            // allows changes.
            m_phase = &phase_named(fallback);
            m_session->become(m_phase->session);
        }
        done["phase"] = m_phase->word;
        run_phase(*plugin, done);
        return 0;
    }

 private:
    /// Boost.DLL appends the text of an unrelated error code to the loader's.
    static std::string loader_text(std::string text) {
        const std::size_t noise = text.rfind(": Bad file descriptor");
        if (noise != std::string::npos) text.resize(noise);
        constexpr std::string_view k_prefix = "boost::dll::shared_library::load() failed: ";
        if (text.rfind(k_prefix, 0) == 0) text.erase(0, k_prefix.size());
        return text;
    }

    static Json implemented(const upgrade_plugin& plugin) {
        Json phases = Json::array({"apply"});
        if (plugin.preflight != nullptr) phases.push_back("preflight");
        if (plugin.verify != nullptr) phases.push_back("verify");
        if (rollback_of(plugin) != nullptr) phases.push_back("rollback");
        return phases;
    }

    static const upgrade_rollback* rollback_of(const upgrade_plugin& plugin) {
        if (plugin.get_extension == nullptr) return nullptr;
        const std::string_view id = UPGRADE_EXTENSION_ROLLBACK;
        const auto* rollback = static_cast<const upgrade_rollback*>(
            plugin.get_extension(plugin.context, {id.data(), id.size()}));
        return rollback != nullptr && rollback->size >= sizeof(upgrade_rollback) ? rollback
                                                                                 : nullptr;
    }

    std::int32_t call(const upgrade_plugin& plugin) const {
        switch (m_phase->phase) {
            case HostPhase::preflight:
                return plugin.preflight == nullptr ? UPGRADE_OK : plugin.preflight(plugin.context);
            case HostPhase::simulate:
            case HostPhase::apply:
                return plugin.apply(plugin.context);
            case HostPhase::verify:
                return plugin.verify == nullptr ? UPGRADE_OK : plugin.verify(plugin.context);
            case HostPhase::rollback:
            case HostPhase::simulate_rollback: {
                const upgrade_rollback* rollback = rollback_of(plugin);
                return rollback == nullptr ? UPGRADE_OK : rollback->rollback(plugin.context);
            }
        }
        return UPGRADE_FAILED;
    }

    [[noreturn]] void run_phase(const upgrade_plugin& plugin, Json& done) {
        std::int32_t status = UPGRADE_FAILED;
        try {
            status = call(plugin);
            if (status == UPGRADE_OK)
                done["values"] = SupervisorBackend::values_to_json(m_session->complete());
        } catch (const std::exception& error) {
            status = UPGRADE_FAILED;
            m_session->report_error(error.what(), "");
        } catch (...) {
            status = UPGRADE_FAILED;
            m_session->report_error("threw something through the C boundary", "");
        }
        done["status"] = status;
        done["message"] = told_text(m_session->report().message.substr(0, k_max_text));
        done["remedy"] = told_text(m_session->report().remedy.substr(0, k_max_text));
        if (status != UPGRADE_OK) done["commandSignal"] = m_session->command_signal();
        std::vector<UniqueFd> files;
        const bool simulated = m_phase->phase == HostPhase::simulate;
        if (simulated && (status == UPGRADE_OK || status == UPGRADE_NOTHING_TO_DO))
            attach(done, files, "foundDescriptor", encode_found(m_backend.found()));
        if (simulated && status == UPGRADE_OK) {
            done["renders"] = m_session->renders();
            done["blindRenders"] = m_session->blind_renders();
            attach(done, files, "changesDescriptor", services::encode(m_session->changes()));
            attach(done, files, "shownDescriptor", encode_shown(m_backend.shown()));
        }
        finish(done, files);
    }

    [[noreturn]] void finish(const Json& done, const std::vector<UniqueFd>& files) {
        std::fflush(nullptr);
        if (!m_channel.send(done, descriptors_of(files))) orphaned();
        ::_exit(0);
    }

    FrameChannel& m_channel;
    const Json& m_start;
    SupervisorBackend m_backend;
    std::optional<services::Session> m_session;
    const PhaseFacts* m_phase;
};

[[noreturn]] void become_executable(FrameChannel& channel, const Json& start, int image,
                                    int input) {
    if (input >= 0) ::dup2(input, STDIN_FILENO);
    for (const int stop : k_stop_signals) ::signal(stop, SIG_DFL);
    // The interpreter of a script opens its file by this name, so the descriptor stays open.
    const int program = ::dup(image);
    const std::string path = "/proc/self/fd/" + std::to_string(program);
    std::vector<std::string> arguments{path};
    for (const Json& argument : start.at("arguments"))
        arguments.push_back(argument.get<std::string>());
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    ::execv(path.c_str(), argv.data());
    const int error = errno;
    channel.send(
        {{"type", "done"},
         {"loaded", false},
         {"message", "it cannot be started: " + services::why_not_started(path, error, "", "")}});
    ::_exit(1);
}

}  // namespace

int plugin_process(UniqueFd socket) {
    FrameChannel channel(std::move(socket));
    Frame start;
    while (!channel.next(start)) {
        if (!channel.receive(true)) return 0;  // never needed
    }
    try {
        const Json& message = start.message;
        lose_privileges();
        if (text_at(message, "form") == k_file_process_form) return file_process(channel, start);
        settle_in(message);
        const auto descriptor = [&](const char* name) {
            const auto found = message.find(name);
            if (found == message.end()) return -1;
            return start.descriptors.at(found->get<std::size_t>()).get();
        };
        const int image = descriptor("imageDescriptor");
        close_the_sandbox(message, image);
        if (is_executable(message))
            become_executable(channel, message, image, descriptor("inputDescriptor"));
        return PluginRun(channel, message, descriptor("overlayDescriptor")).run(image);
    } catch (const std::exception& error) {
        channel.send({{"type", "done"}, {"loaded", false}, {"message", error.what()}});
        return 1;
    }
}

}  // namespace runner

// SPDX-License-Identifier: Apache-2.0
#include "host/plugin_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/dll/shared_library.hpp>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <set>

#include "host/frame.hpp"
#include "host/message.hpp"
#include "host/phases.hpp"
#include "host/sandbox.hpp"
#include "model/error.hpp"
#include "model/json.hpp"
#include "model/manifest.hpp"
#include "services/service_error.hpp"
#include "services/session.hpp"
#include "support/memory_file.hpp"
#include "support/sha256.hpp"
#include "upgrade/abi.h"

namespace runner {
namespace {

namespace services = upgrade::services;

constexpr std::size_t k_max_log_line = 64U << 10U;
constexpr std::size_t k_max_overlay = 512U << 20U;

/// Ends the process: the supervisor is gone, and nobody is left to answer to.
[[noreturn]] void orphaned() {
    ::_exit(1);
}

/// The services' backend that asks the supervisor.
class SupervisorBackend final : public services::Backend {
 public:
    SupervisorBackend(FrameChannel& channel, const Json& start) : m_channel(channel) {
        for (const Json& step : start.at("finishedSteps"))
            m_finished.insert(step.get<std::string>());
    }

    void log(std::int32_t level, std::string_view text) override {
        const std::string cut(text.substr(0, k_max_log_line));
        show({{"type", "log"},
              {"level", level},
              {"text", text.size() > k_max_log_line ? cut + " [cut]" : cut}});
    }

    void progress(std::uint64_t done, std::uint64_t total, std::string_view message) override {
        show({{"type", "progress"},
              {"done", done},
              {"total", total},
              {"message", message.substr(0, 512)}});
    }

    bool confirm(std::string_view question) override {
        const Json answer =
            ask({{"type", "confirm"}, {"question", question.substr(0, k_max_log_line)}});
        return answer.value("yes", false);
    }

    void command_shown(const std::vector<std::string>& arguments) override {
        show({{"type", "command"}, {"arguments", told_command(arguments)}});
    }

    void command_begun(const std::vector<std::string>& arguments,
                       const std::vector<services::TextRanges>& learned) override {
        std::fflush(stdout);
        const std::vector<std::string> told = told_command(arguments);
        Json message = {{"type", "commandBegun"}, {"arguments", told}};
        const bool any = std::any_of(learned.begin(), learned.end(),
                                     [](const auto& ranges) { return !ranges.empty(); });
        // Of a command that was cut nothing is known but that it is the same.
        if (any && told == arguments) message["learned"] = to_json(learned);
        if (dump_json(message).size() > k_max_frame) message.erase("learned");
        ask(message);
    }

    /// Only what was read first counts: it is what all that follows was made from.
    void found(const std::string& path, services::PathKind kind,
               const std::string* content) override {
        FoundFile& file = found_place(path, kind);
        const bool unread = file.kind == services::PathKind::file && !file.digest;
        if (content != nullptr && unread) file.digest = sha256(*content);
    }

    void listed(const std::string& pattern, const std::vector<std::string>& paths) override {
        if (m_found.lists.count(pattern) != 0) return;
        check_found_count();
        m_found.lists.emplace(pattern, digest_of_list(paths));
    }

    /// What a simulation was made from.
    [[nodiscard]] const FoundInRepository& found() const { return m_found; }

    bool step_is_finished(const std::string& id) override { return m_finished.count(id) != 0; }

    void step_begun(const std::string& id, std::string_view description) override {
        show({{"type", "stepBegun"}, {"id", id}, {"description", description.substr(0, 4096)}});
    }

    void files_prepared(const std::string& step,
                        const std::vector<services::PreparedChange>& changes) override {
        // In pieces: each is recorded by itself, and all before anything is renamed.
        constexpr std::size_t k_piece = 500;
        for (std::size_t begin = 0; begin < changes.size(); begin += k_piece) {
            Json list = Json::array();
            for (std::size_t i = begin; i < std::min(changes.size(), begin + k_piece); ++i) {
                const std::string* content = changes[i].content;
                list.push_back({changes[i].path, changes[i].temporary, changes[i].backup,
                                content == nullptr ? "" : sha256(*content).to_string(),
                                changes[i].rendered});
            }
            ask({{"type", "files"}, {"step", step}, {"changes", std::move(list)}});
        }
    }

    void files_shown(const std::string& step,
                     const std::vector<services::ShownFile>& changes) override {
        if (m_shown.size() + changes.size() > k_max_shown)
            throw services::Refusal(UPGRADE_FAILED, "more than " + std::to_string(k_max_shown) +
                                                        " file changes in one upgrade");
        for (const services::ShownFile& change : changes) {
            m_shown.push_back({step, change.path,
                               change.content == nullptr ? std::nullopt
                                                         : std::optional(sha256(*change.content))});
        }
    }

    /// What a simulation has shown so far.
    [[nodiscard]] const std::vector<ShownChange>& shown() const { return m_shown; }

    void step_finished(const std::string& id, const services::StateValues& values) override {
        ask({{"type", "stepFinished"}, {"id", id}, {"values", values_to_json(values)}});
        m_finished.insert(id);
    }

    services::FileChanges step_undone(const std::string& id,
                                      const services::StateValues& values) override {
        ask({{"type", "stepUndone"}, {"id", id}, {"values", values_to_json(values)}});
        m_finished.erase(id);
        const UniqueFd put_back = take_descriptor(m_answer, "changesDescriptor");
        if (!put_back) return {};
        return services::decode(
            read_all(put_back.get(), k_max_overlay, "the files that would be put back"));
    }

    std::optional<std::string> state(std::int32_t scope, const std::string& key) override {
        const Json answer = ask({{"type", "state"}, {"scope", scope}, {"key", key}});
        const auto value = answer.find("value");
        if (value == answer.end() || !value->is_string()) return std::nullopt;
        return value->get<std::string>();
    }

    bool cancelled() override {
        if (!m_channel.receive(false)) orphaned();
        take_frames();
        return m_cancelled;
    }

    int wake_descriptor() override { return m_channel.descriptor(); }

    static Json values_to_json(const services::StateValues& values) {
        Json list = Json::array();
        for (const auto& [key, value] : values) list.push_back({key.first, key.second, value});
        return list;
    }

 private:
    void check_found_count() const {
        if (m_found.files.size() + m_found.lists.size() >= k_max_shown)
            throw services::Refusal(UPGRADE_FAILED, "one upgrade looks at more than " +
                                                        std::to_string(k_max_shown) + " files");
    }

    FoundFile& found_place(const std::string& path, services::PathKind kind) {
        const auto known = m_found.files.find(path);
        if (known != m_found.files.end()) return known->second;
        check_found_count();
        return m_found.files.emplace(path, FoundFile{kind, std::nullopt}).first->second;
    }

    void post(const Json& message) {
        if (!m_channel.send(message)) orphaned();
    }

    /// What is only shown goes the way of the upgrade's own output, so that both keep their order.
    static void show(const Json& message) {
        std::fflush(stdout);
        write_all(STDOUT_FILENO, k_record_separator + dump_json(message) + '\n', "the output");
    }

    void take_frames() {
        Frame frame;
        while (m_channel.next(frame)) {
            if (frame.type() == "cancel") {
                m_cancelled = true;
            } else {
                m_answer = std::move(frame);
            }
        }
    }

    Json ask(const Json& message) {
        m_answer = Frame();
        post(message);
        take_frames();
        while (m_answer.message.is_null()) {
            if (!m_channel.receive(true)) orphaned();
            take_frames();
        }
        if (m_answer.type() == "refused") {
            throw services::Refusal(UPGRADE_FAILED, m_answer.message.value("message", "refused"));
        }
        return m_answer.message;
    }

    FrameChannel& m_channel;
    std::set<std::string> m_finished;
    std::vector<ShownChange> m_shown;
    FoundInRepository m_found;
    Frame m_answer;
    bool m_cancelled = false;
};

services::SessionOptions session_options(const Json& start, services::Phase phase, int overlay) {
    services::SessionOptions options;
    options.phase = phase;
    options.repository = start.at("repository").get<std::string>();
    options.backup_folder = start.at("backupFolder").get<std::string>();
    for (const auto& path : start.at("writePaths"))
        options.write_paths.push_back(path.get<std::string>());
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

/// Working directory, temporary folder, limits: all before any code of the upgrade is in the
/// process.
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
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/// Only what the manifest declares, from here on. Nothing but the temporary folder is written in
/// phases that change nothing.
void close_the_sandbox(const Json& start, int image) {
    if (!start.value("sandbox", true)) return;
    SandboxRules rules;
    rules.write.emplace_back(start.at("temporary").get<std::string>());
    if (phase_named(start.at("phase").get<std::string>()).changes) {
        const std::filesystem::path repository = start.at("repository").get<std::string>();
        for (const Json& path : start.at("writePaths")) {
            // A file is replaced by a new one beside it: the right is its folder's.
            const std::filesystem::path place =
                nearest_existing((repository / path.get<std::string>()).lexically_normal());
            rules.write.push_back(std::filesystem::is_directory(place) ? place
                                                                       : place.parent_path());
        }
        const std::filesystem::path backups = start.at("backupFolder").get<std::string>();
        if (!start.at("writePaths").empty()) {
            std::filesystem::create_directories(backups);
            rules.write.push_back(backups);
        }
    }
    rules.execute.emplace();
    for (const Json& command : start.at("commands")) {
        if (command == "*") {
            rules.execute.reset();
            break;
        }
        rules.execute->push_back(command.get<std::string>());
    }
    if (rules.execute && start.at("form") == "executable")
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
        done["message"] = m_session->report().message.substr(0, k_max_log_line);
        done["remedy"] = m_session->report().remedy.substr(0, k_max_log_line);
        std::vector<UniqueFd> files;
        const bool simulated = m_phase->phase == HostPhase::simulate;
        if (simulated && (status == UPGRADE_OK || status == UPGRADE_NOTHING_TO_DO))
            attach(done, files, "foundDescriptor", encode_found(m_backend.found()));
        if (simulated && status == UPGRADE_OK) {
            done["renders"] = m_session->renders();
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
    channel.send({{"type", "done"},
                  {"loaded", false},
                  {"message", system_error("it cannot be started", error).what()}});
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
        settle_in(start.message);
        const Json& message = start.message;
        const auto descriptor = [&](const char* name) {
            const auto found = message.find(name);
            if (found == message.end()) return -1;
            return start.descriptors.at(found->get<std::size_t>()).get();
        };
        const int image = descriptor("imageDescriptor");
        close_the_sandbox(message, image);
        if (message.at("form") == "executable")
            become_executable(channel, message, image, descriptor("inputDescriptor"));
        return PluginRun(channel, message, descriptor("overlayDescriptor")).run(image);
    } catch (const std::exception& error) {
        channel.send({{"type", "done"}, {"loaded", false}, {"message", error.what()}});
        return 1;
    }
}

}  // namespace runner

// SPDX-License-Identifier: Apache-2.0
// A folder with releases, a repository and a cluster config, and the real program run in it.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/json.hpp"
#include "model/upgrade_version.hpp"
#include "support/release_maker.hpp"

namespace test {

struct ProgramResult {
    int status = -1;  ///< exit status, or 128 and the signal
    std::string out;
    std::string err;
    [[nodiscard]] runner::Json json() const { return runner::Json::parse(out); }
};

/// A program that was started and is waited for later.
class Program {
 public:
    Program(const std::vector<std::string>& arguments, const std::filesystem::path& folder,
            const std::map<std::string, std::string>& environment);
    ~Program();
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;
    [[nodiscard]] pid_t pid() const { return m_pid; }
    void signal(int number) const;
    /// Waits until its standard output holds `text`; false after 30 s or when it ended without.
    bool wait_for_output(const std::string& text);
    /// Its standard error so far.
    [[nodiscard]] const std::string& errors() {
        read_some(0);
        return m_result.err;
    }
    /// Its standard output so far.
    [[nodiscard]] const std::string& output() const { return m_result.out; }
    ProgramResult wait();

 private:
    void read_some(int timeout_ms);
    pid_t m_pid = -1;
    int m_out = -1;
    int m_err = -1;
    ProgramResult m_result;
};

/// Until that is so; throws when it is not within 30 s.
void wait_until(const std::function<bool()>& so);

class Sandbox {
 public:
    Sandbox();
    ~Sandbox();
    Sandbox(const Sandbox&) = delete;
    Sandbox& operator=(const Sandbox&) = delete;

    [[nodiscard]] const std::filesystem::path& path() const { return m_path; }
    [[nodiscard]] std::filesystem::path repository() const { return m_path / "repository"; }
    [[nodiscard]] std::filesystem::path releases() const { return m_path / "releases"; }
    [[nodiscard]] std::filesystem::path ledger() const { return m_path / "state/state.db"; }

    void write(const std::string& file, const std::string& text) const;
    [[nodiscard]] std::string read(const std::string& file) const;
    [[nodiscard]] bool exists(const std::string& file) const {
        return std::filesystem::exists(m_path / file);
    }
    /// Every file below a folder with its bytes, and every folder.
    [[nodiscard]] std::map<std::string, std::string> snapshot(const std::string& folder) const;
    /// The bits that chmod sets, of what is at a path of the repository.
    [[nodiscard]] unsigned mode_of(const std::string& path) const;

    /// A release of a test plugin (puppet, noop, thrower, constructor_crash) under another version
    /// of the form 0.1.NNNNN.
    void release_plugin(const std::string& plugin, const std::string& version);
    /// A release of an executable upgrade of the older form; `manifest`: what its manifest says
    /// beside schema and version, none: it has none.
    void release_program(const std::string& version, const std::string& script,
                         const std::optional<runner::Json>& manifest = std::nullopt);
    /// A release with these bytes as its archive's file.
    void release_file(const std::string& version, const std::string& name,
                      const std::string& content, const std::optional<runner::Json>& manifest);
    void remove_release(const std::string& version);
    /// What puppets do: "VERSION BEHAVIOUR" lines.
    void behaviour(const std::string& lines) const { write("repository/behaviour", lines); }

    /// Writes cluster.yaml; `releases` replaces the directory source.
    void config(const std::string& original_version, const std::string& releases = {},
                const std::string& more = {}) const;

    [[nodiscard]] ProgramResult run(const std::vector<std::string>& arguments);
    [[nodiscard]] ProgramResult upgrade(std::vector<std::string> more = {});
    /// As run, with a fault (tests/support/fault_injection.cpp) and the wall clock shifted.
    [[nodiscard]] ProgramResult run_with_fault(const std::vector<std::string>& arguments,
                                               const std::string& fault,
                                               std::int64_t clock_offset_s = 0);
    /// How many calls the last run_with_fault has counted.
    [[nodiscard]] std::size_t counted_calls() const;
    std::unique_ptr<Program> start(const std::vector<std::string>& arguments);
    /// Something that is typed when `prompt` has appeared (empty: at once).
    struct Turn {
        std::string prompt;
        std::string input;
        std::function<void()> meanwhile{};  ///< happens then, too, before it is typed
        bool first_type = false;            ///< after it is typed
    };
    /// A command on a pseudo-terminal. Both outputs arrive in `out`.
    [[nodiscard]] ProgramResult talk(std::vector<std::string> command,
                                     const std::vector<Turn>& turns);
    /// As run, on a pseudo-terminal; the first line of `input` is typed when `prompt` has appeared,
    /// each further one at a question of its own. `meanwhile` happens before anything is typed.
    [[nodiscard]] ProgramResult run_on_terminal(const std::vector<std::string>& arguments,
                                                const std::string& input,
                                                const std::string& prompt = "[y/N]",
                                                const std::function<void()>& meanwhile = {});
    std::map<std::string, std::string> environment;

    static std::string program();
    static std::string tag_of(const std::string& version);

 private:
    std::filesystem::path m_path;
    ReleaseMaker m_maker;
};

}  // namespace test

// SPDX-License-Identifier: Apache-2.0
#include "support/sandbox.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <stdexcept>
#include "support/catch.hpp"

#include "model/release.hpp"
#include "support/read.hpp"

namespace test {
namespace {

namespace fs = std::filesystem;

constexpr int k_wait_s = 120;  // for what never comes: slow machines take their time

/// A program to be started, made before fork: afterwards only what is safe in a process with
/// threads may be called, and allocating is not.
class Image {
 public:
    Image(std::vector<std::string> arguments, const fs::path& folder,
          const std::map<std::string, std::string>& environment)
        : m_arguments(std::move(arguments)), m_folder(folder) {
        for (char** entry = environ; *entry != nullptr; ++entry) {
            const std::string variable = *entry;
            if (environment.count(variable.substr(0, variable.find('='))) == 0)
                m_variables.push_back(variable);
        }
        for (const auto& [name, value] : environment) m_variables.push_back(name + '=' + value);
        m_argv = pointers(m_arguments);
        m_envp = pointers(m_variables);
    }
    [[noreturn]] void become() {
        environ = m_envp.data();
        if (::chdir(m_folder.c_str()) == 0) ::execvp(m_argv[0], m_argv.data());
        ::_exit(127);
    }

 private:
    static std::vector<char*> pointers(std::vector<std::string>& strings) {
        std::vector<char*> result;
        for (std::string& text : strings) result.push_back(text.data());
        result.push_back(nullptr);
        return result;
    }

    std::vector<std::string> m_arguments;
    std::vector<std::string> m_variables;
    fs::path m_folder;
    std::vector<char*> m_argv;
    std::vector<char*> m_envp;
};

fs::path make_folder() {
    std::string name = (fs::temp_directory_path() / "runner-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    return name;
}

int status_of(int wait_status) {
    return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

/// Appends what is there; false at the end.
bool drain(int fd, std::string& text) {
    char bytes[65536];
    const ssize_t count = ::read(fd, bytes, sizeof(bytes));
    if (count > 0) text.append(bytes, static_cast<std::size_t>(count));
    return count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR));
}

}  // namespace

Program::Program(const std::vector<std::string>& arguments, const fs::path& folder,
                 const std::map<std::string, std::string>& environment) {
    int out[2];
    int err[2];
    if (::pipe2(out, O_CLOEXEC) != 0 || ::pipe2(err, O_CLOEXEC) != 0)
        throw std::runtime_error("pipe");
    Image image(arguments, folder, environment);
    m_pid = ::fork();
    if (m_pid == 0) {
        const int null = ::open("/dev/null", O_RDONLY);
        ::dup2(null, 0);
        ::dup2(out[1], 1);
        ::dup2(err[1], 2);
        // The tests may run in the background, where some are ignored.
        for (const int stop : {SIGINT, SIGTERM, SIGHUP}) ::signal(stop, SIG_DFL);
        image.become();
    }
    ::close(out[1]);
    ::close(err[1]);
    m_out = out[0];
    m_err = err[0];
}

Program::~Program() {
    if (m_pid > 0) {
        ::kill(m_pid, SIGKILL);
        ::waitpid(m_pid, nullptr, 0);
    }
    if (m_out >= 0) ::close(m_out);
    if (m_err >= 0) ::close(m_err);
}

void Program::signal(int number) const {
    ::kill(m_pid, number);
}

void Program::read_some(int timeout_ms) {
    pollfd waits[2] = {{m_out, POLLIN, 0}, {m_err, POLLIN, 0}};
    ::poll(waits, 2, timeout_ms);
    const auto take = [](pollfd& wait, int& fd, std::string& text) {
        if (fd < 0 || wait.revents == 0 || drain(fd, text)) return;
        ::close(fd);
        fd = -1;
    };
    take(waits[0], m_out, m_result.out);
    take(waits[1], m_err, m_result.err);
}

bool Program::wait_for_output(const std::string& text) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(k_wait_s);
    while (m_result.out.find(text) == std::string::npos) {
        if (m_out < 0 || std::chrono::steady_clock::now() > deadline) return false;
        read_some(100);
    }
    return true;
}

ProgramResult Program::wait() {
    while (m_out >= 0 || m_err >= 0) read_some(-1);
    int status = 0;
    ::waitpid(m_pid, &status, 0);
    m_pid = -1;
    m_result.status = status_of(status);
    return m_result;
}

void wait_until(const std::function<bool()>& so) {
    constexpr int k_look_ms = 5;
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(k_wait_s);
    while (!so()) {
        if (std::chrono::steady_clock::now() > until)
            throw std::runtime_error("it did not come so in time");
        ::poll(nullptr, 0, k_look_ms);
    }
}

Sandbox::Sandbox() : m_path(make_folder()), m_maker(releases(), TEST_PLUGINS) {
    fs::create_directories(repository());
    fs::create_directories(releases());
    environment["RUNNER_CACHE"] = (m_path / "cache").string();
    environment["RUNNER_ACTOR"] = "tester";
    environment["NO_COLOR"] = "";
    environment["HOME"] = m_path.string();
    config("0.1.0");
}

Sandbox::~Sandbox() {
    std::error_code ignored;
    fs::permissions(m_path / "state", fs::perms::owner_all, fs::perm_options::add, ignored);
    fs::remove_all(m_path, ignored);
}

void Sandbox::write(const std::string& file, const std::string& text) const {
    fs::create_directories((m_path / file).parent_path());
    std::ofstream(m_path / file, std::ios::binary | std::ios::trunc) << text;
}

std::string Sandbox::read(const std::string& file) const {
    return runner::read_file(m_path / file, 1U << 30U);
}

unsigned Sandbox::mode_of(const std::string& path) const {
    return static_cast<unsigned>(fs::status(repository() / path).permissions());
}

std::map<std::string, std::string> Sandbox::snapshot(const std::string& folder) const {
    std::map<std::string, std::string> files;
    if (!fs::exists(m_path / folder)) return files;
    for (const auto& entry : fs::recursive_directory_iterator(m_path / folder)) {
        const std::string name = fs::relative(entry.path(), m_path).string();
        const auto bytes = entry.is_regular_file()
                               ? runner::read_file_if_there(entry.path(), 1U << 30U)
                               : "(folder)";
        if (bytes) files[name] = *bytes;  // not there: a program that still runs has removed it
    }
    return files;
}

std::string Sandbox::program() {
    return RUNNER_PROGRAM;
}

std::string Sandbox::tag_of(const std::string& version) {
    return ReleaseMaker::tag_of(version);
}

void Sandbox::release_file(const std::string& version, const std::string& name,
                           const std::string& content,
                           const std::optional<runner::Json>& manifest) {
    m_maker.file(version, name, content, manifest);
}

void Sandbox::release_plugin(const std::string& plugin, const std::string& version) {
    m_maker.plugin(plugin, version);
}

void Sandbox::release_program(const std::string& version, const std::string& script,
                              const std::optional<runner::Json>& manifest) {
    const auto names = runner::AssetNames::of("upgrade", version, runner::Platform::current());
    std::optional<runner::Json> whole = manifest;
    if (whole) {
        (*whole)["schema"] = 1;
        (*whole)["version"] = version;
    }
    release_file(version, names.executable, script, whole);
}

void Sandbox::remove_release(const std::string& version) {
    fs::remove_all(releases() / tag_of(version));
}

void Sandbox::config(const std::string& original_version, const std::string& releases_text,
                     const std::string& more) const {
    write("cluster.yaml",
          "apiVersion: runner/v1\nkind: Cluster\nmetadata: {name: test}\n" +
              (original_version.empty() ? "" : "originalVersion: " + original_version + "\n") +
              "repositoryDirectory: repository\nstate: state/state.db\n" +
              (releases_text.empty() ? "releases: {source: directory, directory: releases}\n"
                                     : releases_text) +
              "trust: {verification: disabled}\n" + more);
}

ProgramResult Sandbox::run_with_fault(const std::vector<std::string>& arguments,
                                      const std::string& fault, std::int64_t clock_offset_s) {
    const auto before = environment;
    environment["LD_PRELOAD"] = FAULT_INJECTION;
    environment["RUNNER_CLOCK_OFFSET"] = std::to_string(clock_offset_s);
    environment["RUNNER_FAULT_COUNT"] = (m_path / "count").string();
    if (!fault.empty()) environment["RUNNER_FAULT"] = fault;
    fs::remove(m_path / "count");
    ProgramResult result = run(arguments);
    environment = before;
    return result;
}

std::size_t Sandbox::counted_calls() const {
    long count = 0;
    const auto bytes = runner::read_file_if_there(m_path / "count", sizeof(count));
    if (bytes) std::memcpy(&count, bytes->data(), std::min(bytes->size(), sizeof(count)));
    return static_cast<std::size_t>(count);
}

std::unique_ptr<Program> Sandbox::start(const std::vector<std::string>& arguments) {
    std::vector<std::string> all{program()};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return std::make_unique<Program>(all, m_path, environment);
}

ProgramResult Sandbox::run(const std::vector<std::string>& arguments) {
    ProgramResult result = start(arguments)->wait();
    UNSCOPED_INFO("stdout:\n" << result.out << "\nstderr:\n" << result.err);
    return result;
}

ProgramResult Sandbox::upgrade(std::vector<std::string> more) {
    more.insert(more.begin(), {"upgrade", "--yes"});
    return run(more);
}

ProgramResult Sandbox::run_on_terminal(const std::vector<std::string>& arguments,
                                       const std::string& input, const std::string& prompt,
                                       const std::function<void()>& meanwhile) {
    std::vector<std::string> all{program()};
    all.insert(all.end(), arguments.begin(), arguments.end());
    std::vector<Turn> turns;
    for (std::size_t begin = 0; begin < input.size();) {
        const std::size_t end = std::min(input.find('\n', begin), input.size() - 1) + 1;
        turns.push_back({begin == 0 ? prompt : "[y/N]", input.substr(begin, end - begin),
                         begin == 0 ? meanwhile : nullptr});
        begin = end;
    }
    return talk(all, turns);
}

ProgramResult Sandbox::talk(std::vector<std::string> command, const std::vector<Turn>& turns) {
    int master = -1;
    ProgramResult result;
    std::map<std::string, std::string> variables = environment;
    variables.emplace("TERM", "xterm");
    Image image(std::move(command), m_path, variables);
    const pid_t pid = ::forkpty(&master, nullptr, nullptr, nullptr);
    if (pid == 0) image.become();
    auto turn = turns.begin();
    std::size_t heard = 0;
    do {
        if (turn == turns.end()) continue;
        // A question has come whole when it ends with its space.
        const bool asked =
            turn->prompt.empty() || (result.out.find(turn->prompt, heard) != std::string::npos &&
                                     (result.out.back() == ' ' || result.out.back() == '\n'));
        if (!asked) continue;
        heard = result.out.size();
        if (turn->meanwhile && !turn->first_type) turn->meanwhile();
        if (::write(master, turn->input.data(), turn->input.size()) < 0)
            throw std::runtime_error("write to the terminal");
        if (turn->meanwhile && turn->first_type) turn->meanwhile();
        ++turn;
    } while (drain(master, result.out));
    int status = 0;
    ::waitpid(pid, &status, 0);
    ::close(master);
    result.status = status_of(status);
    UNSCOPED_INFO("terminal:\n" << result.out);
    return result;
}

}  // namespace test

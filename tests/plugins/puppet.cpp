// SPDX-License-Identifier: Apache-2.0
// An upgrade that does what the file `behaviour` in the repository says, one "VERSION BEHAVIOUR" a
// line; without a line, nothing. Only for real, unless the behaviour begins with "simulated-". For
// tests.
#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <upgrade/sdk.hpp>

namespace {

std::string behaviour_of(const upgrade::Context& context) {
    if (!context.files().exists("behaviour")) return "";
    const std::string text = context.files().read("behaviour");
    const std::string key = context.info("version") + " ";
    if (text == "all-note") return "note";
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        const std::string line = text.substr(at, end - at);
        if (line.rfind(key, 0) == 0) return line.substr(key.size());
        at = end + 1;
    }
    return "";
}

/// Whether this is the real run: a changing command leaves a file only then.
bool is_real(upgrade::Context& context) {
    const std::string mark = context.info("temporaryDirectory") + "/real";
    context.exec().change({"touch", mark});
    return std::filesystem::exists(mark);
}

/// Around the services: what only the kernel can refuse. Throws where it is refused.
void go_around(const std::string& how) {
    const std::string what = how.substr(how.find(' ') + 1);
    if (how.rfind("raw-write ", 0) == 0) {
        if (!(std::ofstream(what) << "around the services" << std::flush))
            throw std::runtime_error("write " + what + ": Permission denied");
    } else if (how.rfind("raw-run ", 0) == 0) {
        const pid_t pid = ::fork();
        if (pid == 0) {
            ::execl(what.c_str(), what.c_str(), nullptr);
            ::_exit(errno == EACCES ? 77 : 78);
        }
        int status = 0;
        ::waitpid(pid, &status, 0);
        if (WEXITSTATUS(status) == 77)
            throw std::runtime_error("run " + what + ": Permission denied");
    } else if (how.rfind("raw-connect ", 0) == 0) {
        const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(what)));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0)
            throw std::runtime_error(std::string("connect: ") + std::strerror(errno));
    }
}

void misbehave(upgrade::Context& context, const std::string& how) {
    go_around(how);
    if (how == "segv") {
        ::signal(SIGSEGV, SIG_DFL);  // a sanitizer would turn it into an exit status
        ::raise(SIGSEGV);
    } else if (how == "abort") {
        std::abort();
    } else if (how == "exit0") {
        std::exit(0);
    } else if (how == "exit3") {
        std::exit(3);
    } else if (how == "hang") {
        while (true) ::pause();
    } else if (how == "hang-ignoring-term") {
        ::signal(SIGTERM, SIG_IGN);
        while (true) ::pause();
    } else if (how == "flood") {
        const std::string line(1000, 'x');
        while (true) context.log(line);
    } else if (how == "fail") {
        throw std::runtime_error("told to fail");
    } else if (how == "daemon") {
        if (::fork() == 0) {
            ::setsid();
            while (true) ::pause();
        }
    } else if (how == "print") {
        context.log("a log line\xff\x1b[31m");
        ::write(1, "to stdout\n", 10);
        ::write(2, "to stderr\n", 10);
    } else if (how == "ask") {
        context.confirm("really?");
    } else if (how == "litter") {
        const std::filesystem::path folder = context.info("temporaryDirectory");
        if (!std::filesystem::is_empty(folder)) throw std::runtime_error("somebody was here");
        std::ofstream(folder / "litter") << "litter";
        std::filesystem::permissions(folder, std::filesystem::perms::owner_read);
    } else if (how == "outside") {
        context.files().write("../outside", "x");
    }
}

}  // namespace

struct Puppet final : upgrade::Upgrade {
    void preflight(upgrade::Context& context) override {
        const std::string how = behaviour_of(context);
        if (how == "blocked") throw upgrade::Blocked("told to be blocked", "tell it otherwise");
        if (how == "nothing") throw upgrade::NothingToDo("told to have nothing to do");
    }

    void apply(upgrade::Context& context) override {
        const std::string how = behaviour_of(context);
        const std::string simulated = "simulated-";
        if (how.rfind(simulated, 0) == 0) misbehave(context, how.substr(simulated.size()));
        if (how == "two-steps" || how == "fail-second") {
            context.step("one", "the first", [&] { context.files().write("one", "1"); });
            context.step("two", "the second", [&] {
                context.files().write("two", "2");
                if (how == "fail-second" && is_real(context))
                    throw std::runtime_error("told to fail in its second step");
            });
        }
        if (how == "same-step-twice") {
            context.step("same", "the first", [&] { context.files().write("one", "1"); });
            context.step("same", "the second", [&] { context.files().write("two", "2"); });
        }
        if (how == "note") note(context);
        if (how == "removes")
            context.step("remove", "the old one goes", [&] {
                if (context.files().exists("gone")) context.files().remove("gone");
            });
        if (how == "touches") context.exec().change({"touch", "touched"});
        if (how == "transient" || how == "transient-step") transient(context, how);
        break_rule(context, how);
        if (how.rfind("breaks-", 0) == 0 || how == "touches" || how == "removes") return;
        if (!how.empty() && is_real(context)) misbehave(context, how);
    }

    void verify(upgrade::Context& context) override {
        if (behaviour_of(context) == "breaks-verification")
            throw std::runtime_error("told to fail its verification");
        if (behaviour_of(context) == "verify-fails")
            throw std::runtime_error("told to fail its verification");
    }

    /// Fails for a while: until the command `touch` has left two files.
    static void transient(upgrade::Context& context, const std::string& how) {
        const auto work = [&] {
            context.files().write("half", "done");
            const bool real = is_real(context);
            const bool second = context.files().exists("attempt-1");
            const bool third = context.files().exists("attempt-2");
            if (!real || !second) context.exec().change({"touch", "attempt-1"});
            if (!real || second) context.exec().change({"touch", "attempt-2"});
            if (!real) return;
            if (!third) throw upgrade::Transient("the server restarts");
        };
        if (how == "transient") {
            work();
        } else {
            context.step("before", "once", [&] { context.files().write("before", "x"); });
            context.step("work", "work", work);
        }
    }

    /// Breaks one rule of upgrades, and no other.
    static void break_rule(upgrade::Context& context, const std::string& how) {
        if (how == "breaks-simulation") {
            std::ofstream("written") << "around the services";
        } else if (how == "breaks-exactness") {
            if (!context.files().exists("exact"))
                context.files().write("exact", std::to_string(::getpid()));
        } else if (how == "breaks-modes") {
            context.step("one", "write", [&] { context.files().write("shared", "new\n"); });
            std::string made;
            std::getline(std::ifstream("shared"), made);
            if (made == "new") ::chmod("shared", 0600);  // for real
        } else if (how == "breaks-idempotence") {
            note(context);
        } else if (how == "breaks-resumption") {
            std::string kept = "nothing";
            context.step("one", "keep in memory", [&] { kept = "something"; });
            context.step("two", "write it", [&] { context.files().write("kept", kept); });
        } else if (how == "breaks-declining") {
            try {
                context.confirm("really?");
            } catch (const std::exception&) {
                context.log("so what");
            }
        } else if (how == "breaks-permissions") {
            const std::string outside =
                std::filesystem::temp_directory_path().parent_path() / "outside";
            go_around("raw-write " + outside);
        } else if (how == "breaks-verification") {
            context.files().write("fine", "fine");
        }
    }

    /// Appends its version to a file, exactly once however often it dies.
    static void note(upgrade::Context& context) {
        context.step("note", "write the version down", [&] {
            const std::string before =
                context.files().exists("order") ? context.files().read("order") : "";
            context.files().write("order", before + context.info("version") + "\n");
        });
    }
};

UPGRADE_PLUGIN(Puppet)

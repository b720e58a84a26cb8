// SPDX-License-Identifier: Apache-2.0
// A tour of the real program through every move of a run's state machine.
#include <signal.h>
#include <sys/stat.h>

#include "support/catch.hpp"
#include "support/git_forge.hpp"
#include "support/moves.hpp"
#include "support/sandbox.hpp"

using test::Sandbox;

namespace {

const std::string k_events = "events.jsonl";

/// Two upgrades of a cluster; each stop of the tour is one.
struct Stop : Sandbox {
    Stop() {
        release_plugin("shaky", "0.1.10001");
        release_plugin("shaky", "0.1.10002");
    }
    int run_events(std::vector<std::string> arguments) {
        arguments.insert(arguments.end(), {"--events", k_events});
        return run(arguments).status;
    }
    int upgrade_events(const std::vector<std::string>& more = {}) {
        std::vector<std::string> arguments{"upgrade", "--yes"};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return run_events(arguments);
    }
    int signalled(const std::string& text, int times, const std::vector<std::string>& more = {}) {
        std::vector<std::string> arguments{"upgrade", "--yes", "--events", k_events};
        arguments.insert(arguments.end(), more.begin(), more.end());
        const auto program = start(arguments);
        REQUIRE(program->wait_for_output(text));
        for (int i = 0; i < times; ++i) {
            program->signal(SIGINT);
            if (i + 1 < times) REQUIRE(program->wait_for_output("a second signal"));
        }
        return program->wait().status;
    }
};

/// Killed at each commit in turn: the next run says in which state.
void kill_at_each_commit(const std::vector<std::string>& arguments, const std::string& behaviour,
                         int last, test::Moves& seen) {
    Stop stop;
    bool disturbed = true;
    for (int at = 1; disturbed; ++at) {
        std::filesystem::remove_all(stop.path() / "state");
        std::filesystem::remove_all(stop.repository());
        stop.behaviour(behaviour);
        static_cast<void>(stop.run_with_fault(arguments, "sync:before:" + std::to_string(at)));
        disturbed = stop.counted_calls() >= static_cast<std::size_t>(at);
        CHECK(stop.upgrade_events() == last);
    }
    add_moves(seen, stop, k_events);
}

}  // namespace

TEST_CASE("the program has made every move that the state machine allows, and no other") {
    test::Moves seen;
    {  // all goes well; the last has a check, or none; nothing is due
        Stop stop;
        CHECK(stop.upgrade_events() == 0);
        CHECK(stop.run_events({"rollback", "--yes"}) == 0);
        CHECK(stop.upgrade_events({"--soak", "1ms"}) == 0);
        stop.release_plugin("noop", "0.1.10003");
        CHECK(stop.upgrade_events() == 0);
        stop.release_plugin("noop", "0.1.10004");
        CHECK(stop.upgrade_events({"--soak", "1ms"}) == 0);
        add_moves(seen, stop, k_events);
        Sandbox empty;
        static_cast<void>(empty.run({"upgrade", "--yes", "--to", "0.2.0", "--events", k_events}));
        add_moves(seen, empty, k_events);
    }
    for (const char* how : {"blocked", "simulate", "apply", "verify", "undo", "crash"}) {
        for (const bool undone : {true, false}) {
            Stop stop;
            stop.behaviour(std::string("0.1.10002 ") + how + "\n");
            CHECK(stop.upgrade_events(undone
                                          ? std::vector<std::string>{}
                                          : std::vector<std::string>{"--no-auto-rollback"}) != 0);
            add_moves(seen, stop, k_events);
        }
    }
    {  // what is wanted cannot be resolved, or is refused at the question
        Stop stop;
        CHECK(stop.upgrade_events({"--env", "nobody=knows"}) == 3);
        CHECK(stop.run_on_terminal({"upgrade", "--events", k_events}, "n\n", "[y/N]").status == 4);
        CHECK(stop.run_on_terminal({"upgrade", "--events", k_events}, "\x03", "[y/N]").status ==
              130);
        stop.config("0.1.0", {}, "hooks: {before: {command: [\"false\"]}}\n");
        CHECK(stop.upgrade_events() == 3);
        add_moves(seen, stop, k_events);
        Sandbox asked;
        asked.release_plugin("secretive", "0.1.10001");
        CHECK(asked.run_on_terminal({"upgrade", "--events", k_events}, "\x03", "(of the forge)")
                  .status == 130);
        add_moves(seen, asked, k_events);
    }
    {  // signals
        Stop stop;
        stop.behaviour("0.1.10001 simulate-hang\n");
        CHECK(stop.signalled("hanging", 1) == 130);
        add_moves(seen, stop, k_events);
    }
    for (const char* how : {"apply-hang", "verify-hang"}) {
        for (const bool undone : {true, false}) {
            Stop stop;
            stop.behaviour(std::string("0.1.10001 ") + how + "\n");
            CHECK(stop.signalled("hanging", 2,
                                 undone ? std::vector<std::string>{}
                                        : std::vector<std::string>{"--no-auto-rollback"}) == 130);
            add_moves(seen, stop, k_events);
        }
    }
    {  // while soaking: stopped, broken and undone, broken and left
        Stop stop;
        CHECK(stop.signalled("soaking:", 1, {"--soak", "10m"}) == 130);
        add_moves(seen, stop, k_events);
    }
    for (const bool undone : {true, false}) {
        Stop stop;
        std::vector<std::string> arguments{"upgrade", "--yes",    "--soak",
                                           "10m",     "--events", k_events};
        if (!undone) arguments.emplace_back("--no-auto-rollback");
        const auto program = stop.start(arguments);
        REQUIRE(program->wait_for_output("soaking:"));
        stop.behaviour("0.1.10002 verify\n");
        CHECK(program->wait().status == (undone ? 8 : 1));
        add_moves(seen, stop, k_events);
    }
    {  // the ledger fails in the first moment
        Stop stop;
        for (int at = 1; at < 12; ++at) {
            std::filesystem::remove_all(stop.path() / "state");
            static_cast<void>(stop.run_with_fault({"upgrade", "--yes", "--events", k_events},
                                                  "sync:EIO:" + std::to_string(at) + ":state.db"));
        }
        add_moves(seen, stop, k_events);
    }
    {  // built from tags: well, badly, stopped, killed
        Sandbox stop;
        const test::GitForge forge(stop);
        forge.add("0.1.10001");
        forge.tag("0.1.10001");
        forge.config("served/upgrades.git");
        const std::vector<std::string> upgrade{"upgrade", "--yes", "--events", k_events};
        forge.let_build("fail");
        CHECK(stop.run(upgrade).status == 3);
        forge.let_build("hang");
        for (const int signal : {SIGINT, SIGKILL}) {
            std::filesystem::remove(stop.path() / "builds.hangs");
            const auto program = stop.start(upgrade);
            test::wait_until([&] { return stop.exists("builds.hangs"); });
            program->signal(signal);
            program->wait();
        }
        forge.let_build("build");
        CHECK(stop.run(upgrade).status == 0);
        add_moves(seen, stop, k_events);
    }
    {  // killed in every state
        kill_at_each_commit({"upgrade", "--yes"}, "0.1.10002 verify\n", 8, seen);
        kill_at_each_commit({"upgrade", "--yes", "--soak", "1ms"}, "", 0, seen);
    }
    const test::Moves all = test::all_moves();
    test::Moves missing;
    std::set_difference(all.begin(), all.end(), seen.begin(), seen.end(),
                        std::inserter(missing, missing.end()));
    INFO("never made:\n" << test::to_text(missing));
    CHECK(missing.empty());
    test::Moves extra;
    std::set_difference(seen.begin(), seen.end(), all.begin(), all.end(),
                        std::inserter(extra, extra.end()));
    INFO("not allowed:\n" << test::to_text(extra));
    CHECK(extra.empty());
    WARN("moves made: " << seen.size() << " of " << all.size());
}

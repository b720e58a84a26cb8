// SPDX-License-Identifier: Apache-2.0
// The harness of upgrades' unit tests, and through it the SDK's C++ face.
#include "testing/harness.hpp"

#include <filesystem>

#include "support/catch.hpp"
#include "upgrade/sdk.hpp"

using upgrade::testing::Harness;

namespace {

/// Two files, a command, a state value, a question.
struct Busy : upgrade::Upgrade {
    void preflight(upgrade::Context& context) override {
        if (context.files().exists("done")) throw upgrade::NothingToDo("done already");
        if (!context.helm().exists("loki", "logging"))
            throw upgrade::Blocked("there is no loki", "install it first");
    }
    void apply(upgrade::Context& context) override {
        context.confirm("really?");
        context.step("first", "write", [&] {
            context.files().write("new.txt", context.parameter("text") + "\n");
            context.state().set("key", "value");
        });
        context.step(
            "second", "bring the release up",
            [&] {
                context.yaml("values.yaml").set("loki.size", "20Gi");
                context.helm().upgrade("loki", "grafana/loki", "logging", std::chrono::seconds(60),
                                       {"--version=5.0.1"});
            },
            [&] { context.helm().rollback("loki", "logging", 0, std::chrono::seconds(60)); });
    }
    void verify(upgrade::Context& context) override {
        if (context.helm().values("loki", "logging") != "size: 20Gi\n")
            throw std::runtime_error("the size is wrong");
    }
};

void prepare(Harness& harness) {
    harness.write("values.yaml", "loki:\n  size: 10Gi  # small\n");
    harness.parameter("text", "hello");
    harness.can_command("helm", "");
    harness.can_command_with("helm", "get values loki --namespace logging --output=yaml",
                             "size: 20Gi\n");
}

}  // namespace

TEST_CASE("a simulation shows its diff and its commands, and changes nothing") {
    Harness harness;
    prepare(harness);
    const auto before = harness.snapshot();
    const auto simulated = harness.simulate<Busy>();
    REQUIRE(simulated.ok());
    CHECK(simulated.diff ==
          "--- /dev/null\n+++ b/new.txt\n@@ -0,0 +1 @@\n+hello\n"
          "--- a/values.yaml\n+++ b/values.yaml\n@@ -1,2 +1,2 @@\n loki:\n"
          "-  size: 10Gi  # small\n+  size: 20Gi  # small\n");
    REQUIRE(simulated.shown_commands.size() == 1);
    CHECK(simulated.shown_commands.front() ==
          "helm upgrade loki grafana/loki --namespace logging --version=5.0.1 --wait "
          "--timeout=60s");
    CHECK(harness.snapshot() == before);
    CHECK(harness.calls("helm").empty());
}

TEST_CASE("a run applies, verifies, and is rolled back to every byte, its undo run") {
    Harness harness;
    prepare(harness);
    const auto before = harness.snapshot();
    REQUIRE(harness.preflight<Busy>().ok());
    REQUIRE(harness.apply<Busy>().ok());
    CHECK(harness.finished_steps() == std::vector<std::string>{"first", "second"});
    CHECK(harness.state_value("key") == std::optional<std::string>("value"));
    CHECK(harness.verify<Busy>().ok());
    REQUIRE(harness.rollback<Busy>().ok());
    CHECK(harness.snapshot() == before);
    CHECK(harness.finished_steps().empty());
    CHECK(harness.calls("helm").back() ==
          "rollback loki 0 --namespace logging --wait --timeout=60s");
}

TEST_CASE("a command is told before it runs, and only when it runs") {
    Harness harness;
    prepare(harness);
    CHECK(harness.simulate<Busy>().begun_commands.empty());
    CHECK(harness.apply<Busy>().begun_commands ==
          std::vector<std::string>{"helm upgrade loki grafana/loki --namespace logging "
                                   "--version=5.0.1 --wait --timeout=60s"});
    CHECK(harness.verify<Busy>().begun_commands.empty());
}

TEST_CASE("a run that died goes on after its finished steps") {
    Harness harness;
    prepare(harness);
    harness.die_after_step("first");
    CHECK(!harness.apply<Busy>().ok());
    harness.parameter("text", "another");
    REQUIRE(harness.apply<Busy>().ok());
    CHECK(harness.read("new.txt") == "hello\n");
}

TEST_CASE("blocked, aborted and nothing to do are told apart") {
    Harness harness;
    prepare(harness);
    harness.answer(false);
    CHECK(harness.apply<Busy>().aborted());
    harness.can_command_with("helm", "status loki --namespace logging", "", 1);
    const auto blocked = harness.preflight<Busy>();
    CHECK(blocked.blocked());
    CHECK(blocked.remedy == "install it first");
    harness.write("done", "");
    CHECK(harness.preflight<Busy>().nothing_to_do());
}

TEST_CASE("an undeclared command, path or parameter is refused by name") {
    Harness harness;
    prepare(harness);
    harness.allow_writes({"infrastructure"});
    CHECK(harness.apply<Busy>().message.find("new.txt") != std::string::npos);
    harness.allow_writes({"."});
    harness.allow_commands({"kubectl"});
    CHECK(harness.apply<Busy>().message.find("helm") != std::string::npos);
}

namespace {

/// Each commit but the last changes what the one before it has left.
struct Repeating : upgrade::Upgrade {
    void apply(upgrade::Context& context) override {
        const upgrade::Files& files = context.files();
        files.write("outside", "1");
        context.step("one", "write", [&] {
            files.write("same", files.read("same"));
            files.write("passing", "x");
            files.remove("passing");
            files.write("file", "1");
        });
        context.step("two", "remove", [&] { files.remove("file"); });
        context.step("three", "write", [&] { files.write("file", "1"); });
        files.write("file", "1");
    }
};

std::vector<std::string> lines_of(const std::vector<upgrade::testing::StepChange>& changes) {
    std::vector<std::string> lines;
    for (const auto& change : changes)
        lines.push_back(change.step + " " + change.path + " " + change.content.value_or("removed"));
    return lines;
}

}  // namespace

TEST_CASE("a simulation tells its commits as the run makes them") {
    Harness harness;
    harness.write("same", "same");
    const auto simulated = harness.simulate<Repeating>();
    REQUIRE(simulated.ok());
    CHECK(lines_of(simulated.committed) ==
          std::vector<std::string>{" outside 1", "one file 1", "two file removed", "three file 1"});
    const auto applied = harness.apply<Repeating>();
    REQUIRE(applied.ok());
    CHECK(lines_of(applied.committed) == lines_of(simulated.committed));
    CHECK(harness.simulate<Repeating>().committed.empty());
}

TEST_CASE("a simulation finds what a run could not replace") {
    Harness harness;
    harness.write("same", "same");
    std::filesystem::create_symlink("same", harness.repository() + "/outside");
    const auto simulated = harness.simulate<Repeating>();
    CHECK_FALSE(simulated.ok());
    CHECK(simulated.message.find("'outside' is a symbolic link") != std::string::npos);
}

namespace {

struct Rendering : upgrade::Upgrade {
    void apply(upgrade::Context& context) override {
        const upgrade::Files& files = context.files();
        context.step("render", "make a file from others", [&] {
            files.write("source", "text");
            context.exec().render("rendered", {"kustomize", "build"});
            files.write("other", "other");
        });
        context.step("copy", "write the same elsewhere", [&] {
            if (files.exists("rendered")) files.write("copy", files.read("rendered"));
            files.remove("source");
        });
    }
};

}  // namespace

TEST_CASE("what a program has rendered is marked in the run, and counted in the simulation") {
    Harness harness;
    harness.write("rendered", "old");
    harness.can_command("kustomize", "new");
    const auto simulated = harness.simulate<Rendering>();
    REQUIRE(simulated.ok());
    CHECK(simulated.renders == 1);
    CHECK(simulated.shown_commands == std::vector<std::string>{"kustomize build"});
    CHECK(lines_of(simulated.committed) ==
          std::vector<std::string>{"render other other", "render source text", "copy copy old",
                                   "copy source removed"});
    const auto applied = harness.apply<Rendering>();
    REQUIRE(applied.ok());
    CHECK(applied.renders == 0);
    CHECK(applied.begun_commands == std::vector<std::string>{"kustomize build"});
    std::vector<std::string> rendered;
    for (const auto& change : applied.committed)
        if (change.rendered) rendered.push_back(change.path);
    CHECK(rendered == std::vector<std::string>{"rendered", "copy"});
    CHECK(harness.read("rendered") == "new");
}

TEST_CASE("what a program printed before it failed is not what it rendered") {
    struct Insisting : upgrade::Upgrade {
        void apply(upgrade::Context& context) override {
            try {
                context.exec().render("rendered", {"kustomize", "build"});
            } catch (const upgrade::ServiceError&) {
                context.files().write("rendered", "half");
            }
        }
    };
    Harness harness;
    harness.can_command("kustomize", "half", 1);
    const auto applied = harness.apply<Insisting>();
    REQUIRE(applied.committed.size() == 1);
    CHECK_FALSE(applied.committed.front().rendered);
}

namespace {

/// Tells in its undo what it finds, and has a rollback of its own.
struct Undoing : upgrade::Upgrade {
    void apply(upgrade::Context& context) override {
        const upgrade::Files& files = context.files();
        for (const std::string id : {"1", "2"}) {
            context.step(
                id, "write " + id,
                [&] {
                    files.write("file", id);
                    files.write("made-by-" + id, id);
                },
                [&context, id] {
                    const upgrade::Files& now = context.files();
                    context.log("undo of " + id + " finds " + now.read("file") +
                                (now.exists("made-by-2") ? ", made-by-2" : ""));
                    now.write("file", "by undo " + id);
                    now.write("made-by-undo", id);
                    context.exec().change({"helm", "undo", id});
                });
        }
        files.write("outside", "of steps");
        context.exec().change({"helm", "apply"});
    }
    void rollback(upgrade::Context& context) override {
        context.exec().change({"helm", "before"});
        context.confirm("really?");
        Upgrade::rollback(context);
        context.files().write("after", context.files().read("file"));
    }
};

}  // namespace

TEST_CASE("a rollback is simulated as it will be, and changes nothing") {
    Harness harness;
    harness.write("file", "0");
    harness.can_command("helm", "");
    const auto before = harness.snapshot();
    REQUIRE(harness.apply<Undoing>().ok());
    const auto applied = harness.snapshot();
    const std::vector<std::string> called = harness.calls("helm");
    const std::size_t lines = harness.log_lines().size();
    harness.answer(false);

    const auto simulated = harness.simulate_rollback<Undoing>();
    REQUIRE(simulated.ok());
    CHECK(harness.snapshot() == applied);
    CHECK(harness.finished_steps().size() == 2);
    CHECK(harness.calls("helm") == called);
    CHECK(simulated.committed.empty());
    CHECK(simulated.shown_commands ==
          std::vector<std::string>{"helm before", "helm undo 2", "helm undo 1"});
    CHECK(simulated.diff.find("-2\n\\ No newline at end of file\n+0\n") != std::string::npos);
    CHECK(simulated.diff.find("--- a/outside\n+++ /dev/null\n") != std::string::npos);
    std::vector<std::string> log(harness.log_lines().begin() + static_cast<std::ptrdiff_t>(lines),
                                 harness.log_lines().end());
    CHECK(log == std::vector<std::string>{"undo of 2 finds 2, made-by-2", "undo of 1 finds 1"});

    harness.answer(true);
    const std::size_t more_lines = harness.log_lines().size();
    const auto rolled_back = harness.rollback<Undoing>();
    REQUIRE(rolled_back.ok());
    CHECK(harness.snapshot() == before);
    CHECK(rolled_back.begun_commands == simulated.shown_commands);
    std::vector<std::string> real;
    for (std::size_t i = more_lines; i < harness.log_lines().size(); ++i) {
        if (harness.log_lines()[i].rfind("undo", 0) == 0) real.push_back(harness.log_lines()[i]);
    }
    CHECK(real == log);
}

namespace {

/// Changes files before, in and after its steps; its undos tell what they find.
struct Overlapping : upgrade::Upgrade {
    void apply(upgrade::Context& context) override {
        const upgrade::Files& files = context.files();
        files.write("before", "");
        for (const std::string id : {"1", "2"}) {
            context.step(
                id, "write " + id, [&] { files.write("file", "step " + id); },
                [&context, id] {
                    const upgrade::Files& now = context.files();
                    context.log("undo of " + id + " finds " + now.read("file") +
                                (now.exists("after-2") ? ", after-2" : "") +
                                (now.exists("before") ? ", before" : ""));
                });
            files.write("file", "after " + id);
            files.write("after-" + id, "");
        }
    }
};

}  // namespace

TEST_CASE("what was changed outside of steps goes back with the step before it, newest first") {
    Harness harness;
    harness.write("file", "0");
    const auto before = harness.snapshot();
    REQUIRE(harness.apply<Overlapping>().ok());
    CHECK(harness.read("file") == "after 2");
    const std::size_t lines = harness.log_lines().size();

    const auto simulated = harness.simulate_rollback<Overlapping>();
    REQUIRE(simulated.ok());
    CHECK(simulated.changes.at("file").content == "0");
    REQUIRE(harness.rollback<Overlapping>().ok());
    CHECK(harness.snapshot() == before);
    const std::vector<std::string> log(
        harness.log_lines().begin() + static_cast<std::ptrdiff_t>(lines),
        harness.log_lines().end());
    const std::vector<std::string> found{"undo of 2 finds after 2, after-2, before",
                                         "undo of 1 finds after 1, before"};
    CHECK(log == std::vector<std::string>{found[0], found[1], found[0], found[1]});
}

namespace {

/// Begins one id twice.
struct Twice : upgrade::Upgrade {
    void apply(upgrade::Context& context) override {
        context.step("same", "write", [&] { context.files().write("first", "1"); });
        if (context.files().exists("once")) return;
        context.step("same", "write more", [&] { context.files().write("second", "2"); });
    }
};

}  // namespace

TEST_CASE("a step's id begins once in every phase that walks over the steps") {
    const std::string words =
        "step 'same' begins a second time: a step's id is unique within its upgrade";
    Harness harness;
    CHECK(harness.simulate<Twice>().message.find(words) != std::string::npos);
    // The first is finished, and would be skipped.
    CHECK(harness.apply<Twice>().message.find(words) != std::string::npos);
    CHECK(harness.apply<Twice>().message.find(words) != std::string::npos);
    CHECK_FALSE(harness.exists("second"));
    // To be undone.
    CHECK(harness.simulate_rollback<Twice>().message.find(words) != std::string::npos);
    CHECK(harness.rollback<Twice>().message.find(words) != std::string::npos);
    CHECK(harness.finished_steps() == std::vector<std::string>{"same"});
    harness.write("once", "");
    CHECK(harness.apply<Twice>().ok());
    CHECK(harness.rollback<Twice>().ok());
}

namespace {

struct Waiting : upgrade::Upgrade {
    void apply(upgrade::Context& context) override {
        context.step("wait", "for the server", [&] {
            context.files().write("half", "done");
            if (!context.files().exists("ready")) throw upgrade::Transient("the server restarts");
        });
    }
};

}  // namespace

TEST_CASE("a failure that may pass is told apart, and leaves nothing of its step") {
    Harness harness;
    const auto waiting = harness.apply<Waiting>();
    CHECK(waiting.transient());
    CHECK_FALSE(waiting.ok());
    CHECK(waiting.message == "the server restarts");
    CHECK_FALSE(harness.exists("half"));
    harness.write("ready", "");
    CHECK(harness.apply<Waiting>().ok());
}

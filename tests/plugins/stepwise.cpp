// SPDX-License-Identifier: Apache-2.0
// An upgrade that changes the same few files again and again, in steps and outside of them. For
// tests of what a simulation shows against what a run does.
#include <fstream>
#include <functional>
#include <upgrade/sdk.hpp>

struct Stepwise final : upgrade::Upgrade {
    void apply(upgrade::Context& context) override {
        const upgrade::Files& files = context.files();
        const auto step = [&](const std::string& id, const std::function<void()>& work) {
            context.step(id, "the step " + id, work, [&context, id] { undo(context, id); });
        };
        files.write("before", "outside of steps\n");
        step("one", [&] {
            files.write("a", "1\n");
            files.write("kept", files.read("kept"));
            files.write("passing", "gone when the step is finished\n");
            files.remove("passing");
        });
        step("nothing", [&] { files.write("a", "1\n"); });
        step("two", [&] {
            files.write("a", "2\n");
            files.move("old", "folder/moved");
            files.remove("before");
        });
        files.write("between", "outside of steps\n");
        step("three", [&] {
            files.write("a", "0\n");
            files.write("before", "in a step\n");
            context.exec().change({"touch", "touched"});
        });
        if (files.exists("render")) {
            step("four", [&] {
                context.exec().render("rendered", {"cat", "a"});
                files.write("beside", "beside\n");
            });
        }
        if (files.exists("many")) {
            for (int i = 0; i < 20'000; ++i) files.write("many-files/" + std::to_string(i), "x");
        }
        if (files.exists("long-command")) run_long_command(context);
        files.remove("between");
        files.write("after", "outside of steps\n");
    }

    /// Tells which files it finds, and what they hold; writes more than its step did.
    static void undo(upgrade::Context& context, const std::string& id) {
        const upgrade::Files& files = context.files();
        context.confirm("undo " + id + "?");
        for (const std::string& path : files.glob("**")) {
            if (path != "touched")  // a command has made it, which a simulation only shows
                context.log(id + " finds " + path + ": " + files.read(path));
        }
        context.log(id + " knows " + context.state().get("undone").value_or("nothing"));
        files.write("a", "by the undo of " + id + "\n");
        files.write("new-by-undo", "by the undo of " + id + "\n");
        context.state().set("undone", id);
        if (id == "three") context.exec().change({"rm", "touched"});
        if (files.exists("raw-write")) std::ofstream("raw") << "around the services";
    }

    /// Longer than a message of the host's protocol, with arguments that the kernel still takes.
    static void run_long_command(upgrade::Context& context) {
        std::vector<std::string> command{"true", "--"};
        for (int i = 0; i < 12; ++i) command.emplace_back(100'000, 'x');
        context.exec().change(command);
    }
};

UPGRADE_PLUGIN(Stepwise)

// SPDX-License-Identifier: Apache-2.0
// An upgrade that changes the same few files again and again, in steps and outside of them. For
// tests of what a simulation shows against what a run does.
#include <upgrade/sdk.hpp>

struct Stepwise final : upgrade::Upgrade {
    void apply(upgrade::Context& context) override {
        const upgrade::Files& files = context.files();
        files.write("before", "outside of steps\n");
        context.step("one", "write, and change nothing", [&] {
            files.write("a", "1\n");
            files.write("kept", files.read("kept"));
            files.write("passing", "gone when the step is finished\n");
            files.remove("passing");
        });
        context.step("nothing", "write what is there", [&] { files.write("a", "1\n"); });
        context.step("two", "write again, and move", [&] {
            files.write("a", "2\n");
            files.move("old", "folder/moved");
            files.remove("before");
        });
        files.write("between", "outside of steps\n");
        context.step("three", "back to the beginning", [&] {
            files.write("a", "0\n");
            files.write("before", "in a step\n");
            context.exec().change({"touch", "touched"});
        });
        if (files.exists("render")) {
            context.step("four", "make a file from others", [&] {
                context.exec().render("rendered", {"cat", "a"});
                files.write("beside", "beside\n");
            });
        }
        if (files.exists("long-command")) run_long_command(context);
        files.remove("between");
        files.write("after", "outside of steps\n");
    }

    /// Longer than a message of the host's protocol, with arguments that the kernel still takes.
    static void run_long_command(upgrade::Context& context) {
        std::vector<std::string> command{"true", "--"};
        for (int i = 0; i < 12; ++i) command.emplace_back(100'000, 'x');
        context.exec().change(command);
    }
};

UPGRADE_PLUGIN(Stepwise)

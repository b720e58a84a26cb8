// SPDX-License-Identifier: Apache-2.0
// An upgrade that can be undone: files of every kind of change in two steps, a command with its
// undo (left out with FILES_ONLY), a file outside of steps. Fails at the end where there is a file
// `fail`, in its verification where there is a file `fail-for-real`, and in its undo where there is
// a file `fail-undo`.
#include <upgrade/sdk.hpp>

struct Reversible final : upgrade::Upgrade {
    void apply(upgrade::Context& context) override {
        const upgrade::Files& files = context.files();
        const std::string version = context.info("version");
        const bool fails = files.exists("fail");
        context.confirm("go on?");
        context.step(
            "one", "change",
            [&] {
                files.edit("shared",
                           [&](const std::string& text) { return text + version + "\n"; });
                files.write("folder/" + version + "/new", "new\n");
                context.state().set("seen", "yes");
            },
            [&] {
                if (files.exists("fail-first-undo"))
                    throw std::runtime_error("told to fail its undo");
            });
        context.step(
            "two", "change more",
            [&] {
                files.edit("shared", [](const std::string& text) { return text + "twice\n"; });
                if (files.exists("gone")) files.remove("gone");
                if (files.exists("old")) files.move("old", "moved");
                if (files.exists("turns")) {
                    files.remove("turns");
                    files.write("turns/deep/file", "now a folder\n");
                }
                run(context, {"touch", "made-" + version});
            },
            [&, version] {
                if (files.exists("fail-undo")) throw std::runtime_error("told to fail its undo");
                run(context, {"rm", "made-" + version});
            });
        files.write("outside-of-steps", version);
        if (fails) throw std::runtime_error("told to fail at the end");
    }

    void verify(upgrade::Context& context) override {
        if (context.files().exists("fail-for-real"))
            throw std::runtime_error("told to fail its verification");
    }

    static void run([[maybe_unused]] upgrade::Context& context,
                    [[maybe_unused]] const std::vector<std::string>& command) {
#ifndef FILES_ONLY
        context.exec().change(command);
#endif
    }
};

UPGRADE_PLUGIN(Reversible)

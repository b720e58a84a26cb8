// SPDX-License-Identifier: Apache-2.0
// An upgrade of something outside of the repository, which only the command `world` reads and
// changes (tests/support/worldly_sandbox.hpp). The file `worldly` says what it wants, one "VERSION
// FROM TO ELSE [HOW]" a line: a world whose image is FROM is brought to TO, and back when it is
// undone; any other but TO is `blocked`, or there is `nothing` to do. What the world's `mood`
// changes under the eyes of the runner:
//   writes   the content of the file `found`
//   wanders  the name of a file
//   repeats  whether a step's id begins a second time
//   runs     a word of a command that it runs
//   adds     whether it runs a command that it has not shown
//   fails    whether it fails at the end, after its steps
// And HOW may be `repeats-it`: one of its commands takes a word from what another has led to.
#include <sstream>
#include <upgrade/sdk.hpp>

namespace {

struct Wish {
    std::string from;
    std::string to;
    std::string otherwise;
    std::string how;
};

Wish wish_of(const upgrade::Context& context) {
    std::istringstream lines(context.files().read("worldly"));
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string version;
        Wish wish;
        words >> version >> wish.from >> wish.to >> wish.otherwise >> wish.how;
        if (version == context.info("version")) return wish;
    }
    throw std::runtime_error("the file 'worldly' does not name " + context.info("version"));
}

std::string look(const upgrade::Context& context, const std::string& key) {
    return context.exec().read({"world", "get", key});
}

}  // namespace

struct Worldly final : upgrade::Upgrade {
    void preflight(upgrade::Context& context) override {
        const Wish wish = wish_of(context);
        const std::string image = look(context, "image");
        if (image == wish.to) throw upgrade::NothingToDo("it is at " + image + " already");
        if (image == wish.from) return;
        const std::string words = "expected " + wish.from + ", found " + image;
        if (wish.otherwise == "nothing") throw upgrade::NothingToDo(words);
        throw upgrade::Blocked(words, "bring it to " + wish.from + " first");
    }

    void apply(upgrade::Context& context) override {
        const Wish wish = wish_of(context);
        const upgrade::Files& files = context.files();
        const std::string version = context.info("version");
        if (wish.how == "writes" || wish.how == "wanders") {
            const std::string mood = look(context, "mood");
            context.step("look", "write what it finds",
                         [&] { files.write(wish.how == "writes" ? "found" : mood, mood + "\n"); });
        }
        context.step("note", "write the version down", [&] {
            files.write("notes",
                        (files.exists("notes") ? files.read("notes") : "") + version + "\n");
        });
        if (wish.how == "repeats" && look(context, "mood") == "evil")
            context.step("note", "write it down again", [&] { files.write("twice", "twice\n"); });
        const upgrade::Exec& exec = context.exec();
        context.step(
            "bump", "to " + wish.to,
            [&] {
                if (wish.how == "runs")
                    exec.change({"world", "set", "seen", look(context, "mood")});
                exec.change({"world", "set", "image", wish.to});
                if (wish.how == "repeats-it")
                    exec.change({"world", "set", "seen", look(context, "image")});
                if (wish.how == "adds" && look(context, "mood") == "evil")
                    exec.change({"world", "set", "seen", "everything"});
            },
            [&context, wish] {
                context.exec().change({"world", "set", "image", wish.from});
            });
        if (wish.how == "fails" && look(context, "mood") == "evil")
            throw std::runtime_error("the mood is evil");
    }

    void verify(upgrade::Context& context) override {
        const std::string image = look(context, "image");
        if (image != wish_of(context).to) throw std::runtime_error("it runs " + image);
    }
};

UPGRADE_PLUGIN(Worldly)

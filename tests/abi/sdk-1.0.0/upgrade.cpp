// SPDX-License-Identifier: Apache-2.0
// An upgrade as it was written for SDK 1.0.0, using all of it. Frozen, with the headers beside it:
// it compiles and runs for as long as there is ABI 1.
#include <upgrade/sdk.hpp>

struct EverythingOf100 final : upgrade::Upgrade {
    void preflight(upgrade::Context& context) override {
        if (context.files().exists("done.txt"))
            throw upgrade::NothingToDo("done.txt is there already");
        if (!context.files().is_folder("config"))
            throw upgrade::Blocked("there is no folder config", "make it");
        context.debug("looking");
    }

    void apply(upgrade::Context& context) override {
        context.confirm("Shall it be?");
        context.step("files", "edit files", [&] {
            const upgrade::Files& files = context.files();
            for (const std::string& path : files.glob("config/**/*.txt"))
                files.edit(path, [](std::string text) { return text + "edited\n"; });
            files.move("config/old.txt", "config/new.txt");
            files.remove("config/sub/gone.txt");
            context.state().set("files", "2");
            context.state().set_shared("by", context.info("version"));
        });
        context.step("yaml", "edit YAML", [&] {
            const upgrade::YamlFile yaml = context.yaml("config/values.yaml");
            yaml.set("image.tag", context.parameter("tag"));
            yaml.remove("obsolete");
            if (yaml.find("nothing") || yaml.get("image.name") != "web")
                throw std::runtime_error("the YAML reads wrong");
        });
        context.step("commands", "run commands", [&] {
            context.exec().change({"touch", "touched"});
            context.exec().render("rendered.txt", {"cat", "config/new.txt"});
            context.progress(1, 2, "half");
            context.check_cancelled();
        });
        context.step(
            "end", "write what it saw",
            [&] {
                context.files().write(
                    "done.txt", context.cluster_name() + ' ' +
                                    context.state().get("files").value_or("?") + ' ' +
                                    context.state().get_shared("by").value_or("?") + ' ' +
                                    context.find_parameter("absent").value_or("absent") + '\n');
            },
            [] {});
        context.log("a line");
        context.warn("a warning");
        context.error("an error that is none");
    }

    void verify(upgrade::Context& context) override {
        if (context.exec().read({"cat", "rendered.txt"}) != context.files().read("config/new.txt"))
            throw std::runtime_error("rendered.txt is wrong");
        if (context.exec().query({"false"}).ok()) throw std::runtime_error("false is true");
    }
};
UPGRADE_PLUGIN(EverythingOf100)

// SPDX-License-Identifier: Apache-2.0
// An upgrade that says the text of the file `speech` wherever it can say something. The file
// `behaviour` says more: `ask` it, or, for real, `fail` with it.
#include <unistd.h>

#include <filesystem>
#include <upgrade/sdk.hpp>

namespace {

/// Whether this is the real run: a changing command leaves a file only then.
bool is_real(upgrade::Context& context) {
    const std::string mark = context.info("temporaryDirectory") + "/real";
    context.exec().change({"touch", mark});
    return std::filesystem::exists(mark);
}

}  // namespace

struct Speaker final : upgrade::Upgrade {
    void apply(upgrade::Context& context) override {
        const upgrade::Files& files = context.files();
        const std::string speech = files.read("speech");
        const std::string behaviour = files.exists("behaviour") ? files.read("behaviour") : "";
        context.log("logged: " + speech);
        (void)!::write(1, speech.data(), speech.size());
        context.progress(1, 2, "progress: " + speech);
        context.step("id: " + speech.substr(0, 60), "description: " + speech, [&] {
            files.write("conf", "one: 1\ntwo: 2 #" + speech + " end\nthree: 3\n");
            const std::string word = speech.substr(0, speech.find('\0'));
            context.exec().change({"true", "argument: " + word, ""}, "input: " + speech);
        });
        if (behaviour == "ask") context.confirm("question: " + speech);
        if (behaviour == "fail" && is_real(context)) throw std::runtime_error("message: " + speech);
    }
};

UPGRADE_PLUGIN(Speaker)

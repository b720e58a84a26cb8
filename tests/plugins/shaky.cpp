// SPDX-License-Identifier: Apache-2.0
// An upgrade that changes files alone, notes its version in the file `order` exactly once, and
// fails as the file `behaviour` says, one "VERSION HOW" a line: blocked, nothing, simulate,
// simulate-hang, apply, apply-hang, crash, verify, verify-hang, undo. For tests.
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <upgrade/sdk.hpp>

namespace {

std::string behaviour_of(const upgrade::Context& context) {
    if (!context.files().exists("behaviour")) return {};
    std::istringstream lines(context.files().read("behaviour"));
    for (std::string version, how; lines >> version >> how;) {
        if (version == context.info("version")) return how;
    }
    return {};
}

void hang(upgrade::Context& context) {
    context.log("hanging");
    while (true) {
        context.check_cancelled();
        ::usleep(2000);
    }
}

/// Whether this is no simulation: what the first step has written is on the disk.
bool is_real(const upgrade::Context& context) {
    std::ifstream order("order");
    const std::string text(std::istreambuf_iterator<char>(order), {});
    return text.find(context.info("version") + "\n") != std::string::npos;
}

}  // namespace

struct Shaky final : upgrade::Upgrade {
    void preflight(upgrade::Context& context) override {
        const std::string how = behaviour_of(context);
        if (how == "blocked") throw upgrade::Blocked("told to be blocked", "tell it otherwise");
    }

    void apply(upgrade::Context& context) override {
        const std::string how = behaviour_of(context);
        const upgrade::Files& files = context.files();
        const std::string version = context.info("version");
        context.step(
            "note", "write the version down",
            [&] {
                const std::string before = files.exists("order") ? files.read("order") : "";
                files.write("order", before + version + "\n");
            },
            [how] {  // it may run when apply is over
                if (how == "undo") throw std::runtime_error("told to fail its undo");
            });
        context.step("folder", "make a folder", [&] { files.write("made/" + version, "made\n"); });
        // Within a step, since a rollback walks over what stands between them.
        context.step("work", "work", [&] {
            if (how == "simulate") throw std::runtime_error("told to fail its simulation");
            if (how == "simulate-hang") hang(context);
            if (!is_real(context)) return;
            if (how == "apply" || how == "undo") throw std::runtime_error("told to fail");
            if (how == "apply-hang") hang(context);
            if (how == "crash") std::abort();
        });
    }

    void verify(upgrade::Context& context) override {
        const std::string how = behaviour_of(context);
        if (how == "verify") throw std::runtime_error("told to fail its verification");
        if (how == "verify-hang") hang(context);
    }
};

UPGRADE_PLUGIN(Shaky)

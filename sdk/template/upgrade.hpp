// @VERSION@: TODO, in one line, what is better afterwards.
#pragma once

#include <upgrade/sdk.hpp>

struct @CLASS@ final : upgrade::Upgrade {
    static constexpr auto k_file = "@COMPONENT@.txt";

    // Can it run here at all? Changes nothing.
    void preflight(upgrade::Context& context) override {
        const upgrade::Files& files = context.files();
        if (files.exists(k_file) && files.read(k_file) == "@VERSION@\n")
            throw upgrade::NothingToDo(std::string(k_file) + " is at @VERSION@ already");
    }

    // The work, written once: in a simulation the services show what they would do. Files are put
    // back on a rollback by themselves; what the services cannot undo (objects in the cluster, other
    // systems) is undone by a step's last argument.
    void apply(upgrade::Context& context) override {
        context.step("write", "write the version into " + std::string(k_file),
                     [&] { context.files().write(k_file, "@VERSION@\n"); });
    }

    // Did it work? Changes nothing.
    void verify(upgrade::Context& context) override {
        if (context.files().read(k_file) != "@VERSION@\n")
            throw std::runtime_error(std::string(k_file) + " does not hold @VERSION@");
    }
};

// SPDX-License-Identifier: Apache-2.0
// An upgrade with a secret that it tells wherever it can. The file `behaviour` says more: `write`
// it into a file, keep it as `state`, `fail` with it, or `hang` with it in memory.
#include <unistd.h>

#include <cstdio>

#include <upgrade/sdk.hpp>

namespace {

std::string base64(const std::string& bytes) {
    static const char* digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    unsigned bits = 0;
    int count = 0;
    for (const char byte : bytes) {
        bits = (bits << 8U) | static_cast<unsigned char>(byte);
        for (count += 8; count >= 6; count -= 6)
            text += digits[(bits >> static_cast<unsigned>(count - 6)) & 63U];
    }
    if (count > 0) text += digits[(bits << static_cast<unsigned>(6 - count)) & 63U];
    return text;
}

/// Each byte as `format` has it, as URLs, shells and programs write it.
std::string bytewise(const std::string& bytes, const char* format) {
    std::string text;
    for (const char byte : bytes) {
        char one[16];
        std::snprintf(one, sizeof(one), format, static_cast<unsigned char>(byte));
        text += one;
    }
    return text;
}

bool told_to(const upgrade::Context& context, const std::string& behaviour) {
    return context.files().exists("behaviour") &&
           context.files().read("behaviour").find(behaviour) != std::string::npos;
}

}  // namespace

struct Secretive final : upgrade::Upgrade {
    void preflight(upgrade::Context& context) override { tell(context); }

    void apply(upgrade::Context& context) override {
        const std::string token = context.parameter("token");
        tell(context);
        context.confirm("is it " + token + "?");
        context.step("tell", "telling " + token, [&] {
            if (told_to(context, "write")) context.files().write("told", token + "\n");
            if (told_to(context, "state")) context.state().set("token", token);
            context.exec().change({"echo", token});
        });
        if (told_to(context, "hang")) {
            context.log("hanging");
            while (true) ::pause();
        }
        if (told_to(context, "fail")) throw std::runtime_error("it is " + token);
    }

    void verify(upgrade::Context& context) override { tell(context); }

    static void tell(upgrade::Context& context) {
        const std::string token = context.parameter("token");
        const std::string half = token.substr(0, token.size() / 2);
        const std::string rest = token.substr(token.size() / 2);
        context.log("plain " + token);
        context.log("encoded " + base64("user:" + token));
        for (const char* format : {"%%%02X", "%%%02x", "\\u%04x", "\\\\u%04X", "\\x%02x", "%02x",
                                   "&#%d;", "&#x%x;", "0x%02x, "})
            context.log("bytewise " + bytewise(token, format));
        context.log("twice " + base64("{\"auth\": \"" + base64("user:" + token) + "\"}"));
        context.log(half + "\n" + rest);
        context.warn("a warning with " + token);
        context.progress(1, 2, token);
        const std::string printed = "printed " + half;
        ::write(1, printed.data(), printed.size());
        const std::string later = "\n" + rest + "\nprinted " + token + "\n";
        ::write(1, later.data(), later.size());
        ::write(2, later.data(), later.size());
    }
};

UPGRADE_PLUGIN(Secretive)

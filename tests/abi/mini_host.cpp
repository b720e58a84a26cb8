// SPDX-License-Identifier: Apache-2.0
// A host of its own on the C ABI alone, to be built with other compilers and runtimes than the
// plugins: mini_host PLUGIN. It offers error/1, log/1 and state/1, and nothing else; prints what
// the plugin says and what each phase came to.
#include <dlfcn.h>

#include <cstdio>
#include <map>
#include <stdexcept>
#include <string>

#include "upgrade/abi.h"

namespace {

std::map<std::string, std::string> g_values;

std::string text(upgrade_string view) {
    return view.size == 0 ? std::string() : std::string(view.data, view.size);
}

void report(void*, upgrade_string message, upgrade_string remedy) {
    std::printf("error: %s; %s\n", text(message).c_str(), text(remedy).c_str());
}

void write_log(void*, int32_t level, upgrade_string line) {
    std::printf("log %d: %s\n", level, text(line).c_str());
}

int32_t get_state(void*, int32_t, upgrade_string key, upgrade_sink value) {
    const auto found = g_values.find(text(key));
    if (found == g_values.end()) return UPGRADE_NOT_FOUND;
    value.write(value.context, {found->second.data(), found->second.size()});
    return UPGRADE_OK;
}

int32_t set_state(void*, int32_t, upgrade_string key, upgrade_string value) {
    g_values[text(key)] = text(value);
    return UPGRADE_OK;
}

const void* get_service(void*, upgrade_string id) {
    static const upgrade_error_service error{sizeof(error), UPGRADE_ABI_MINOR, report};
    static const upgrade_log_service log{sizeof(log), UPGRADE_ABI_MINOR, write_log};
    static const upgrade_state_service state{sizeof(state), UPGRADE_ABI_MINOR, get_state,
                                             set_state};
    const std::string name = text(id);
    if (name == UPGRADE_SERVICE_ERROR) return &error;
    if (name == UPGRADE_SERVICE_LOG) return &log;
    if (name == UPGRADE_SERVICE_STATE) return &state;
    return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    // The host has exceptions of its own under way and behind it: two runtimes in one process.
    try {
        throw std::runtime_error("the host's own");
    } catch (const std::exception& error) {
        std::printf("host: %s\n", error.what());
    }
    void* library = ::dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
        std::printf("not loaded: %s\n", ::dlerror());
        return 1;
    }
    const auto entry = reinterpret_cast<upgrade_entry>(::dlsym(library, UPGRADE_ENTRY_SYMBOL));
    static const upgrade_host host{sizeof(host), UPGRADE_ABI_MINOR, nullptr, get_service};
    const upgrade_plugin* plugin = entry == nullptr ? nullptr : entry(&host);
    if (plugin == nullptr) return 1;
    std::printf("description: %s\n", text(plugin->description).c_str());
    std::printf("preflight: %d\n", plugin->preflight(plugin->context));
    std::printf("apply: %d\n", plugin->apply(plugin->context));
    std::printf("verify: %d\n", plugin->verify(plugin->context));
    const std::string id = UPGRADE_EXTENSION_ROLLBACK;
    const auto* rollback = static_cast<const upgrade_rollback*>(
        plugin->get_extension(plugin->context, {id.data(), id.size()}));
    std::printf("rollback: %d\n", rollback->rollback(plugin->context));
    return 0;
}

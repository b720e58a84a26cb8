// SPDX-License-Identifier: Apache-2.0
// A plugin written against the C ABI alone that throws through it.
#include <upgrade/abi.h>
#include <upgrade/plugin.hpp>

namespace {

int32_t throw_something(void*) {
    throw 42;
}
const void* no_extension(void*, upgrade_string) {
    return nullptr;
}

}  // namespace

UPGRADE_EXPORT const upgrade_plugin* upgrade_entry_v1(const upgrade_host*) {
    static const std::string_view description = upgrade::detail::description();
    static const upgrade_plugin plugin = {sizeof(upgrade_plugin),
                                          UPGRADE_ABI_MINOR,
                                          nullptr,
                                          {description.data(), description.size()},
                                          nullptr,
                                          throw_something,
                                          nullptr,
                                          no_extension};
    return &plugin;
}

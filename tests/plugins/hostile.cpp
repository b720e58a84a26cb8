// SPDX-License-Identifier: Apache-2.0
// The hostile-plugin zoo: one plugin on the C ABI, wrong in the one way that HOSTILE_<WAY> says.
#include <upgrade/abi.h>
#include <upgrade/plugin.hpp>

namespace {

const upgrade_host* g_host = nullptr;

upgrade_string text(std::string_view view) {
    return {view.data(), view.size()};
}

// Not UTF-8: an overlong slash, a lone surrogate, a byte that never is.
constexpr std::string_view k_not_utf8 = "begin \xC0\xAF \xED\xA0\x80 \xFF end";

[[maybe_unused]] int32_t speaks_no_utf8(void*) {
    const auto* log = static_cast<const upgrade_log_service*>(
        g_host->get_service(g_host->context, text(UPGRADE_SERVICE_LOG)));
    log->write(g_host->context, UPGRADE_LOG_INFO, text(k_not_utf8));
    const auto* error = static_cast<const upgrade_error_service*>(
        g_host->get_service(g_host->context, text(UPGRADE_SERVICE_ERROR)));
    error->report(g_host->context, text(k_not_utf8), text(k_not_utf8));
    return UPGRADE_FAILED;
}

[[maybe_unused]] int32_t returns_what_is_no_status(void*) {
    return 99;
}

[[maybe_unused]] int32_t asks_for_what_is_not_there(void*) {
    const std::string_view unknown = "teleport/1";
    return g_host->get_service(g_host->context, text(unknown)) == nullptr ? UPGRADE_OK
                                                                          : UPGRADE_FAILED;
}

[[maybe_unused]] const void* no_extension(void*, upgrade_string) {
    return nullptr;
}

}  // namespace

#if defined(HOSTILE_OTHER_ABI)
// The symbol of an ABI major that does not exist yet.
UPGRADE_EXPORT const upgrade_plugin* upgrade_entry_v2(const upgrade_host*) {
    return nullptr;
}
#else
UPGRADE_EXPORT const upgrade_plugin* upgrade_entry_v1(const upgrade_host* host) {
    g_host = host;
    static const std::string_view description = upgrade::detail::description();
    static upgrade_plugin plugin = {
        sizeof(upgrade_plugin),     UPGRADE_ABI_MINOR, nullptr,     text(description), nullptr,
        asks_for_what_is_not_there, nullptr,           no_extension};
#if defined(HOSTILE_REFUSES)
    return nullptr;
#elif defined(HOSTILE_THROWS_IN_ENTRY)
    throw 42;
#elif defined(HOSTILE_SMALL_STRUCT)
    plugin.size = 8;
#elif defined(HOSTILE_NO_APPLY)
    plugin.apply = nullptr;
#elif defined(HOSTILE_NO_DESCRIPTION)
    plugin.description = {};
#elif defined(HOSTILE_OTHER_VERSION)
    static const std::string other = "{\"schema\": 1, \"version\": \"9.9.9\"}";
    plugin.description = text(other);
#elif defined(HOSTILE_NO_UTF8)
    plugin.apply = speaks_no_utf8;
#elif defined(HOSTILE_NO_STATUS)
    plugin.apply = returns_what_is_no_status;
#endif
    return &plugin;
}
#endif

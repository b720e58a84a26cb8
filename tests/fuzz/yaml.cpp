// SPDX-License-Identifier: Apache-2.0
// Edits of YAML: what was set reads back, or the edit is refused.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <cstdlib>

#include "services/service_error.hpp"
#include "services/yaml_edit.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const std::size_t first = text.find(char(0));
    const std::size_t second =
        first == std::string_view::npos ? first : text.find(char(0), first + 1);
    if (second == std::string_view::npos) return 0;
    const std::string_view selector = text.substr(0, first);
    const std::string_view value = text.substr(first + 1, second - first - 1);
    const std::string_view document = text.substr(second + 1);
    try {
        const std::string changed = upgrade::services::yaml_set(document, selector, value);
        if (selector.find("[+]") == std::string_view::npos &&
            upgrade::services::yaml_get(changed, selector) != value)
            std::abort();
    } catch (const upgrade::services::Refusal&) {
    }
    try {
        upgrade::services::yaml_remove(document, selector);
    } catch (const upgrade::services::Refusal&) {
    }
    return 0;
}

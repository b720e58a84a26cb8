// SPDX-License-Identifier: Apache-2.0
// One value of a YAML text, every other byte kept. The selector's grammar is in abi.h,
// UPGRADE_SERVICE_YAML.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace upgrade::services {

/// The scalar at `selector`, or nothing. Throws Refusal (UPGRADE_INVALID).
std::optional<std::string> yaml_get(std::string_view text, std::string_view selector);

/// `text` with that scalar replaced or, where only the last key is missing, added. The result is
/// parsed again and compared with what was meant; where the edit cannot be made exactly, Refusal
/// says why, and nothing is returned.
std::string yaml_set(std::string_view text, std::string_view selector, std::string_view value);

/// `text` without the entry of a mapping or list at `selector`. Throws Refusal (UPGRADE_NOT_FOUND,
/// UPGRADE_INVALID).
std::string yaml_remove(std::string_view text, std::string_view selector);

}  // namespace upgrade::services

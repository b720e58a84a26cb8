// SPDX-License-Identifier: Apache-2.0
// Reading the messages of a plugin process, each of which is taken for hostile: wrong types throw
// ProtocolError, texts are cut at a bound.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "host/host.hpp"
#include "model/json.hpp"

namespace runner {

/// Empty when it is not there.
std::string text_at(const Json& message, const char* key);
/// 0 when it is not there.
std::int64_t number_at(const Json& message, const char* key);
std::vector<std::string> texts_at(const Json& message, const char* key);
/// The state values of a message.
HostValues values_at(const Json& message);
/// The file changes of a message.
std::vector<HostFileChange> changes_at(const Json& message);

}  // namespace runner

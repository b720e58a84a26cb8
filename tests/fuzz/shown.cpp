// SPDX-License-Identifier: Apache-2.0
// The list of shown changes that a plugin process hands over.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "host/message.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    try {
        (void)runner::decode_shown(text);
    } catch (const runner::ProtocolError&) {
    }
    return 0;
}

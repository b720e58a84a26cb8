// SPDX-License-Identifier: Apache-2.0
// Replies of a forge, and Link headers.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "model/error.hpp"
#include "releases/forge_reply.hpp"
#include "releases/http_client.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    runner::next_page(text);
    runner::url_problem(text);
    try {
        runner::parse_forge_releases(text, "r");
    } catch (const runner::Error&) {
    }
    return 0;
}

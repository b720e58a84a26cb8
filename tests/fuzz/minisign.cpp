// SPDX-License-Identifier: Apache-2.0
// minisign's public keys and signatures.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "model/error.hpp"
#include "releases/minisign.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    try {
        runner::PublicKey::parse(text, "k");
    } catch (const runner::Error&) {
    }
    try {
        const runner::Signature signature = runner::Signature::parse(text, "s");
        if (runner::Signature::parse(signature.to_string(), "s").trusted_comment !=
            signature.trusted_comment)
            __builtin_trap();
    } catch (const runner::Error&) {
    }
    return 0;
}

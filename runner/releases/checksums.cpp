// SPDX-License-Identifier: Apache-2.0
#include "releases/checksums.hpp"

#include "model/error.hpp"
#include "model/harmless.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

constexpr std::size_t k_max_lines = 1000;

}  // namespace

Checksums parse_checksums(std::string_view text, const std::string& what) {
    Checksums checksums;
    std::size_t number = 0;
    for (std::string_view line : split_lines(text)) {
        ++number;
        const auto fail = [&](const std::string& reason) {
            throw Error(Failure::preparation,
                        what + ", line " + std::to_string(number) + ": " + reason);
        };
        if (number > k_max_lines) fail("there are more than 1000 lines");
        if (line.empty()) continue;
        const auto digest = Digest::parse(line.substr(0, 64));
        const bool separated =
            line.size() > 66 && line[64] == ' ' && (line[65] == ' ' || line[65] == '*');
        if (!digest || !separated)
            fail("expected 'sha256  filename', 64 hexadecimal digits and a file's name");
        const std::string name(line.substr(66));
        if (name.find('/') != std::string::npos || name == "." || name == ".." ||
            harmless(name) != name) {
            fail("'" + name + "' is not a plain file name");
        }
        if (!checksums.emplace(name, *digest).second) fail("'" + name + "' is there twice");
    }
    return checksums;
}

std::string format_checksums(const Checksums& checksums) {
    std::string text;
    for (const auto& [name, digest] : checksums) text += digest.to_string() + "  " + name + '\n';
    return text;
}

}  // namespace runner

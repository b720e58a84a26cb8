// SPDX-License-Identifier: Apache-2.0
// The checksums file of a release: `sha256  filename`, a line each.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "model/digest.hpp"

namespace runner {

using Checksums = std::map<std::string, Digest>;

/// Reads all of it, strictly: 64 hexadecimal digits, a space, a space or '*', a plain file name.
/// Throws Error{preparation} with the number of the first line that is anything else, or that names
/// a file twice.
Checksums parse_checksums(std::string_view text, const std::string& what);

/// The inverse, sorted by name.
std::string format_checksums(const Checksums& checksums);

}  // namespace runner

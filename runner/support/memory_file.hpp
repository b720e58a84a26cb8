// SPDX-License-Identifier: Apache-2.0
// Files without a name, for handing bytes to another process.
#pragma once

#include <string>
#include <string_view>

#include "support/unique_fd.hpp"

namespace runner {

/// An empty file in memory, readable and writable, closed on exec.
UniqueFd make_memory_file(const char* name);

/// A file in memory that holds `bytes` and that nobody can change any more. With `inheritable` it
/// stays open over exec, which the interpreter of a script needs.
UniqueFd make_sealed_file(const char* name, std::string_view bytes, bool inheritable = false);

/// Everything in `fd` from its beginning, at most `limit` bytes. Throws Error{preparation} naming
/// `what` when there is more or reading fails.
std::string read_all(int fd, std::size_t limit, const std::string& what);

/// Writes all of `bytes` at the current position. Throws Error{preparation} naming `what`.
void write_all(int fd, std::string_view bytes, const std::string& what);

}  // namespace runner

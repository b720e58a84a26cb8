// SPDX-License-Identifier: Apache-2.0
// Files without a name, for handing bytes to another process.
#pragma once

#include <string>
#include <string_view>

#include "support/unique_fd.hpp"

namespace runner {

/// What a file in memory is for.
enum class MemoryUse {
    data,     ///< to be read or loaded as a library: can never be executed, and is closed on exec
    program,  ///< to be executed: stays open over exec, which the interpreter of a script needs
};

/// An empty file in memory, readable and writable, for data.
UniqueFd make_memory_file(const char* name);

/// A file in memory that holds `bytes` and that nobody can change any more. Throws
/// Error{preparation}, also for a program where the machine forbids those (vm.memfd_noexec).
UniqueFd make_sealed_file(const char* name, std::string_view bytes,
                          MemoryUse use = MemoryUse::data);

/// Writes all of `bytes` at the current position. Throws Error{preparation} naming `what`.
void write_all(int fd, std::string_view bytes, const std::string& what);

}  // namespace runner

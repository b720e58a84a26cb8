// SPDX-License-Identifier: Apache-2.0
// Reading whole files and pipes, with a bound: the only place that does.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>

namespace runner {

constexpr std::size_t k_max_read = 64U << 20U;  ///< bytes, where nothing else is said

/// Everything in the regular file behind `fd` from its beginning, at most `limit` bytes. Throws
/// Error{preparation} naming `what`: there is more, it is no regular file, or reading fails.
std::string read_all(int fd, std::size_t limit, const std::string& what);

/// The whole of the regular file at `path`, at most `limit` bytes. Throws Error{preparation};
/// unreadable is never "empty", and a folder, a pipe or a device is refused without being read.
std::string read_file(const std::filesystem::path& path, std::size_t limit = k_max_read);

/// As read_file, but nothing when there is no such file.
std::optional<std::string> read_file_if_there(const std::filesystem::path& path,
                                              std::size_t limit = k_max_read);

/// How long to wait for what a pipe or a terminal gives.
struct Patience {
    std::chrono::milliseconds before_word{5'000};  ///< then a warning says what is waited for
    std::chrono::milliseconds at_most{300'000};    ///< for all of it
};

/// Everything that `fd` gives from where it stands to its end, at most `limit` bytes. Throws
/// Error{preparation} naming `what`: there is more, it is a folder, reading fails, or its end does
/// not come in time.
std::string read_to_end(int fd, std::size_t limit, const std::string& what,
                        const Patience& patience = {});

/// What the user has named as a file: as read_file, and a pipe (`<(program)`), a terminal or a
/// device to its end, too.
std::string read_given_file(const std::filesystem::path& path, std::size_t limit = k_max_read,
                            const Patience& patience = {});

/// Whether what is at `path` has no folder of its own to speak of: a pipe, a terminal, a device, or
/// whatever a descriptor leads to (`/dev/stdin`, `/dev/fd/63`).
bool is_stream(const std::filesystem::path& path);

}  // namespace runner

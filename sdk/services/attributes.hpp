// SPDX-License-Identifier: Apache-2.0
// What a file or a folder has beside its content: owner, group, mode, extended attributes with the
// access list, times.
#pragma once

#include <sys/stat.h>

#include <string>
#include <vector>

namespace upgrade::services {

/// The bits of a mode that chmod sets.
constexpr mode_t k_mode_bits = 07777U;

/// A mode as chmod takes it: "0644".
std::string octal(unsigned mode);

/// The mode of a file that this process makes new, where the access list of its folder says nothing
/// else.
mode_t mode_of_new_file();

/// Whether a copy gets the times, too.
enum class Times { copied, new_ones };

/// Gives the file or folder `to` what `from` has beside its content, as far as that is permitted
/// and possible there; both are open. Without its owner or group a file does not act for them
/// (setuid, setgid). Returns what was not given, in words that begin with `what`, which also stands
/// in messages. Throws Refusal.
std::vector<std::string> copy_attributes(int from, int to, Times times, const std::string& what);

}  // namespace upgrade::services

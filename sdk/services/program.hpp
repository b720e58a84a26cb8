// SPDX-License-Identifier: Apache-2.0
// What is a program, where it is, and why something cannot be started: one answer for all who start
// programs, and for who may.
#pragma once

#include <string>
#include <vector>

namespace upgrade::services {

/// Why `file` is no program that this process may start: it is not there, a folder, no regular
/// file, or may not be executed. Empty: it is one.
std::string why_no_program(const std::string& file);

/// The program that execvp would start: `name` itself where it has a slash, else the first program
/// of that name in the folders of `path` (as the variable PATH). Empty: there is none.
std::string find_program(const std::string& name, const std::string& path);
/// The same with this process's PATH.
std::string find_program(const std::string& name);

/// The words of the first line of a script after `#!`: its interpreter, and what that is given. As
/// the kernel reads it: 256 bytes at most, parted by spaces and tabs. None: it is no script.
std::vector<std::string> interpreter_of(const std::string& file);

/// Why starting `name` has failed with `error` (of errno), in words: what is in its place, which
/// interpreter it lacks, or that there is no `folder`, its working directory, to which a relative
/// name is relative; empty: this process's.
std::string why_not_started(const std::string& name, int error, const std::string& path,
                            const std::string& folder);

}  // namespace upgrade::services

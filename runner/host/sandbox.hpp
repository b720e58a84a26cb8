// SPDX-License-Identifier: Apache-2.0
// What a process may do from now on, enforced by the kernel's Landlock (Linux 5.13 and newer;
// landlock(7)): writes below some paths, execution of some programs, TCP. For bugs, not against
// malice: a permitted interpreter runs what it is given.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace runner {

struct SandboxRules {
    std::vector<std::filesystem::path> write;  ///< absolute; what is not there is left out
    /// Tells of files, and folders with everything below, that are open (O_PATH).
    std::function<void(const std::function<void(int opened)>& allow)> write_opened;
    /// Programs by name (found in PATH) or by path, their interpreters included; absent: any.
    std::optional<std::vector<std::string>> execute;
    bool network = true;  ///< TCP; name resolution over UDP and local sockets always work
};

/// What the kernel can enforce.
enum class SandboxSupport { none, files, files_and_network };
SandboxSupport sandbox_support();

/// For this process and everything that it starts, for good. The process must have no_new_privs.
/// Does nothing where the kernel has no Landlock. Throws Error{preparation} when the kernel refuses
/// the rules.
void enter_sandbox(const SandboxRules& rules);

}  // namespace runner

// SPDX-License-Identifier: Apache-2.0
#include "host/sandbox.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>

#include "model/error.hpp"
#include "services/program.hpp"
#include "support/unique_fd.hpp"

namespace runner {
namespace {

namespace fs = std::filesystem;

// The kernel's interface (include/uapi/linux/landlock.h), by number: what a newer kernel can do is
// used although this was built on older headers.
constexpr long k_create_ruleset = 444;
constexpr long k_add_rule = 445;
constexpr long k_restrict_self = 446;
constexpr std::uint32_t k_ask_version = 1;
constexpr int k_rule_path_beneath = 1;

struct RulesetAttributes {
    std::uint64_t handled_files;
    std::uint64_t handled_network;  ///< since version 4
};
struct __attribute__((packed)) PathRule {
    std::uint64_t allowed;
    std::int32_t parent;
};

constexpr std::uint64_t k_execute = 1U << 0U;
constexpr std::uint64_t k_write_file = 1U << 1U;
/// remove_dir, remove_file, make_char, make_dir, make_reg, make_sock, make_fifo, make_block,
/// make_sym
constexpr std::uint64_t k_change_folder = 0x1FF0;
constexpr std::uint64_t k_refer = 1U << 13U;         // since version 2
constexpr std::uint64_t k_truncate = 1U << 14U;      // since version 3
constexpr std::uint64_t k_ioctl_device = 1U << 15U;  // since version 5
constexpr std::uint64_t k_tcp = 0x3;                 // bind and connect, since version 4

long version() {
    static const long known = ::syscall(k_create_ruleset, nullptr, std::size_t{0}, k_ask_version);
    return known;
}

/// Every writing right that this kernel knows.
std::uint64_t write_rights() {
    return k_write_file | k_change_folder | (version() >= 2 ? k_refer : 0) |
           (version() >= 3 ? k_truncate : 0);
}

class Ruleset {
 public:
    explicit Ruleset(const SandboxRules& rules) {
        RulesetAttributes attributes{};
        attributes.handled_files = write_rights() | (rules.execute ? k_execute : 0);
        // Granted to nothing: with it, root types into any terminal that it can open (TIOCSTI).
        if (version() >= 5) attributes.handled_files |= k_ioctl_device;
        if (version() >= 4 && !rules.network) attributes.handled_network = k_tcp;
        const std::size_t size =
            version() >= 4 ? sizeof(attributes) : sizeof(attributes.handled_files);
        m_fd.reset(static_cast<int>(::syscall(k_create_ruleset, &attributes, size, 0U)));
        if (!m_fd) throw system_error("the kernel refuses a sandbox", errno);
    }

    void allow(const fs::path& path, std::uint64_t rights) {
        const UniqueFd opened(::open(path.c_str(), O_PATH | O_CLOEXEC));
        if (opened) {
            allow(opened.get(), path, rights);
        } else if (errno != ENOENT && errno != ENOTDIR && errno != EACCES && errno != ELOOP) {
            // What is not there, or out of reach anyway, needs no right.
            throw system_error("cannot open " + path.string() + " for the sandbox", errno);
        }
    }

    void allow(int opened, const fs::path& path, std::uint64_t rights) {
        struct stat status {};
        if (::fstat(opened, &status) == 0 && !S_ISDIR(status.st_mode))
            rights &= k_execute | k_write_file | k_truncate;
        const PathRule rule{rights, opened};
        // EBADFD: a file in memory, which Landlock does not judge.
        if (::syscall(k_add_rule, m_fd.get(), k_rule_path_beneath, &rule, 0U) != 0 &&
            errno != EBADFD)
            throw system_error("the kernel refuses a rule for " + path.string(), errno);
    }

    void enforce() const {
        if (::syscall(k_restrict_self, m_fd.get(), 0U) != 0)
            throw system_error("the kernel refuses to enter the sandbox", errno);
    }

 private:
    UniqueFd m_fd;
};

/// The program, and what it needs to run: the interpreter of a script, and that one's.
void allow_program(Ruleset& ruleset, const std::string& name, int depth = 0) {
    constexpr int k_max_depth = 4;
    const fs::path program = upgrade::services::find_program(name);
    if (program.empty() || depth > k_max_depth) return;
    ruleset.allow(program, k_execute);
    std::size_t words = 0;
    for (const std::string& word : upgrade::services::interpreter_of(program.string())) {
        if (word.front() == '-') continue;
        // `#!/usr/bin/env python3` names its interpreter as the second word.
        if (words++ < 2) allow_program(ruleset, word, depth + 1);
    }
}

}  // namespace

SandboxSupport sandbox_support() {
    if (version() < 1) return SandboxSupport::none;
    return version() < 4 ? SandboxSupport::files : SandboxSupport::files_and_network;
}

void enter_sandbox(const SandboxRules& rules) {
    if (version() < 1) return;
    Ruleset ruleset(rules);
    for (const fs::path& path : rules.write) ruleset.allow(path, write_rights());
    if (rules.write_opened)
        rules.write_opened(
            [&](int opened) { ruleset.allow(opened, "a declared path", write_rights()); });
    for (const char* device : {"/dev/null", "/dev/zero", "/dev/full"})
        ruleset.allow(device, k_write_file | (version() >= 3 ? k_truncate : 0));
    if (rules.execute) {
        for (const char* loader : {"/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"})
            ruleset.allow(loader, k_execute);
        for (const std::string& program : *rules.execute) allow_program(ruleset, program);
    }
    ruleset.enforce();
}

}  // namespace runner

// SPDX-License-Identifier: Apache-2.0
#include "engine/recovery.hpp"

#include <unistd.h>

#include <cerrno>

#include "model/error.hpp"
#include "support/file.hpp"
#include "support/sha256.hpp"

namespace runner {
namespace {

constexpr std::size_t k_max_file = 256U << 20U;

std::optional<Digest> digest_at(const std::filesystem::path& path) {
    const auto content = read_file_if_there(path, k_max_file);
    return content ? std::optional(sha256(*content)) : std::nullopt;
}

}  // namespace

std::vector<std::string> restore_unfinished_files(Ledger& ledger,
                                                  const std::filesystem::path& repository) {
    std::vector<std::string> notes;
    const std::vector<UnfinishedFiles> unfinished = ledger.unfinished_files();
    for (const UnfinishedFiles& files : unfinished) {
        std::size_t restored = 0;
        for (const FileIntent& change : files.changes) {
            if (!change.temporary.empty()) ::unlink((repository / change.temporary).c_str());
            const std::filesystem::path path = repository / change.path;
            const auto now = digest_at(path);
            if (now == change.old_digest) continue;
            if (now != change.new_digest) {
                notes.push_back(change.path + " was changed by hand after " + files.version +
                                " was interrupted; it is left as it is");
                continue;
            }
            if (change.backup.empty()) {
                if (::unlink(path.c_str()) != 0)
                    throw system_error("cannot remove " + path.string(), errno);
            } else {
                replace_file(path, read_file(change.backup, k_max_file));
            }
            ++restored;
        }
        if (restored > 0) {
            notes.push_back("put back " + std::to_string(restored) +
                            " file(s) that an unfinished step of " + files.version +
                            " had changed");
        }
    }
    if (!unfinished.empty()) ledger.forget_unfinished_files();
    return notes;
}

}  // namespace runner

// SPDX-License-Identifier: Apache-2.0
// What stands beside the ledger's file.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace runner {

/// The file whose kernel lock is half of the lease.
inline std::filesystem::path lock_beside(const std::filesystem::path& ledger_file) {
    return ledger_file.string() + ".lock";
}

/// The copies of the ledger that are made before runs.
inline std::filesystem::path copies_beside(const std::filesystem::path& ledger_file) {
    return ledger_file.parent_path() / "copies";
}

/// The originals of the files that an upgrade has changed.
inline std::filesystem::path originals_beside(const std::filesystem::path& ledger_file,
                                              const std::string& version) {
    return ledger_file.parent_path() / "originals" / version;
}

/// The verified releases of upgrades that may have to be undone or checked later, a folder for each
/// tag, as in a directory of releases.
inline std::filesystem::path kept_releases_beside(const std::filesystem::path& ledger_file) {
    return ledger_file.parent_path() / "releases";
}

/// A folder for each run, a log in it for each upgrade.
inline std::filesystem::path logs_beside(const std::filesystem::path& ledger_file) {
    return ledger_file.parent_path() / "logs";
}

/// A folder for each run that was started over HTTP.
inline std::filesystem::path jobs_beside(const std::filesystem::path& ledger_file) {
    return ledger_file.parent_path() / "jobs";
}

/// Messages to webhooks that nobody has taken yet, and what was told last.
inline std::filesystem::path webhooks_beside(const std::filesystem::path& ledger_file) {
    return ledger_file.parent_path() / "webhooks";
}

/// Everything that belongs to the ledger: its folder, or, when that is `repository` itself, the
/// ledger's files and folders in it.
inline std::vector<std::filesystem::path> all_of_ledger(const std::filesystem::path& ledger_file,
                                                        const std::filesystem::path& repository) {
    if (ledger_file.parent_path() != repository) return {ledger_file.parent_path()};
    std::vector<std::filesystem::path> places{ledger_file,
                                              lock_beside(ledger_file),
                                              copies_beside(ledger_file),
                                              originals_beside(ledger_file, "").parent_path(),
                                              kept_releases_beside(ledger_file),
                                              logs_beside(ledger_file),
                                              jobs_beside(ledger_file),
                                              webhooks_beside(ledger_file)};
    for (const char* ending : {"-wal", "-shm", "-journal"})
        places.emplace_back(ledger_file.string() + ending);
    return places;
}

/// The log of an upgrade in a run, as the ledger names it: relative to the ledger's folder.
inline std::filesystem::path log_name(const std::string& run, const std::string& version) {
    return std::filesystem::path("logs") / run / (version + ".log");
}

/// What the build of an upgrade said in a run, as log_name.
inline std::filesystem::path build_log_name(const std::string& run, const std::string& version) {
    return std::filesystem::path("logs") / run / (version + ".build.log");
}

}  // namespace runner

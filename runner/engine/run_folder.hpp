// SPDX-License-Identifier: Apache-2.0
// What a run keeps beside the ledger: logs, copies of the ledger, originals of changed files, and
// the verified releases of what may have to be undone or checked later.
#pragma once

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "ledger/ledger.hpp"
#include "releases/source.hpp"

namespace runner {

/// A log, made with its first line.
class RunLog {
 public:
    virtual ~RunLog() = default;
    /// Throws Error{preparation}.
    virtual void write(const std::string& line) = 0;
};

/// The files of a release, by asset name.
using ReleaseFiles = std::vector<std::pair<std::string, std::string>>;

/// Every call may throw Error{preparation}.
class RunFolder {
 public:
    virtual ~RunFolder() = default;
    /// `name`: as log_name makes it; empty: a log that keeps nothing.
    virtual std::unique_ptr<RunLog> log(const std::string& name) = 0;
    /// Where a log is, for programs that write it themselves, and for people.
    [[nodiscard]] virtual std::filesystem::path place_of(const std::string& name) const = 0;
    /// A copy of the ledger as it is, named after the run; the oldest copies go. Returns its file.
    virtual std::string copy_ledger(Ledger& ledger, const std::string& run) = 0;
    /// The folder for the originals of the files that an upgrade changes.
    [[nodiscard]] virtual std::filesystem::path originals_of(const std::string& version) const = 0;
    /// Removes the folder of originals and the one above it, where they are empty.
    virtual void remove_if_empty(const std::filesystem::path& originals) = 0;
    virtual void remove_originals(const std::string& version) = 0;
    /// Keeps the verified files of a release; what was kept under this tag is replaced.
    virtual void keep_release(const std::string& tag, const ReleaseFiles& files) = 0;
    /// The kept releases, as a source; null when there are none.
    virtual std::unique_ptr<ReleaseSource> kept_releases() = 0;
    virtual std::size_t kept_releases_count() = 0;
    /// Removes the kept releases of all other tags.
    virtual void keep_only_releases(const std::set<std::string>& tags) = 0;
};

/// Beside a ledger file on disk.
class DiskRunFolder final : public RunFolder {
 public:
    /// `prefix`: of the assets' names.
    DiskRunFolder(std::filesystem::path ledger_file, std::string prefix)
        : m_ledger_file(std::move(ledger_file)), m_prefix(std::move(prefix)) {}
    std::unique_ptr<RunLog> log(const std::string& name) override;
    [[nodiscard]] std::filesystem::path place_of(const std::string& name) const override;
    std::string copy_ledger(Ledger& ledger, const std::string& run) override;
    [[nodiscard]] std::filesystem::path originals_of(const std::string& version) const override;
    void remove_if_empty(const std::filesystem::path& originals) override;
    void remove_originals(const std::string& version) override;
    void keep_release(const std::string& tag, const ReleaseFiles& files) override;
    std::unique_ptr<ReleaseSource> kept_releases() override;
    std::size_t kept_releases_count() override;
    void keep_only_releases(const std::set<std::string>& tags) override;

 private:
    std::filesystem::path m_ledger_file;
    std::string m_prefix;
};

/// The copies of the ledger that were made before runs, newest first.
std::vector<std::filesystem::path> ledger_copies(const std::filesystem::path& ledger_file);

}  // namespace runner

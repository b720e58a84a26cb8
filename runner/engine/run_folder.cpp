// SPDX-License-Identifier: Apache-2.0
#include "engine/run_folder.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "ledger/beside.hpp"
#include "model/error.hpp"
#include "model/platform.hpp"
#include "releases/directory_source.hpp"
#include "support/file.hpp"
#include "support/memory_file.hpp"

namespace runner {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t k_kept_copies = 10;

class DiskLog final : public RunLog {
 public:
    explicit DiskLog(fs::path file) : m_file(std::move(file)) {}
    void write(const std::string& line) override {
        if (m_file.empty()) return;
        if (!m_fd) {
            make_folders(m_file.parent_path());
            m_fd.reset(::open(m_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
            if (!m_fd) throw system_error("cannot write the log " + m_file.string(), errno);
        }
        write_all(m_fd.get(), line + '\n', m_file.string());
    }

 private:
    fs::path m_file;
    UniqueFd m_fd;
};

std::vector<std::string> names_in(const fs::path& folder) {
    std::vector<std::string> names;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(folder, none))
        names.push_back(entry.path().filename().string());
    return names;
}

}  // namespace

std::vector<fs::path> ledger_copies(const fs::path& ledger_file) {
    std::vector<fs::path> copies;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(copies_beside(ledger_file), none)) {
        if (entry.path().extension() == ".db") copies.push_back(entry.path());
    }
    std::sort(copies.rbegin(), copies.rend());  // they begin with their run's time
    return copies;
}

std::unique_ptr<RunLog> DiskRunFolder::log(const std::string& name) {
    return std::make_unique<DiskLog>(name.empty() ? fs::path() : place_of(name));
}

fs::path DiskRunFolder::place_of(const std::string& name) const {
    return m_ledger_file.parent_path() / name;
}

std::string DiskRunFolder::copy_ledger(Ledger& ledger, const std::string& run) {
    const fs::path copy = copies_beside(m_ledger_file) / (run + ".db");
    ledger.copy_to(copy);
    const std::vector<fs::path> copies = ledger_copies(m_ledger_file);
    for (std::size_t i = k_kept_copies; i < copies.size(); ++i) {
        if (copies[i] != copy) ::unlink(copies[i].c_str());  // should the clock have jumped back
    }
    return copy.string();
}

fs::path DiskRunFolder::originals_of(const std::string& version) const {
    return originals_beside(m_ledger_file, version);
}

void DiskRunFolder::remove_if_empty(const fs::path& originals) {
    for (const fs::path& folder : {originals, originals.parent_path()}) {
        if (::rmdir(folder.c_str()) != 0) return;  // it holds something
    }
}

void DiskRunFolder::remove_originals(const std::string& version) {
    std::error_code ignored;  // what is left takes space and nothing else
    fs::remove_all(originals_of(version), ignored);
}

std::size_t DiskRunFolder::kept_releases_count() {
    return names_in(kept_releases_beside(m_ledger_file)).size();
}

void DiskRunFolder::keep_only_releases(const std::set<std::string>& tags) {
    const fs::path folder = kept_releases_beside(m_ledger_file);
    for (const std::string& tag : names_in(folder)) {
        std::error_code ignored;
        if (tags.count(tag) == 0) fs::remove_all(folder / tag, ignored);
    }
}

void DiskRunFolder::keep_release(const std::string& tag, const ReleaseFiles& files) {
    const fs::path folder = kept_releases_beside(m_ledger_file) / tag;
    for (const auto& [name, bytes] : files)
        replace_file(folder / name, bytes, Durability::replaceable);  // verified when it is used
}

std::unique_ptr<ReleaseSource> DiskRunFolder::kept_releases() {
    const fs::path folder = kept_releases_beside(m_ledger_file);
    if (!fs::is_directory(folder)) return nullptr;
    return make_directory_source(folder, m_prefix, Platform::current(),
                                 Cache(Cache::default_folder()));
}

}  // namespace runner

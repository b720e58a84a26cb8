// SPDX-License-Identifier: Apache-2.0
#include "releases/directory_source.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>
#include <unordered_map>

#include "model/error.hpp"
#include "releases/checksums.hpp"
#include "releases/release_index.hpp"
#include "support/clock.hpp"
#include "support/memory_file.hpp"
#include "support/read.hpp"
#include "support/sha256.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t k_max_checksums = 1U << 20U;
constexpr std::size_t k_worth_a_thread = 1000;  // files to look at
constexpr std::int64_t k_clock_tick_ns = 50'000'000;
constexpr std::size_t k_max_notes = 1U << 20U;

/// What tells that a file is another one or was written: inode, size, and both times, the second of
/// which cannot be set.
struct Fingerprint {
    std::uint64_t inode = 0;
    std::int64_t size = -1;
    std::int64_t modified_ns = 0;
    std::int64_t changed_ns = 0;

    static Fingerprint of(int folder, const char* path) {
        struct stat status {};
        if (::fstatat(folder, path, &status, 0) != 0) return {};
        return {status.st_ino, status.st_size,
                status.st_mtim.tv_sec * 1'000'000'000LL + status.st_mtim.tv_nsec,
                status.st_ctim.tv_sec * 1'000'000'000LL + status.st_ctim.tv_nsec};
    }
    [[nodiscard]] std::string_view bytes() const {
        return {reinterpret_cast<const char*>(this), sizeof(*this)};
    }
    [[nodiscard]] bool is(std::string_view other) const { return bytes() == other; }

    /// What to remember: nothing while a further write could fall into the same tick of the file
    /// system's clock and so go unnoticed.
    [[nodiscard]] std::string_view to_remember(std::int64_t now_ns) const {
        return changed_ns + k_clock_tick_ns < now_ns ? bytes() : std::string_view();
    }
};

class DirectorySource final : public ReleaseSource {
 public:
    DirectorySource(fs::path folder, std::string prefix, Platform platform, Cache cache)
        : m_folder(std::move(folder)),
          m_prefix(std::move(prefix)),
          m_platform(std::move(platform)),
          m_cache(std::move(cache)),
          m_checksums_name(AssetNames::of(m_prefix, "", m_platform).checksums) {}

    [[nodiscard]] std::string name() const override { return m_folder.string(); }

    std::vector<Release> list() override {
        const UniqueFd root(::open(m_folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!root) throw system_error("cannot list the releases in " + m_folder.string(), errno);
        const std::string key =
            "directory\n" + m_folder.string() + '\n' + m_prefix + '\n' + m_platform.to_string();
        const fs::path index_file = m_cache.index(key);
        const auto index = ReleaseIndex::load(index_file, key);
        const Fingerprint own = Fingerprint::of(root.get(), ".");

        if (index && own.is(index->header()) && all_unchanged(root.get(), index->entries())) {
            // No folder came or went, and no checksums file was written in place.
            std::vector<Release> releases;
            releases.reserve(index->entries().size());
            for (const IndexEntry& entry : index->entries()) releases.push_back(entry.to_release());
            return releases;
        }
        return list_anew(root.get(), own, index.get(), index_file, key);
    }

    void complete(const std::vector<Release*>&) override {}

    void fetch(const std::vector<AssetRequest>& requests, const FetchProgress&) override {
        for (const AssetRequest& request : requests) {
            const fs::path file = path_of(*request.release, request.name);
            std::error_code error;
            if (!fs::is_regular_file(file, error)) {
                throw Error(Failure::preparation, "release '" + request.release->tag + "' has no " +
                                                      request.name + " in " + m_folder.string());
            }
        }
    }

    std::string read(const AssetRequest& request) override {
        std::string bytes = read_file(path_of(*request.release, request.name), request.size_limit);
        if (!request.digest) return bytes;
        const Digest found = sha256(bytes);
        if (found == *request.digest) return bytes;
        throw Error(Failure::preparation,
                    path_of(*request.release, request.name).string() +
                        " does not match its checksum: expected " + request.digest->to_string() +
                        ", found " + found.to_string(),
                    "copy the release again, or tell its author");
    }

    std::string notes(const Release& release) override {
        return read_file_if_there(path_of(release, "NOTES.md"), k_max_notes).value_or("");
    }

 private:
    [[nodiscard]] fs::path path_of(const Release& release, const std::string& asset) const {
        return m_folder / release.tag / asset;
    }

    /// Whether every release's checksums file is the one that was read; looked at from two threads
    /// when there are many.
    [[nodiscard]] bool all_unchanged(int root, const std::vector<IndexEntry>& entries) const {
        const auto unchanged = [&](std::size_t begin, std::size_t end) {
            std::string path;
            for (std::size_t i = begin; i < end; ++i) {
                path.assign(entries[i].tag);
                path += '/';
                path += m_checksums_name;
                if (!Fingerprint::of(root, path.c_str()).is(entries[i].detail)) return false;
            }
            return true;
        };
        if (entries.size() < k_worth_a_thread) return unchanged(0, entries.size());
        bool second_half = false;
        std::thread helper([&] { second_half = unchanged(entries.size() / 2, entries.size()); });
        const bool first_half = unchanged(0, entries.size() / 2);
        helper.join();
        return first_half && second_half;
    }

    std::vector<Release> list_anew(int root, const Fingerprint& own, const ReleaseIndex* index,
                                   const fs::path& index_file, const std::string& key) {
        std::unordered_map<std::string_view, const IndexEntry*> known;
        if (index != nullptr) {
            for (const IndexEntry& entry : index->entries()) known.emplace(entry.tag, &entry);
        }
        const std::int64_t now_ns = SystemClock().wall().count() * 1'000'000;
        std::vector<Release> releases;
        std::vector<Fingerprint> fingerprints;
        for (const std::string& tag : folders_in(root)) {
            fingerprints.push_back(Fingerprint::of(root, (tag + '/' + m_checksums_name).c_str()));
            const auto found = known.find(tag);
            if (found != known.end() && fingerprints.back().is(found->second->detail)) {
                releases.push_back(found->second->to_release());
            } else {
                releases.push_back(read_release(tag));
            }
        }
        std::vector<std::size_t> order(releases.size());
        for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
        std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
            if (!releases[a].version || !releases[b].version)
                return !releases[a].version < !releases[b].version;
            return *releases[a].version < *releases[b].version;
        });
        std::vector<Release> sorted;
        std::vector<IndexEntry> entries;
        for (const std::size_t i : order) {
            const Release& release = releases[i];
            entries.push_back({release.tag, release.problem, fingerprints[i].to_remember(now_ns),
                               release.digest, release.prerelease, release.has_build});
        }
        ReleaseIndex::save(index_file, key, own.to_remember(now_ns), entries);
        sorted.reserve(order.size());
        for (const std::size_t i : order) sorted.push_back(std::move(releases[i]));
        return sorted;
    }

    [[nodiscard]] std::vector<std::string> folders_in(int root) const {
        DIR* stream = ::fdopendir(::dup(root));
        if (stream == nullptr)
            throw system_error("cannot list the releases in " + m_folder.string(), errno);
        ::rewinddir(stream);
        std::vector<std::string> names;
        while (const dirent* entry = ::readdir(stream)) {
            if (entry->d_name[0] == '.') continue;
            struct stat status {};
            const bool known = entry->d_type != DT_UNKNOWN && entry->d_type != DT_LNK;
            const bool folder =
                known ? entry->d_type == DT_DIR
                      : ::fstatat(root, entry->d_name, &status, 0) == 0 && S_ISDIR(status.st_mode);
            if (folder) names.emplace_back(entry->d_name);
        }
        ::closedir(stream);
        return names;
    }

    [[nodiscard]] Release read_release(const std::string& tag) const {
        Release release = release_for_tag(tag);
        if (!release.version) return release;
        const AssetNames names = AssetNames::of(m_prefix, release.version->to_string(), m_platform);
        release.has_build = ::access((m_folder / tag / names.archive).c_str(), F_OK) == 0;
        try {
            const auto text = read_file_if_there(m_folder / tag / names.checksums, k_max_checksums);
            if (!text) {
                release.problem = "it has no " + names.checksums;
                return release;
            }
            const Checksums checksums = parse_checksums(*text, names.checksums);
            const auto archive = checksums.find(names.archive);
            if (archive != checksums.end()) {
                release.digest = archive->second;
            } else if (release.has_build) {
                release.problem = names.checksums + " has no checksum for " + names.archive;
            }
        } catch (const Error& error) {
            release.problem = error.what();
        }
        return release;
    }

    fs::path m_folder;
    std::string m_prefix;
    Platform m_platform;
    Cache m_cache;
    std::string m_checksums_name;
};

}  // namespace

std::unique_ptr<ReleaseSource> make_directory_source(fs::path folder, std::string prefix,
                                                     Platform platform, Cache cache) {
    return std::make_unique<DirectorySource>(std::move(folder), std::move(prefix),
                                             std::move(platform), std::move(cache));
}

}  // namespace runner

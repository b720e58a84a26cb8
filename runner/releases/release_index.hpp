// SPDX-License-Identifier: Apache-2.0
// The remembered listing of a source: read without parsing anything, used as long as the source
// says nothing changed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/release.hpp"

namespace runner {

struct IndexEntry {
    std::string_view tag;
    std::string_view problem;
    std::string_view detail;  ///< the source's own, not interpreted here
    std::optional<Digest> digest;
    bool prerelease = false;
    bool has_build = false;

    /// The release as planning sees it; the version is read from the tag.
    [[nodiscard]] Release to_release() const;
};

/// An index file mapped into memory; entries point into it.
class ReleaseIndex {
 public:
    /// Null when there is none, it was written for another `key`, or it is damaged.
    static std::unique_ptr<ReleaseIndex> load(const std::filesystem::path& file,
                                              std::string_view key);

    /// Writes the file; a cache that cannot be written is no failure.
    static void save(const std::filesystem::path& file, std::string_view key,
                     std::string_view header, const std::vector<IndexEntry>& entries);

    ~ReleaseIndex();
    ReleaseIndex(const ReleaseIndex&) = delete;
    ReleaseIndex& operator=(const ReleaseIndex&) = delete;

    [[nodiscard]] std::string_view header() const { return m_header; }  ///< the source's own
    [[nodiscard]] const std::vector<IndexEntry>& entries() const { return m_entries; }

 private:
    ReleaseIndex(const char* data, std::size_t size) : m_data(data), m_size(size) {}
    bool decode(std::string_view key);

    const char* m_data;
    std::size_t m_size;
    std::string_view m_header;
    std::vector<IndexEntry> m_entries;
};

/// A release for a tag: its version, or why it has none.
Release release_for_tag(std::string_view tag);

}  // namespace runner

// SPDX-License-Identifier: Apache-2.0
#include "releases/release_index.hpp"

#include <sys/mman.h>
#include <sys/stat.h>

#include <cstring>

#include "model/error.hpp"
#include "support/file.hpp"
#include "support/log.hpp"

namespace runner {
namespace {

// The file: magic, then key, header and count; the entries; the details. Numbers are native: it is
// a cache of this machine. Details stand apart, so that planning touches only the pages of the
// entries.
constexpr std::string_view k_magic = "runner-index-2\n";

class Writer {
 public:
    void number(std::uint64_t value) {
        m_bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
    }
    void text(std::string_view value) {
        number(value.size());
        m_bytes += value;
    }
    void raw(std::string_view value) { m_bytes += value; }
    std::string take() { return std::move(m_bytes); }
    [[nodiscard]] std::size_t size() const { return m_bytes.size(); }

 private:
    std::string m_bytes;
};

class Reader {
 public:
    explicit Reader(std::string_view bytes) : m_rest(bytes) {}
    std::uint64_t number() {
        std::uint64_t value = 0;
        const std::string_view bytes = raw(sizeof(value));
        if (m_good) std::memcpy(&value, bytes.data(), sizeof(value));
        return value;
    }
    std::string_view text() { return raw(number()); }
    std::string_view raw(std::uint64_t size) {
        if (size > m_rest.size()) {
            m_good = false;
            return {};
        }
        const std::string_view taken = m_rest.substr(0, static_cast<std::size_t>(size));
        m_rest.remove_prefix(static_cast<std::size_t>(size));
        return taken;
    }
    [[nodiscard]] bool good() const { return m_good; }
    [[nodiscard]] std::string_view rest() const { return m_rest; }

 private:
    std::string_view m_rest;
    bool m_good = true;
};

constexpr std::uint64_t k_prerelease = 1;
constexpr std::uint64_t k_has_build = 2;
constexpr std::uint64_t k_has_digest = 4;

}  // namespace

Release release_for_tag(std::string_view tag) {
    Release release;
    release.tag = tag;
    try {
        release.version = UpgradeVersion::from_tag(tag);
        release.prerelease = !release.version->semver.prerelease.empty();
    } catch (const Error& error) {
        release.problem = error.what();
    }
    return release;
}

Release IndexEntry::to_release() const {
    Release release = release_for_tag(tag);
    release.prerelease = release.prerelease || prerelease;
    release.has_build = has_build;
    release.digest = digest;
    if (release.version) release.problem = problem;
    return release;
}

std::unique_ptr<ReleaseIndex> ReleaseIndex::load(const std::filesystem::path& file,
                                                 std::string_view key) {
    UniqueFd fd;
    try {
        fd = open_for_reading(file);
    } catch (const Error&) {
        return nullptr;
    }
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0 || status.st_size == 0) return nullptr;
    const auto size = static_cast<std::size_t>(status.st_size);
    void* mapped = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
    if (mapped == MAP_FAILED) return nullptr;
    std::unique_ptr<ReleaseIndex> index(new ReleaseIndex(static_cast<const char*>(mapped), size));
    return index->decode(key) ? std::move(index) : nullptr;
}

ReleaseIndex::~ReleaseIndex() {
    ::munmap(const_cast<char*>(m_data), m_size);
}

bool ReleaseIndex::decode(std::string_view key) {
    Reader reader({m_data, m_size});
    if (reader.raw(k_magic.size()) != k_magic || reader.text() != key) return false;
    m_header = reader.text();
    const std::uint64_t count = reader.number();
    const std::string_view details_size = reader.raw(sizeof(std::uint64_t));
    if (!reader.good() || count > m_size) return false;
    std::uint64_t details_at = 0;
    std::memcpy(&details_at, details_size.data(), sizeof(details_at));
    if (details_at > m_size) return false;
    Reader details({m_data + details_at, m_size - static_cast<std::size_t>(details_at)});
    m_entries.reserve(static_cast<std::size_t>(count));
    for (std::uint64_t i = 0; i < count && reader.good(); ++i) {
        IndexEntry entry;
        const std::uint64_t flags = reader.number();
        entry.prerelease = (flags & k_prerelease) != 0;
        entry.has_build = (flags & k_has_build) != 0;
        entry.tag = reader.text();
        entry.problem = reader.text();
        if ((flags & k_has_digest) != 0) {
            entry.digest.emplace();
            const std::string_view bytes = reader.raw(entry.digest->bytes.size());
            if (reader.good()) std::memcpy(entry.digest->bytes.data(), bytes.data(), bytes.size());
        }
        entry.detail = details.raw(reader.number());
        m_entries.push_back(entry);
    }
    return reader.good() && details.good();
}

void ReleaseIndex::save(const std::filesystem::path& file, std::string_view key,
                        std::string_view header, const std::vector<IndexEntry>& entries) {
    Writer body;
    Writer details;
    for (const IndexEntry& entry : entries) {
        body.number((entry.prerelease ? k_prerelease : 0) | (entry.has_build ? k_has_build : 0) |
                    (entry.digest ? k_has_digest : 0));
        body.text(entry.tag);
        body.text(entry.problem);
        if (entry.digest) {
            body.raw({reinterpret_cast<const char*>(entry.digest->bytes.data()),
                      entry.digest->bytes.size()});
        }
        body.number(entry.detail.size());
        details.raw(entry.detail);
    }
    Writer whole;
    whole.raw(k_magic);
    whole.text(key);
    whole.text(header);
    whole.number(entries.size());
    const std::string entries_bytes = body.take();
    whole.number(whole.size() + sizeof(std::uint64_t) + entries_bytes.size());
    whole.raw(entries_bytes);
    whole.raw(details.take());
    try {
        replace_file(file, whole.take(), Durability::replaceable);
    } catch (const Error& error) {
        log_debug(std::string("the release index is not kept: ") + error.what());
    }
}

}  // namespace runner

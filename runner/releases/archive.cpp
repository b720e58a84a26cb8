// SPDX-License-Identifier: Apache-2.0
#include "releases/archive.hpp"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <array>
#include <memory>

#include "model/error.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

constexpr std::size_t k_max_content = 256U << 20U;
constexpr std::size_t k_max_ratio = 1000;
constexpr std::size_t k_small = 1U << 20U;  // below this size no ratio is absurd

struct ReadCloser {
    void operator()(archive* handle) const { archive_read_free(handle); }
};
struct WriteCloser {
    void operator()(archive* handle) const { archive_write_free(handle); }
};
struct EntryCloser {
    void operator()(archive_entry* entry) const { archive_entry_free(entry); }
};

[[noreturn]] void refuse(const std::string& what, const std::string& reason) {
    throw Error(Failure::preparation, what + " is refused: " + reason);
}

std::string reason_of(archive* handle) {
    const char* text = archive_error_string(handle);
    return text == nullptr ? "it cannot be read" : sanitize(text);
}

std::string read_content(archive* handle, std::size_t compressed, const std::string& what) {
    std::string content;
    std::array<char, 65536> buffer{};
    while (true) {
        const la_ssize_t count = archive_read_data(handle, buffer.data(), buffer.size());
        if (count < 0) refuse(what, reason_of(handle));
        if (count == 0) return content;
        content.append(buffer.data(), static_cast<std::size_t>(count));
        if (content.size() > k_max_content) refuse(what, "its content is larger than 256 MiB");
        if (content.size() > k_small && content.size() / k_max_ratio > compressed) {
            refuse(what, "it expands to more than 1000 times its size");
        }
    }
}

}  // namespace

ArchiveFile read_archive(std::string_view bytes, const std::vector<std::string>& names, const std::string& what) {
    const std::unique_ptr<archive, ReadCloser> handle(archive_read_new());
    archive_read_support_filter_gzip(handle.get());
    archive_read_support_format_tar(handle.get());
    if (archive_read_open_memory(handle.get(), bytes.data(), bytes.size()) != ARCHIVE_OK) {
        refuse(what, reason_of(handle.get()));
    }
    ArchiveFile file;
    bool found = false;
    while (true) {
        archive_entry* entry = nullptr;
        const int status = archive_read_next_header(handle.get(), &entry);
        if (status == ARCHIVE_EOF) break;
        if (status != ARCHIVE_OK) refuse(what, reason_of(handle.get()));
        const char* path = archive_entry_pathname(entry);
        const std::string name = sanitize(path == nullptr ? "" : path);
        if (found) refuse(what, "it holds several files ('" + file.name + "' and '" + name + "'), expected one");
        if (archive_entry_hardlink(entry) != nullptr || archive_entry_symlink(entry) != nullptr) {
            refuse(what, "'" + name + "' is a link");
        }
        if (archive_entry_filetype(entry) != AE_IFREG) refuse(what, "'" + name + "' is not a regular file");
        if (std::find(names.begin(), names.end(), name) == names.end()) {
            refuse(what, "it holds '" + name + "', expected " + join(names, " or "));
        }
        file.name = name;
        file.content = read_content(handle.get(), bytes.size(), what);
        found = true;
    }
    if (!found) refuse(what, "it is empty");
    return file;
}

std::string make_archive(const ArchiveFile& file) {
    const std::unique_ptr<archive, WriteCloser> handle(archive_write_new());
    const std::unique_ptr<archive_entry, EntryCloser> entry(archive_entry_new());
    const auto check = [&](int status) {
        if (status != ARCHIVE_OK) {
            throw Error(Failure::preparation, "cannot make the archive of " + file.name + ": " + reason_of(handle.get()));
        }
    };
    check(archive_write_add_filter_gzip(handle.get()));
    check(archive_write_set_filter_option(handle.get(), "gzip", "timestamp", nullptr));
    check(archive_write_set_filter_option(handle.get(), "gzip", "compression-level", "9"));
    check(archive_write_set_format_ustar(handle.get()));
    archive_entry_set_pathname(entry.get(), file.name.c_str());
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(file.content.size()));
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    archive_entry_set_perm(entry.get(), 0755);
    archive_entry_set_mtime(entry.get(), 0, 0);
    std::string bytes(file.content.size() + (1U << 16U), '\0');
    std::size_t used = 0;
    check(archive_write_set_bytes_in_last_block(handle.get(), 1));
    check(archive_write_open_memory(handle.get(), bytes.data(), bytes.size(), &used));
    check(archive_write_header(handle.get(), entry.get()));
    if (archive_write_data(handle.get(), file.content.data(), file.content.size()) !=
        static_cast<la_ssize_t>(file.content.size())) {
        check(ARCHIVE_FATAL);
    }
    check(archive_write_close(handle.get()));
    bytes.resize(used);
    return bytes;
}

}  // namespace runner

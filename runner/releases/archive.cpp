// SPDX-License-Identifier: Apache-2.0
#include "releases/archive.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <zlib.h>

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
[[noreturn]] void refuse(const std::string& what, const std::string& reason) {
    throw Error(Failure::preparation, what + " is refused: " + reason);
}

std::string reason_of(archive* handle) {
    const char* text = archive_error_string(handle);
    return text == nullptr ? "it cannot be read" : text;
}

/// Gzipped without name and time, so that the same bytes come out each time.
std::string gzip(const std::string& bytes, const std::string& name) {
    constexpr int k_gzip_window = 15 + 16;
    constexpr int k_memory_level = 9;
    z_stream stream{};
    // The highest level gains a few bytes in a thousand, and takes three times as long.
    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, k_gzip_window, k_memory_level,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
        throw Error(Failure::preparation, "cannot compress " + name);
    }
    std::string compressed(deflateBound(&stream, bytes.size()), '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream.avail_in = static_cast<uInt>(bytes.size());
    stream.next_out = reinterpret_cast<Bytef*>(compressed.data());
    stream.avail_out = static_cast<uInt>(compressed.size());
    const int status = deflate(&stream, Z_FINISH);
    compressed.resize(stream.total_out);
    deflateEnd(&stream);
    if (status != Z_STREAM_END) throw Error(Failure::preparation, "cannot compress " + name);
    return compressed;
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

ArchiveFile read_archive(std::string_view bytes, const std::vector<std::string>& names,
                         const std::string& what) {
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
        const std::string name = path == nullptr ? "" : path;
        if (found)
            refuse(what,
                   "it holds several files ('" + file.name + "' and '" + name + "'), expected one");
        if (archive_entry_hardlink(entry) != nullptr || archive_entry_symlink(entry) != nullptr) {
            refuse(what, "'" + name + "' is a link");
        }
        if (archive_entry_filetype(entry) != AE_IFREG)
            refuse(what, "'" + name + "' is not a regular file");
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
    // One entry in POSIX ustar (IEEE Std 1003.1, pax, "ustar Interchange Format"). Written here,
    // because libarchive's writers bring every other format and their libraries into a statically
    // linked program.
    constexpr std::size_t k_block = 512;
    if (file.name.size() > 99)
        throw Error(Failure::usage, "the name '" + file.name + "' is too long for an archive");
    std::string header(k_block, '\0');
    const auto put = [&](std::size_t offset, const std::string& text) {
        header.replace(offset, text.size(), text);
    };
    const auto octal = [](std::size_t value, std::size_t digits) {
        std::string text(digits, '0');
        for (std::size_t i = digits; i-- > 0; value /= 8)
            text[i] = static_cast<char>('0' + value % 8);
        return text;
    };
    put(0, file.name);
    put(100, octal(0755, 7));
    put(108, octal(0, 7));
    put(116, octal(0, 7));
    put(124, octal(file.content.size(), 11));
    put(136, octal(0, 11));
    put(148, std::string(8, ' '));
    put(156, "0");
    put(257, std::string("ustar\0", 6) + "00");
    std::size_t sum = 0;
    for (const char c : header) sum += static_cast<unsigned char>(c);
    put(148, octal(sum, 6) + std::string("\0 ", 2));
    std::string bytes = header + file.content;
    bytes.resize((bytes.size() + k_block - 1) / k_block * k_block + 2 * k_block, '\0');
    return gzip(bytes, file.name);
}

}  // namespace runner

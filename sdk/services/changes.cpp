// SPDX-License-Identifier: Apache-2.0
#include "services/changes.hpp"

#include <cstdint>
#include <cstring>
#include <stdexcept>

namespace upgrade::services {
namespace {

constexpr std::size_t k_max_path = 4096;

void append_number(std::string& bytes, std::uint64_t number) {
    for (int shift = 0; shift < 64; shift += 8)
        bytes += static_cast<char>((number >> shift) & 0xFFU);
}

void append_text(std::string& bytes, const std::string& text) {
    append_number(bytes, text.size());
    bytes += text;
}

std::uint64_t take_number(std::string_view& bytes) {
    if (bytes.size() < 8) throw std::runtime_error("file changes are cut short");
    std::uint64_t number = 0;
    for (int i = 7; i >= 0; --i)
        number = number << 8U | static_cast<std::uint8_t>(bytes[static_cast<std::size_t>(i)]);
    bytes.remove_prefix(8);
    return number;
}

std::string take_bytes(std::string_view& bytes, std::uint64_t count) {
    if (bytes.size() < count) throw std::runtime_error("file changes are cut short");
    std::string taken(bytes.substr(0, static_cast<std::size_t>(count)));
    bytes.remove_prefix(static_cast<std::size_t>(count));
    return taken;
}

std::string take_path(std::string_view& bytes) {
    const std::uint64_t size = take_number(bytes);
    if (size == 0 || size > k_max_path)
        throw std::runtime_error("file changes hold a path of no length");
    return take_bytes(bytes, size);
}

}  // namespace

std::string encode(const FileChanges& changes) {
    std::string bytes;
    for (const auto& [path, change] : changes) {
        append_text(bytes, path);
        const bool moved = !change.moved_from.empty();
        bytes += !change.content ? 'r' : moved ? 'm' : 'c';
        if (!change.content) continue;
        if (moved) append_text(bytes, change.moved_from);
        append_text(bytes, *change.content);
    }
    return bytes;
}

FileChanges decode(std::string_view bytes) {
    FileChanges changes;
    while (!bytes.empty()) {
        const std::string path = take_path(bytes);
        const std::string kind = take_bytes(bytes, 1);
        if (kind != "c" && kind != "m" && kind != "r")
            throw std::runtime_error("file changes hold an unknown kind of change");
        FileChange& change = changes[path] = {};
        if (kind == "m") change.moved_from = take_path(bytes);
        if (kind != "r") change.content = take_bytes(bytes, take_number(bytes));
    }
    return changes;
}

}  // namespace upgrade::services

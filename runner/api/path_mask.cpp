// SPDX-License-Identifier: Apache-2.0
#include "api/path_mask.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "releases/cache.hpp"

namespace runner {
namespace {

namespace fs = std::filesystem;

std::string without_slash(std::string path) {
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    return path;
}

}  // namespace

PathMask::PathMask(const ClusterConfig& config) {
    const std::string home = without_slash(config.folder.string());
    const auto add = [&](const fs::path& folder, const std::string& name) {
        const std::string path = without_slash(folder.lexically_normal().string());
        if (path.size() < 2) return;
        const bool below = path.rfind(home + '/', 0) == 0;
        m_folders.emplace_back(path, below ? path.substr(home.size() + 1) : name);
    };
    add(config.repository_directory, "<repository>");
    add(config.state.parent_path(), "<state>");
    add(config.releases.directory, "<releases>");
    add(Cache::default_folder(), "<cache>");
    add(fs::temp_directory_path(), "<temporary>");
    if (const char* folder = std::getenv("HOME"); folder != nullptr) add(folder, "<home>");
    std::error_code none;
    add(fs::read_symlink("/proc/self/exe", none).parent_path(), "<programs>");
    m_folders.emplace_back(home, ".");
    std::sort(m_folders.begin(), m_folders.end(), [](const auto& one, const auto& other) {
        return one.first.size() > other.first.size();
    });
}

std::string PathMask::mask(std::string text) const {
    for (const auto& [folder, name] : m_folders) {
        for (std::size_t at = 0; (at = text.find(folder, at)) != std::string::npos;) {
            const std::size_t end = at + folder.size();
            const char next = end < text.size() ? text[end] : ' ';
            const bool whole = next == '/' || std::string_view(" \t\n\"'`:;,)").find(next) !=
                                                  std::string_view::npos;
            if (!whole) {
                at = end;
                continue;
            }
            // Of what is below the config's folder nothing but the rest is left.
            const bool drop = name == "." && next == '/';
            text.replace(at, folder.size() + (drop ? 1 : 0), drop ? "" : name);
            at += drop ? 0 : name.size();
        }
    }
    return text;
}

}  // namespace runner

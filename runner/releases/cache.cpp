// SPDX-License-Identifier: Apache-2.0
#include "releases/cache.hpp"

#include <unistd.h>

#include <cstdlib>

#include "support/log.hpp"
#include "support/read.hpp"
#include "support/sha256.hpp"

namespace runner {

namespace fs = std::filesystem;

fs::path Cache::default_folder() {
    const auto variable = [](const char* name) -> std::string {
        const char* value = std::getenv(name);
        return value == nullptr ? "" : value;
    };
    if (const std::string folder = variable("RUNNER_CACHE"); !folder.empty()) return folder;
    if (const std::string folder = variable("XDG_CACHE_HOME"); !folder.empty())
        return fs::path(folder) / "runner";
    if (const std::string folder = variable("HOME"); !folder.empty())
        return fs::path(folder) / ".cache" / "runner";
    return fs::path("/tmp") / ("runner-cache-" + std::to_string(::getuid()));
}

fs::path Cache::object(const Digest& digest) const {
    const std::string name = digest.to_string();
    return m_folder / "sha256" / name.substr(0, 2) / name;
}

fs::path Cache::index(const std::string& key) const {
    return m_folder / "index" / (sha256(key).to_string().substr(0, 32) + ".index");
}

std::optional<std::string> Cache::read(const Digest& digest, std::size_t limit) const {
    const fs::path file = object(digest);
    auto bytes = read_file_if_there(file, limit);
    if (bytes && sha256(*bytes) != digest) {
        log_warning("the cached " + file.string() + " is damaged and is fetched again");
        std::error_code ignored;
        fs::remove(file, ignored);
        bytes.reset();
    }
    return bytes;
}

}  // namespace runner

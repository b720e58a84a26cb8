// SPDX-License-Identifier: Apache-2.0
// What was fetched, by digest. Everything in it can be fetched again, and is verified whenever it
// is used.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "model/digest.hpp"

namespace runner {

class Cache {
 public:
    explicit Cache(std::filesystem::path folder) : m_folder(std::move(folder)) {}

    /// RUNNER_CACHE, else XDG_CACHE_HOME/runner, else HOME/.cache/runner, else a folder of this
    /// user below /tmp.
    static std::filesystem::path default_folder();

    [[nodiscard]] const std::filesystem::path& folder() const { return m_folder; }
    [[nodiscard]] std::filesystem::path object(const Digest& digest) const;
    [[nodiscard]] std::filesystem::path index(const std::string& key) const;

    /// The object's bytes if they are there and have this digest; a damaged one is removed.
    [[nodiscard]] std::optional<std::string> read(const Digest& digest, std::size_t limit) const;

 private:
    std::filesystem::path m_folder;
};

}  // namespace runner

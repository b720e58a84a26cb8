// SPDX-License-Identifier: Apache-2.0
// Makes releases of test plugins in a folder per tag, for tests and benchmarks.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "model/json.hpp"

namespace test {

class ReleaseMaker {
 public:
    /// `plugins`: the folder with the built test plugins.
    ReleaseMaker(std::filesystem::path releases, std::filesystem::path plugins)
        : m_releases(std::move(releases)), m_plugins(std::move(plugins)) {}

    /// A test plugin (puppet, noop, thrower, constructor_crash) under another version of the form
    /// 0.1.NNNNN.
    void plugin(const std::string& name, const std::string& version);
    /// A release with these bytes as its archive's file; no manifest: none is made.
    void file(const std::string& version, const std::string& name, const std::string& content,
              const std::optional<runner::Json>& manifest);

    static std::string tag_of(const std::string& version);

 private:
    std::filesystem::path m_releases;
    std::filesystem::path m_plugins;
    std::map<std::string, std::string> m_templates;
};

}  // namespace test

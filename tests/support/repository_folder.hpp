// SPDX-License-Identifier: Apache-2.0
// A folder with a repository in it, and one for originals beside it.
#pragma once

#include <filesystem>
#include <string>

#include "support/file.hpp"
#include "support/read.hpp"

namespace test {

class TestRepository {
 public:
    TestRepository() : m_folder("files-test") { std::filesystem::create_directories(root()); }
    [[nodiscard]] std::string root() const { return (m_folder.path() / "repository").string(); }
    [[nodiscard]] std::string backups() const { return (m_folder.path() / "originals").string(); }
    void write(const std::string& path, const std::string& text) const {
        runner::replace_file(std::filesystem::path(root()) / path, text,
                             runner::Durability::replaceable);
    }
    [[nodiscard]] std::string read(const std::string& path) const {
        return runner::read_file(std::filesystem::path(root()) / path);
    }
    [[nodiscard]] bool exists(const std::string& path) const {
        return std::filesystem::exists(root() + '/' + path);
    }

 private:
    runner::TemporaryFolder m_folder;
};

}  // namespace test

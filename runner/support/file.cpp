// SPDX-License-Identifier: Apache-2.0
#include "support/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "model/error.hpp"
#include "support/memory_file.hpp"

namespace runner {
namespace {

/// Longer than a tick of any file system's clock.
constexpr auto k_tick = std::chrono::milliseconds(100);

/// Removes a file unless it was kept.
class Discard {
 public:
    explicit Discard(const std::string& path) : m_path(path) {}
    ~Discard() {
        if (!m_path.empty()) ::unlink(m_path.c_str());
    }
    Discard(const Discard&) = delete;
    Discard& operator=(const Discard&) = delete;
    void keep() { m_path.clear(); }

 private:
    std::string m_path;
};

}  // namespace

UniqueFd open_if_there(const std::filesystem::path& path) {
    // A pipe that nobody writes to would be waited for.
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (!fd && errno != ENOENT) throw system_error("cannot open " + path.string(), errno);
    return fd;
}

UniqueFd open_for_reading(const std::filesystem::path& path) {
    UniqueFd fd = open_if_there(path);
    if (!fd) throw system_error("cannot open " + path.string(), ENOENT);
    return fd;
}

void make_folders(const std::filesystem::path& folder) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) throw system_error("cannot make the folder " + folder.string(), error.value());
}

void sync_folder(const std::filesystem::path& folder) {
    const std::string name = folder.empty() ? "." : folder.string();
    const UniqueFd fd(::open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd || ::fsync(fd.get()) != 0) throw system_error("cannot sync the folder " + name, errno);
}

void replace_file(const std::filesystem::path& path, std::string_view bytes,
                  Durability durability) {
    const std::filesystem::path folder = path.parent_path();
    if (!folder.empty()) make_folders(folder);
    std::string temporary = (folder / ("." + path.filename().string() + ".XXXXXX")).string();
    const UniqueFd fd(::mkostemp(temporary.data(), O_CLOEXEC));
    if (!fd) throw system_error("cannot write beside " + path.string(), errno);
    Discard discard(temporary);
    struct stat old_status {};
    const mode_t mode =
        ::stat(path.c_str(), &old_status) == 0 ? old_status.st_mode & 07777U : 0644U;
    if (::fchmod(fd.get(), mode) != 0)
        throw system_error("cannot set the mode of " + temporary, errno);
    write_all(fd.get(), bytes, path.string());
    if (durability == Durability::durable && ::fsync(fd.get()) != 0)
        throw system_error("cannot sync " + path.string(), errno);
    if (::rename(temporary.c_str(), path.c_str()) != 0)
        throw system_error("cannot replace " + path.string(), errno);
    discard.keep();
    if (durability == Durability::durable) sync_folder(folder);
}

void create_file(const std::filesystem::path& path, std::string_view bytes) {
    if (!path.parent_path().empty()) make_folders(path.parent_path());
    const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    if (!fd && errno == EEXIST) {
        throw Error(Failure::refused, path.string() + " is already there and is not overwritten");
    }
    if (!fd) throw system_error("cannot create " + path.string(), errno);
    write_all(fd.get(), bytes, path.string());
}

FileStamp::FileStamp(const std::filesystem::path& file) {
    std::error_code missing;
    m_written = std::filesystem::last_write_time(file, missing);
    m_settled = missing || std::filesystem::file_time_type::clock::now() - m_written >= k_tick;
    m_size = std::filesystem::file_size(file, missing);
}

bool FileStamp::proves_same(const std::optional<FileStamp>& before) const {
    return before && before->m_settled && before->m_written == m_written &&
           before->m_size == m_size;
}

TemporaryFolder::TemporaryFolder(const std::string& prefix) {
    std::error_code error;
    const std::filesystem::path base = std::filesystem::temp_directory_path(error);
    std::string name =
        ((error ? std::filesystem::path("/tmp") : base) / (prefix + "-XXXXXX")).string();
    if (::mkdtemp(name.data()) == nullptr)
        throw system_error("cannot make a temporary folder like " + name, errno);
    m_path = name;
}

TemporaryFolder::~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(m_path, ignored);
}

}  // namespace runner

// SPDX-License-Identifier: Apache-2.0
// The files of a repository, on the disk: the only owner of paths in it. Every path is opened part
// by part beneath the root and never through a link, whoever made the link and when.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/attributes.hpp"
#include "services/service_error.hpp"

namespace upgrade::services {

/// Throws Refusal: UPGRADE_NOT_FOUND where the error says that there is nothing.
[[noreturn]] void fail(const std::string& operation, int error);

/// A descriptor with one owner; the runner's own is not visible from the SDK.
class Descriptor {
 public:
    explicit Descriptor(int fd) : m_fd(fd) {}
    ~Descriptor() {
        if (m_fd >= 0) ::close(m_fd);
    }
    Descriptor(Descriptor&& other) noexcept : m_fd(std::exchange(other.m_fd, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(m_fd, other.m_fd);
        return *this;
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    [[nodiscard]] int get() const { return m_fd; }
    /// Somebody else closes it.
    void release() { m_fd = -1; }
    explicit operator bool() const { return m_fd >= 0; }

 private:
    int m_fd;
};

/// What is at a path; a link is never followed.
enum class PathKind { none, file, folder, link, other };

PathKind kind_of(mode_t mode);

/// A path as it is on the disk.
struct PathStatus {
    PathKind kind = PathKind::none;
    unsigned mode = 0;  ///< of a file: the bits that chmod sets
};

/// Whether `path` is a relative path that stays below its root: no empty, ".", ".." or
/// ".git" part, no NUL.
/// Throws Refusal.
void check_path(std::string_view path);

/// The folder that holds `path`; empty: the root.
std::string parent_of(const std::string& path);
std::string name_of(const std::string& path);
/// A hidden name beside `path` that ends with `ending` (at most 50 bytes), always the same. A long
/// name is shortened, for a name has at most 255 bytes.
std::string hidden_beside(const std::string& path, const std::string& ending);

/// All that is to be read in a file that is open: a regular one of at most 256 MiB. Whatever else
/// it is (a pipe, a device) is never read. `what`: for the message. Throws Refusal.
std::string read_regular(const Descriptor& file, const std::string& what);
/// Writes all of it. `what`: for the message. Throws Refusal.
void write_all(int fd, std::string_view bytes, const std::string& what);
/// What was written, and what was set, survives a power cut. `what`: for the message. Throws
/// Refusal.
void sync_file(int fd, const std::string& what);

/// Makes a folder outside of the repository and those above it, so that they survive a power cut.
/// Throws Refusal.
void make_folders(const std::string& folder);
/// Syncs a folder outside of the repository, with its names. Throws Refusal.
void sync_folder(const std::string& folder);

/// No file that is read or written is larger. In bytes.
constexpr std::size_t k_max_file = 256U << 20U;

class Repository;

/// New bytes beside the file that they are to replace, with or without a name. What was not put in
/// place goes when this does. Calls may throw Refusal.
class NewFile {
 public:
    ~NewFile();
    NewFile(NewFile&& other) noexcept;
    NewFile(const NewFile&) = delete;
    NewFile& operator=(const NewFile&) = delete;
    NewFile& operator=(NewFile&&) = delete;

    [[nodiscard]] int descriptor() const { return m_file.get(); }
    /// It is whole. It may be one of many: no descriptor is kept where that is not needed.
    void written();
    /// Replaces the file at its path, and syncs the folder.
    void put_in_place();

 private:
    friend class Repository;
    NewFile(const Repository& repository, std::string path, std::string name)
        : m_repository(repository), m_path(std::move(path)), m_name(std::move(name)) {}

    const Repository& m_repository;
    std::string m_path;
    std::string m_name;  ///< just before it replaces the file
    Descriptor m_file{-1};
    bool m_named = false;
};

/// A question about one path.
using EachPath = std::function<bool(const std::string& path)>;

/// The repository directory. Paths are relative to it, as check_path allows them. Every call may
/// throw Refusal.
class Repository {
 public:
    explicit Repository(std::string root) : m_root(std::move(root)) {}
    [[nodiscard]] const std::string& root() const { return m_root; }

    // Looking.
    /// The mode bits of what is at `path`; 0 when there is nothing. UPGRADE_DENIED: the path leads
    /// through a link.
    [[nodiscard]] mode_t mode(const std::string& path) const { return status(path).st_mode; }
    /// All that the file system says of what is at `path`; its mode is 0 when there is nothing.
    [[nodiscard]] struct stat status(const std::string& path) const;
    /// The same in words; what leads through a link is a link.
    [[nodiscard]] PathStatus look(const std::string& path) const;
    /// The whole of a regular file of at most 256 MiB. UPGRADE_NOT_FOUND: nothing is there.
    [[nodiscard]] std::string read(const std::string& path) const;
    /// Opens what is at `path` for reading; it may be something else than a file.
    [[nodiscard]] Descriptor open_file(const std::string& path) const;
    /// All regular files below `folder` (empty: the root), in no order. `.git` is left out; a
    /// folder that cannot be listed is an error, one that went away meanwhile is none.
    [[nodiscard]] std::vector<std::string> list(const std::string& folder) const;
    /// Why no file can be made or replaced at `path`: its folder, or the nearest one above it that
    /// is there, may not be written by this process. Empty: nothing is known against it.
    [[nodiscard]] std::string why_not_writable(const std::string& path) const;
    /// The files that were written since `moment` (by the times of files, since the Unix epoch), at
    /// most `limit`, sorted; `.git`, files and folders that `is_left_out` names, and what cannot be
    /// read are left out.
    [[nodiscard]] std::vector<std::string> written_since(std::chrono::milliseconds moment,
                                                         std::size_t limit,
                                                         const EachPath& is_left_out) const;
    /// Every `.git`, a folder or a file, at any depth below `folder` (empty: the root); what cannot
    /// be opened is left out.
    [[nodiscard]] std::vector<std::string> git_folders(const std::string& folder) const;
    /// The first thing of whatever kind below `folder` that stays there when all goes of which
    /// `goes` says so; it is asked of everything that is no folder, and of empty folders. Empty:
    /// nothing stays, and so the folder goes.
    [[nodiscard]] std::string what_stays(const std::string& folder, const EachPath& goes) const;

    // Changing.
    /// A file that is to replace the one at `path`, with no bytes yet. Missing folders are made,
    /// durably. `name`: what it is called just before that, in the same folder. It must not outlive
    /// this object.
    [[nodiscard]] NewFile make(const std::string& path, const std::string& name, mode_t mode) const;
    /// The same without the name until then, and no folder is made before; nothing where the file
    /// system cannot do that.
    [[nodiscard]] std::optional<NewFile> make_unnamed(const std::string& path,
                                                      const std::string& name, mode_t mode) const;
    /// Copies the file to `copy` (absolute; nothing may be there), synced, with its attributes as
    /// copy_attributes does. Returns what of them could not be kept.
    std::vector<std::string> keep_original(const std::string& path, const std::string& copy) const;
    /// Keeps the attributes of the folders above `path` as empty folders of `copies` (absolute),
    /// for a file that goes may be the last in them.
    /// Returns what of them could not be kept.
    std::vector<std::string> keep_folders(const std::string& path, const std::string& copies) const;
    /// The original that was kept as `original` of the folder `originals` in its place again, with
    /// its attributes, and those of the folders that are made again for it. Returns what of them
    /// could not be given.
    std::vector<std::string> put_back(const std::string& path, const Repository& originals,
                                      const std::string& original) const;
    /// Removes a file, and syncs its folder; nothing when there is none.
    void remove(const std::string& path) const;
    /// How many of the folders above `path`, the nearest first, are not there.
    [[nodiscard]] std::size_t count_missing_folders(const std::string& path) const;
    /// Removes the folders above `path` that are empty, at most `most`.
    void remove_empty_folders(const std::string& path, std::size_t most = k_all_folders) const;
    static constexpr std::size_t k_all_folders = static_cast<std::size_t>(-1);
    /// The path that put_back gives a file just before it takes its place: always the same, so that
    /// it is found again when somebody dies there.
    [[nodiscard]] static std::string name_before_put_back(const std::string& path);

 private:
    friend class NewFile;
    enum class Missing { is_told, is_made };
    /// Opens a folder; an empty descriptor, with errno: it cannot be opened.
    [[nodiscard]] Descriptor open_folder(const std::string& path, Missing missing) const;
    /// The nearest folder above `path` that is there.
    [[nodiscard]] Descriptor nearest_folder_of(const std::string& path) const;
    /// Makes the folders above `path` that are missing, as keep_folders kept them in the folder
    /// `kept_in` of `originals`. Appends what could not be given to them.
    void make_folders_again(const std::string& path, const Repository& originals,
                            const std::string& kept_in, std::vector<std::string>& not_given) const;
    /// The folder that holds `path`.
    [[nodiscard]] Descriptor folder_of(const std::string& path, Missing missing) const;

    std::string m_root;
};

}  // namespace upgrade::services

// SPDX-License-Identifier: Apache-2.0
// Release archives: gzipped tar with one file, read in memory and never extracted; and making them,
// reproducibly.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace runner {

struct ArchiveFile {
    std::string name;
    std::string content;
};

/// The one file of the archive, whose name must be one of `names`. Throws Error{preparation} naming
/// `what` for several files, links, folders, other names, paths, more than 256 MiB of content or a
/// ratio above 1000.
ArchiveFile read_archive(std::string_view archive, const std::vector<std::string>& names,
                         const std::string& what);

/// A gzipped tar with that one file; the same input always gives the same bytes.
std::string make_archive(const ArchiveFile& file);

}  // namespace runner

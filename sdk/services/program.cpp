// SPDX-License-Identifier: Apache-2.0
#include "services/program.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <string_view>
#include <system_error>
#include <vector>

namespace upgrade::services {
namespace {

constexpr const char* k_default_path = "/bin:/usr/bin";  // as execvp has it
constexpr std::size_t k_max_first_line = 256;            // as the kernel has it

/// Where `name` may be, in the order in which they are tried.
std::vector<std::string> candidates(const std::string& name, std::string_view path) {
    if (name.find('/') != std::string::npos) return {name};
    std::vector<std::string> found;
    for (bool more = true; more;) {
        const std::size_t end = std::min(path.find(':'), path.size());
        const std::string folder(path.substr(0, end));
        found.push_back((folder.empty() ? "." : folder) + '/' + name);
        more = end < path.size();
        path.remove_prefix(std::min(path.size(), end + 1));
    }
    return found;
}

}  // namespace

std::vector<std::string> interpreter_of(const std::string& file) {
    constexpr const char* k_blanks = " \t";
    std::ifstream script(file, std::ios::binary);
    std::string line(k_max_first_line, '\0');
    script.read(line.data(), static_cast<std::streamsize>(line.size()));
    line.resize(static_cast<std::size_t>(script.gcount()));
    line.resize(std::min(line.find('\n'), line.size()));
    std::vector<std::string> words;
    if (line.rfind("#!", 0) != 0) return words;
    for (std::size_t end = 2;;) {
        const std::size_t begin = line.find_first_not_of(k_blanks, end);
        if (begin == std::string::npos) return words;
        end = std::min(line.find_first_of(k_blanks, begin), line.size());
        words.push_back(line.substr(begin, end - begin));
    }
}

std::string why_no_program(const std::string& file) {
    struct stat status {};
    if (::stat(file.c_str(), &status) != 0)
        return "'" + file + "': " + std::generic_category().message(errno);
    if (S_ISDIR(status.st_mode)) return "'" + file + "' is a folder, not a program";
    if (!S_ISREG(status.st_mode)) return "'" + file + "' is no regular file";
    if (::access(file.c_str(), X_OK) != 0)
        return "'" + file + "' may not be executed: it needs 'chmod +x'";
    return {};
}

std::string find_program(const std::string& name, const std::string& path) {
    for (const std::string& candidate : candidates(name, path)) {
        if (why_no_program(candidate).empty()) return candidate;
    }
    return {};
}

std::string find_program(const std::string& name) {
    const char* path = std::getenv("PATH");
    return find_program(name, path == nullptr ? k_default_path : path);
}

std::string why_not_started(const std::string& name, int error, const std::string& path,
                            const std::string& folder) {
    struct stat status {};
    if (!folder.empty() && ::stat(folder.c_str(), &status) != 0)
        return "its working directory '" + folder + "': " + std::generic_category().message(errno);
    std::string in_the_way;
    for (std::string candidate : candidates(name, path.empty() ? k_default_path : path)) {
        if (candidate.front() != '/' && !folder.empty()) candidate.insert(0, folder + '/');
        if (::stat(candidate.c_str(), &status) != 0) continue;
        const std::string problem = why_no_program(candidate);
        if (problem.empty()) {
            const std::vector<std::string> interpreter = interpreter_of(candidate);
            if (!interpreter.empty() && !why_no_program(interpreter.front()).empty())
                return "its interpreter: " + why_no_program(interpreter.front());
            return std::generic_category().message(error);
        }
        if (in_the_way.empty()) in_the_way = problem;
    }
    return in_the_way.empty() ? std::generic_category().message(error) : in_the_way;
}

}  // namespace upgrade::services

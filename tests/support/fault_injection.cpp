// SPDX-License-Identifier: Apache-2.0
// Preloaded into the real program: the nth call that changes something on disk fails, is torn, or
// is the last thing that the process does. RUNNER_FAULT=CALLS:HOW:N[:PATH], where CALLS is a list
// of call names joined by `+`, HOW is an errno's name, `torn` (half of it is written, then the
// process is killed), `before` or `after` (killed there), N counts from 1 over those calls on files
// whose path holds PATH. The file RUNNER_FAULT_COUNT holds how many counted calls there were.
// RUNNER_CLOCK_OFFSET=SECONDS shifts the wall clock. With RUNNER_NO_LANDLOCK the kernel has no
// Landlock. Only in the process that was started, never in those that it starts; with
// RUNNER_FAULT_IN_HOST only in those that its host parent forks.
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

namespace {

constexpr long k_landlock_create_ruleset = 444;

struct Fault {
    std::string calls;
    std::string how;
    long at = 0;
    std::string path;
    bool in_host = false;
    pid_t process = 0;                  ///< the only one that is meant; 0: all but the first
    std::atomic<long>* seen = nullptr;  ///< shared by all of them
    long clock_offset = 0;
};

template <typename Function>
Function next(const char* name) {
    return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

std::atomic<long>* counter_in(const char* path) {
    const int file =
        static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (file < 0 || ::ftruncate(file, sizeof(long)) != 0) std::abort();
    void* shared = ::mmap(nullptr, sizeof(long), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    ::close(file);
    if (shared == MAP_FAILED) std::abort();
    return static_cast<std::atomic<long>*>(shared);
}

Fault read_fault() {
    Fault fault;
    fault.in_host = std::getenv("RUNNER_FAULT_IN_HOST") != nullptr;
    fault.process = ::getpid();
    const char* offset = std::getenv("RUNNER_CLOCK_OFFSET");
    if (offset != nullptr) fault.clock_offset = std::atol(offset);
    ::unsetenv("LD_PRELOAD");  // nothing that this process starts is meant
    const char* text = std::getenv("RUNNER_FAULT");
    if (text == nullptr) return fault;
    const std::string all = text;
    std::array<std::string, 4> parts;
    std::size_t begin = 0;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const std::size_t end =
            i + 1 == parts.size() ? all.size() : std::min(all.find(':', begin), all.size());
        parts[i] = all.substr(begin, end - begin);
        begin = std::min(end + 1, all.size());
    }
    fault.calls = '+' + parts[0] + '+';
    fault.how = parts[1];
    fault.at = std::atol(parts[2].c_str());
    fault.path = parts[3];
    static std::atomic<long> own{0};
    fault.seen = &own;
    if (const char* count = std::getenv("RUNNER_FAULT_COUNT")) fault.seen = counter_in(count);
    return fault;
}

Fault& fault() {
    static Fault the_fault = read_fault();
    return the_fault;
}

/// Before main: the variables are gone before anything is started.
__attribute__((constructor)) void begin() {
    fault();
}

std::string path_of(int fd) {
    std::array<char, 4096> target{};
    const std::string link = "/proc/self/fd/" + std::to_string(fd);
    const ssize_t size = ::readlink(link.c_str(), target.data(), target.size());
    return size < 0 ? "" : std::string(target.data(), static_cast<std::size_t>(size));
}

/// Of a name in an open folder.
std::string path_in(int folder, const char* name) {
    if (name[0] == '/') return name;
    return folder == AT_FDCWD ? std::string("/") + name : path_of(folder) + '/' + name;
}

bool on_disk(const std::string& path) {
    return !path.empty() && path[0] == '/' && path.find(" (deleted)") == std::string::npos &&
           path.rfind("/dev/", 0) != 0 && path.rfind("/memfd:", 0) != 0 &&
           path.rfind("/proc/", 0) != 0;
}

[[noreturn]] void die() {
    ::kill(::getpid(), SIGKILL);
    while (true) ::pause();
}

int error_named(const std::string& name) {
    return name == "ENOSPC"   ? ENOSPC
           : name == "EIO"    ? EIO
           : name == "EROFS"  ? EROFS
           : name == "EDQUOT" ? EDQUOT
                              : 0;
}

/// Whether this is the call that is meant.
bool is_meant(const char* call, const std::string& path) {
    Fault& one = fault();
    if ((one.process == ::getpid()) == one.in_host || !on_disk(path) ||
        one.calls.find(std::string("+") + call + '+') == std::string::npos ||
        path.find(one.path) == std::string::npos)
        return false;
    return ++*one.seen == one.at;
}

/// Runs the call, or what is to happen in its place.
template <typename Call>
auto inject(const char* name, const std::string& path, Call&& call) -> decltype(call()) {
    if (!is_meant(name, path)) return call();
    const std::string& how = fault().how;
    if (how == "before" || how == "torn") die();
    if (how == "after") {
        call();
        die();
    }
    if (error_named(how) == 0) return call();
    errno = error_named(how);
    return static_cast<decltype(call())>(-1);
}

/// As inject, for calls that write: half of it is written, then the process is killed.
template <typename Call, typename Half>
ssize_t inject_write(const char* name, const std::string& path, Call&& call, Half&& half) {
    if (fault().how != "torn") return inject(name, path, call);
    if (!is_meant(name, path)) return call();
    half();
    die();
}

/// Whether these flags come with a mode.
bool makes_file(int flags) {
    return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
}

/// Every way to open a file ends here.
int open_in(int folder, const char* path, int flags, mode_t mode) {
    static const auto real = next<int (*)(int, const char*, int, ...)>("openat64");
    const auto call = [&] { return real(folder, path, flags, mode); };
    return makes_file(flags) ? inject("create", path_in(folder, path), call) : call();
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, struct timespec* time) {
    static const auto real = next<int (*)(clockid_t, struct timespec*)>("clock_gettime");
    const int result = real(clock, time);
    if (result == 0 && clock == CLOCK_REALTIME) time->tv_sec += fault().clock_offset;
    return result;
}

long syscall(long number, ...) {
    va_list list;
    va_start(list, number);
    std::array<long, 6> arguments{};  // as many as any call has
    for (long& argument : arguments) argument = va_arg(list, long);
    va_end(list);
    if (number == k_landlock_create_ruleset && std::getenv("RUNNER_NO_LANDLOCK") != nullptr) {
        errno = ENOSYS;
        return -1;
    }
    static const auto real = next<long (*)(long, ...)>("syscall");
    return real(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
                arguments[5]);
}

ssize_t write(int fd, const void* bytes, size_t size) {
    static const auto real = next<ssize_t (*)(int, const void*, size_t)>("write");
    return inject_write(
        "write", path_of(fd), [&] { return real(fd, bytes, size); },
        [&] { return real(fd, bytes, size / 2); });
}

ssize_t pwrite64(int fd, const void* bytes, size_t size, off64_t at) {
    static const auto real = next<ssize_t (*)(int, const void*, size_t, off64_t)>("pwrite64");
    return inject_write(
        "write", path_of(fd), [&] { return real(fd, bytes, size, at); },
        [&] { return real(fd, bytes, size / 2, at); });
}

ssize_t pwrite(int fd, const void* bytes, size_t size, off_t at) {
    return pwrite64(fd, bytes, size, at);
}

int fsync(int fd) {
    static const auto real = next<int (*)(int)>("fsync");
    return inject("sync", path_of(fd), [&] { return real(fd); });
}

int fdatasync(int fd) {
    static const auto real = next<int (*)(int)>("fdatasync");
    return inject("sync", path_of(fd), [&] { return real(fd); });
}

int rename(const char* from, const char* to) {
    static const auto real = next<int (*)(const char*, const char*)>("rename");
    return inject("rename", path_in(AT_FDCWD, to), [&] { return real(from, to); });
}

int unlink(const char* path) {
    static const auto real = next<int (*)(const char*)>("unlink");
    return inject("unlink", path_in(AT_FDCWD, path), [&] { return real(path); });
}

int renameat(int from_folder, const char* from, int to_folder, const char* to) {
    static const auto real = next<int (*)(int, const char*, int, const char*)>("renameat");
    return inject("rename", path_in(to_folder, to),
                  [&] { return real(from_folder, from, to_folder, to); });
}

int unlinkat(int folder, const char* path, int flags) {
    static const auto real = next<int (*)(int, const char*, int)>("unlinkat");
    return inject("unlink", path_in(folder, path), [&] { return real(folder, path, flags); });
}

int linkat(int from_folder, const char* from, int to_folder, const char* to, int flags) {
    static const auto real = next<int (*)(int, const char*, int, const char*, int)>("linkat");
    return inject("link", path_in(to_folder, to),
                  [&] { return real(from_folder, from, to_folder, to, flags); });
}

int mkdirat(int folder, const char* path, mode_t mode) {
    static const auto real = next<int (*)(int, const char*, mode_t)>("mkdirat");
    return inject("mkdir", path_in(folder, path), [&] { return real(folder, path, mode); });
}

int mkdir(const char* path, mode_t mode) {
    static const auto real = next<int (*)(const char*, mode_t)>("mkdir");
    return inject("mkdir", path_in(AT_FDCWD, path), [&] { return real(path, mode); });
}

int openat64(int folder, const char* path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = makes_file(flags) ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return open_in(folder, path, flags, mode);
}

int openat(int folder, const char* path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = makes_file(flags) ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return open_in(folder, path, flags, mode);
}

int open64(const char* path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = makes_file(flags) ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return open_in(AT_FDCWD, path, flags, mode);
}

int open(const char* path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = makes_file(flags) ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return open_in(AT_FDCWD, path, flags, mode);
}

int posix_spawn(pid_t* pid, const char* path, const posix_spawn_file_actions_t* actions,
                const posix_spawnattr_t* attributes, char* const arguments[],
                char* const environment[]) {
    static const auto real =
        next<int (*)(pid_t*, const char*, const posix_spawn_file_actions_t*,
                     const posix_spawnattr_t*, char* const[], char* const[])>("posix_spawn");
    std::vector<char*> variables;
    for (char* const* one = environment; *one != nullptr; ++one) variables.push_back(*one);
    std::vector<std::string> more;
    if (fault().in_host && arguments[1] != nullptr && std::strcmp(arguments[1], "__host") == 0) {
        Dl_info self{};
        ::dladdr(reinterpret_cast<void*>(&counter_in), &self);
        more.push_back(std::string("LD_PRELOAD=") + self.dli_fname);
        for (const char* name : {"RUNNER_FAULT", "RUNNER_FAULT_COUNT", "RUNNER_FAULT_IN_HOST"}) {
            if (const char* value = std::getenv(name))
                more.push_back(std::string(name) + '=' + value);
        }
    }
    for (std::string& one : more) variables.push_back(one.data());
    variables.push_back(nullptr);
    return real(pid, path, actions, attributes, arguments, variables.data());
}

}  // extern "C"

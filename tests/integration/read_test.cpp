// SPDX-License-Identifier: Apache-2.0
// Files, pipes and what is neither, read whole and with a bound.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "config/cluster_config.hpp"
#include "model/error.hpp"
#include "support/catch.hpp"
#include "support/file.hpp"
#include "support/memory_file.hpp"
#include "support/read.hpp"

using namespace runner;
using std::chrono::milliseconds;

namespace {

constexpr std::size_t k_limit = 200'000;  // more than a pipe holds

struct Files {
    Files() {
        replace_file(path("file"), text, Durability::replaceable);
        std::filesystem::create_directory(path("folder"));
        ::mkfifo(path("pipe").c_str(), 0600);
    }
    [[nodiscard]] std::string path(const std::string& name) const {
        return (folder.path() / name).string();
    }
    TemporaryFolder folder{"read-test"};
    std::string text = std::string(k_limit - 1, 'x') + '\n';
};

/// Writes into a pipe with a name while this lives.
class Writer {
 public:
    Writer(const std::string& pipe, const std::string& text)
        : m_thread([pipe, text] {
              const UniqueFd file(::open(pipe.c_str(), O_WRONLY | O_CLOEXEC));
              write_all(file.get(), text, pipe);
          }) {}
    ~Writer() { m_thread.join(); }

 private:
    std::thread m_thread;
};

/// A pipe as a shell makes it for `<(program)`: by the name of a descriptor.
struct Substitution {
    explicit Substitution(const std::string& text) {
        int ends[2];
        REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
        read_end.reset(ends[0]);
        UniqueFd write_end(ends[1]);
        writer = std::thread(
            [text, end = std::move(write_end)] { write_all(end.get(), text, "the pipe"); });
    }
    ~Substitution() { writer.join(); }
    [[nodiscard]] std::string path() const {
        return "/proc/self/fd/" + std::to_string(read_end.get());
    }
    UniqueFd read_end;
    std::thread writer;
};

}  // namespace

TEST_CASE("a file and both kinds of pipes are read whole") {
    const Files files;
    CHECK(read_given_file(files.path("file"), k_limit) == files.text);
    {
        const Writer writer(files.path("pipe"), files.text);
        CHECK(read_given_file(files.path("pipe"), k_limit) == files.text);
    }
    {
        const Substitution pipe(files.text);
        CHECK(read_given_file(pipe.path(), k_limit) == files.text);
    }
    const Substitution pipe(files.text);
    CHECK(read_to_end(pipe.read_end.get(), k_limit, "the pipe") == files.text);
}

TEST_CASE("a pipe whose writer has come and gone is read, and is empty when nothing was written") {
    for (const std::string text : {"", "left\n"}) {
        Substitution pipe(text);
        pipe.writer.join();
        pipe.writer = std::thread([] {});
        CHECK(read_given_file(pipe.path()) == text);
    }
}

TEST_CASE("more than the limit is refused, whatever it comes from") {
    const Files files;
    const std::string words = " is larger than 100 bytes";
    CHECK_THROWS_WITH(read_given_file(files.path("file"), 100), files.path("file") + words);
    CHECK_THROWS_WITH(read_given_file("/dev/zero", 100), "/dev/zero" + words);
    CHECK_THROWS_WITH(read_file_if_there(files.path("file"), 100), files.path("file") + words);
    const Substitution pipe(std::string(101, 'x'));
    CHECK_THROWS_WITH(read_to_end(pipe.read_end.get(), 100, "a secret"), "a secret" + words);
}

TEST_CASE("a pipe that nobody ends is given up with a word, and not waited for for ever") {
    const Files files;
    const Patience none{milliseconds(0), milliseconds(0)};
    const Patience some{milliseconds(1), milliseconds(20)};
    const UniqueFd held(::open(files.path("pipe").c_str(), O_RDWR | O_CLOEXEC));
    write_all(held.get(), "half", "the pipe");
    for (const Patience& patience : {none, some}) {
        CHECK_THROWS_WITH(
            read_given_file(files.path("pipe"), k_limit, patience),
            Catch::StartsWith(files.path("pipe") + " did not come to its end within "));
    }
}

TEST_CASE("a pipe that nobody has opened for writing is given up as well") {
    const Files files;
    CHECK_THROWS_WITH(
        read_given_file(files.path("pipe"), k_limit, {milliseconds(0), milliseconds(1)}),
        Catch::Contains("did not come to its end"));
}

TEST_CASE("a folder is no file, and a pipe none where nobody has named it") {
    const Files files;
    const std::string folder = files.path("folder");
    CHECK_THROWS_WITH(read_given_file(folder), folder + " is a folder, not a file");
    CHECK_THROWS_WITH(read_file(folder), folder + " is a folder, not a file");
    const UniqueFd opened(::open(folder.c_str(), O_RDONLY | O_CLOEXEC));
    CHECK_THROWS_WITH(read_to_end(opened.get(), 100, "fd"), "fd is a folder, not a file");
    CHECK_THROWS_WITH(read_file(files.path("pipe")),
                      files.path("pipe") + " is a pipe or a device, not a file");
    CHECK_THROWS_WITH(read_file_if_there(files.path("pipe")),
                      Catch::Contains("is a pipe or a device, not a file"));
    CHECK_FALSE(read_file_if_there(files.path("nothing")));
}

TEST_CASE("the paths of a config that is a pipe are relative to the working directory") {
    const std::string text =
        "apiVersion: runner/v1\nkind: Cluster\nmetadata: {name: demo}\nstate: own/state.db\n"
        "releases: {source: directory, directory: releases}\ntrust: {verification: disabled}\n";
    const Substitution pipe(text);
    const ClusterConfig config = ClusterConfig::load(pipe.path());
    CHECK(config.folder == std::filesystem::current_path());
    CHECK(config.state == std::filesystem::current_path() / "own/state.db");
    const TemporaryFolder folder("read-test");
    replace_file(folder.path() / "c.yaml", text, Durability::replaceable);
    CHECK(ClusterConfig::load(folder.path() / "c.yaml").state == folder.path() / "own/state.db");
}

TEST_CASE("a config that is named by a descriptor has no folder, whatever it leads to") {
    const Files files;
    const UniqueFd file(::open(files.path("file").c_str(), O_RDONLY | O_CLOEXEC));
    const std::string number = std::to_string(file.get());
    for (const std::string& path :
         {std::string("/dev/stdin"), "/dev/fd/" + number, "/proc/self/fd/" + number,
          "/proc/" + std::to_string(::getpid()) + "/fd/" + number, "/dev/../dev/fd/" + number,
          std::string("/dev/null"), files.path("pipe")}) {
        CAPTURE(path);
        CHECK(is_stream(path));
    }
    CHECK_FALSE(is_stream(files.path("file")));
    CHECK_FALSE(is_stream(files.path("folder")));
    CHECK_FALSE(is_stream(files.path("nothing")));
}

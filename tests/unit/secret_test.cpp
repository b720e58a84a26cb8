// SPDX-License-Identifier: Apache-2.0
#include "model/secret.hpp"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <ostream>
#include <type_traits>

#include "model/json.hpp"
#include "support/catch.hpp"
#include "support/secret_memory.hpp"

using namespace runner;

namespace {

template <typename Left, typename Right>
concept Comparable = requires(const Left& left, const Right& right) {
    left == right;
};
template <typename Left, typename Right>
concept Different = requires(const Left& left, const Right& right) {
    left != right;
};
template <typename Left, typename Right>
concept Ordered = requires(const Left& left, const Right& right) {
    left < right;
};
template <typename Left, typename Right>
concept Added = requires(const Left& left, const Right& right) {
    left + right;
};
template <typename Value>
concept Streamed = requires(std::ostream& stream, const Value& value) {
    stream << value;
};
template <typename Value>
concept Assigned = requires(Json& json, const Value& value) {
    json["x"] = value;
};

// What a string does, and a secret does not.
static_assert(Comparable<std::string, std::string> && !Comparable<Secret, Secret>);
static_assert(!Comparable<Secret, std::string> && !Comparable<std::string, Secret>);
static_assert(!Comparable<Secret, const char*>);
static_assert(Different<std::string, std::string> && !Different<Secret, Secret>);
static_assert(Ordered<std::string, std::string> && !Ordered<Secret, Secret>);
static_assert(Added<std::string, std::string> && !Added<std::string, Secret>);
static_assert(!Added<Secret, std::string>);
static_assert(Streamed<std::string> && !Streamed<Secret>);
static_assert(Assigned<std::string> && !Assigned<Secret>);
static_assert(std::is_constructible_v<Json, std::string> && !std::is_constructible_v<Json, Secret>);
static_assert(!std::is_convertible_v<Secret, std::string>);
static_assert(!std::is_constructible_v<std::string, Secret>);
static_assert(!std::is_convertible_v<Secret, std::string_view>);
static_assert(!std::is_constructible_v<std::string_view, Secret>);
// It does not come about by itself, either.
static_assert(!std::is_convertible_v<std::string, Secret>);
static_assert(!std::is_convertible_v<const char*, Secret>);

}  // namespace

TEST_CASE("a secret is copied and moved, and revealed by that name alone") {
    Secret secret("hunter2");
    const Secret copy = secret;
    CHECK(copy.reveal() == "hunter2");
    const Secret moved = std::move(secret);
    CHECK(moved.reveal() == "hunter2");
    CHECK(Secret().empty());
    CHECK_FALSE(copy.empty());
    Secret other("another, which is longer than a small string");
    other = copy;
    CHECK(other.reveal() == "hunter2");
}

TEST_CASE("the memory of a secret is overwritten at its end") {
    for (const std::string value : {"short", "a value that does not fit into a small string"}) {
        alignas(Secret) std::array<unsigned char, sizeof(Secret)> memory{};
        auto* secret = new (memory.data()) Secret(value);
        secret->~Secret();
        const std::string_view bytes(
            // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast)
            reinterpret_cast<const char*>(memory.data()), memory.size());
        CHECK(bytes.find(value.substr(0, 4)) == std::string_view::npos);
    }
}

TEST_CASE("a process that keeps its memory to itself leaves no core file and is not looked into") {
    const pid_t child = ::fork();
    if (child == 0) {
        keep_memory_to_itself();
        rlimit core{1, 1};
        ::getrlimit(RLIMIT_CORE, &core);
        const bool kept = ::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 && core.rlim_max == 0;
        ::_exit(kept ? 0 : 1);
    }
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
}

TEST_CASE("a variable with a secret is taken once, and is in the environment no longer") {
    static std::string entry = "RUNNER_TEST_TAKEN=hunter2";
    REQUIRE(::putenv(entry.data()) == 0);
    REQUIRE(secret_variable("RUNNER_TEST_TAKEN")->reveal() == "hunter2");
    CHECK(take_secret_variable("RUNNER_TEST_TAKEN")->reveal() == "hunter2");
    CHECK(std::getenv("RUNNER_TEST_TAKEN") == nullptr);
    // What /proc shows of the environment of a process is this memory.
    CHECK(entry.find("hunter2") == std::string::npos);
    CHECK_FALSE(secret_variable("RUNNER_TEST_TAKEN"));
    // Two configs may name the same one.
    CHECK(take_secret_variable("RUNNER_TEST_TAKEN")->reveal() == "hunter2");
    CHECK_FALSE(take_secret_variable("RUNNER_TEST_NOT_THERE"));
    CHECK_FALSE(take_secret_variable(""));
    ::setenv("RUNNER_TEST_EMPTY", "", 1);
    CHECK_FALSE(take_secret_variable("RUNNER_TEST_EMPTY"));
}

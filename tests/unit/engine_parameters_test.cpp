// SPDX-License-Identifier: Apache-2.0
// Values for parameters: from where each comes, which is first, and what is refused.
#include "engine/parameters.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>

#include "model/error.hpp"
#include "support/catch.hpp"
#include "support/engine_world.hpp"
#include "support/file.hpp"

using namespace test;
using namespace runner;
using Catch::Contains;

namespace {

using Values = std::map<std::string, std::string>;

Parameter parameter(const std::string& name, bool required = false, bool secret = false) {
    Parameter one;
    one.name = name;
    one.required = required;
    one.secret = secret;
    return one;
}

/// One upgrade with these parameters, and somebody who gives values for them.
struct Asking {
    World world;  // its terminal
    Manifest manifest = Manifest::undeclared(UpgradeVersion::parse("0.0.51"));
    GivenParameters given;
    KnownParameters known;

    explicit Asking(const Parameter& one) {
        manifest.parameters = {one};
        world.terminal.there = false;
    }
    void give(const std::string& name, const std::string& value, bool secret) {
        if (secret) {
            given.secrets[name] = Secret(value);
        } else {
            given.values[name] = value;
        }
    }
    ParameterValues resolve() {
        return resolve_parameters({&manifest}, given, known, &world.terminal).front();
    }
    std::optional<std::string> value() {
        const std::optional<Secret> found = resolve().at(manifest.parameters.front().name);
        return found ? std::optional(found->reveal()) : std::nullopt;
    }
    /// What is refused; empty: nothing.
    std::string refusal() {
        try {
            resolve();
        } catch (const Error& error) {
            CHECK(error.failure() == Failure::preparation);
            return error.what();
        }
        return {};
    }
};

std::string read(const std::string& place) {
    const Secret secret = read_secret("token", place);
    return secret.reveal();
}

}  // namespace

TEST_CASE("a value is the given one, else the config's, else an earlier one, else the default") {
    Asking asking(parameter("size", true));
    CHECK_THAT(asking.refusal(), Contains("0.0.51 needs 'size', which has no value"));
    asking.manifest.parameters.front().default_value = "by default";
    CHECK(asking.value() == "by default");
    asking.known.kept["size"] = "kept";
    CHECK(asking.value() == "kept");
    asking.known.configured["size"] = "configured";
    CHECK(asking.value() == "configured");
    asking.given.values["size"] = "given";
    CHECK(asking.value() == "given");
}

TEST_CASE("what is not required may stay without a value") {
    Asking asking(parameter("size"));
    const ParameterValues values = asking.resolve();
    REQUIRE(values.size() == 1);
    CHECK_FALSE(values.at("size"));
}

TEST_CASE("a secret comes from --secret alone") {
    Asking asking(parameter("token", true, true));
    asking.known.kept["token"] = "kept";
    asking.manifest.parameters.front().default_value = "by default";
    CHECK_THAT(asking.refusal(), Contains("which has no value"));
    asking.given.secrets["token"] = Secret("given");
    CHECK(asking.value() == "given");
    const std::string misplaced = "a secret: it belongs neither into the config nor into --env";
    asking.given.values["token"] = "shown";
    CHECK_THAT(asking.refusal(), Contains(misplaced));
    asking.given.values.clear();
    asking.known.configured["token"] = "configured";
    CHECK_THAT(asking.refusal(), Contains(misplaced));
}

TEST_CASE("what is no secret is not given as one") {
    Asking asking(parameter("size"));
    asking.given.values["size"] = "1";
    asking.given.secrets["size"] = Secret("1");
    CHECK_THAT(asking.refusal(), Contains("--secret size: it is no secret; give it with --env"));
}

TEST_CASE("a name that nobody declares is told with the option that it was given by") {
    Asking asking(parameter("size"));
    asking.given.values = {{"size", "1"}, {"colour", "red"}};
    asking.given.secrets["token"] = Secret("x");
    const std::string refusal = asking.refusal();
    CHECK_THAT(refusal, Contains("--env colour: no due upgrade declares this parameter") &&
                            Contains("--secret token: no due upgrade declares this parameter"));
    CHECK_THAT(refusal, !Contains("size"));
}

TEST_CASE("all that is wrong with values is told at once, a line each") {
    Asking asking(parameter("size", true));
    asking.manifest.parameters.push_back(parameter("colour", true));
    asking.manifest.parameters.back().description = "of the roof";
    CHECK(asking.refusal() ==
          "0.0.51 needs 'size', which has no value\n"
          "0.0.51 needs 'colour' (of the roof), which has no value");
}

TEST_CASE("a value that does not fit its pattern is told, a secret one is not repeated") {
    for (const bool secret : {false, true}) {
        Asking asking(parameter("size", true, secret));
        asking.manifest.parameters.front().pattern = "[0-9]+";
        asking.give("size", "much", secret);
        CHECK_THAT(asking.refusal(), Contains("does not match [0-9]+"));
        CHECK(has(asking.refusal(), "much") != secret);
        asking.give("size", "12", secret);
        CHECK(asking.refusal().empty());
        asking.manifest.parameters.front().pattern = "[0-9";
        CHECK_THAT(asking.refusal(), Contains("'[0-9' is no regular expression"));
    }
}

TEST_CASE("what has no value otherwise is typed, where somebody can") {
    for (const bool secret : {false, true}) {
        Asking asking(parameter("size", true, secret));
        asking.world.terminal.there = true;
        asking.world.terminal.answer = [](const std::string&) { return std::optional("typed"); };
        CHECK(asking.value() == "typed");
        CHECK(asking.world.terminal.questions.back() == "0.0.51 needs 'size': ");
        CHECK(asking.world.terminal.secret_questions == (secret ? 1U : 0U));
        asking.world.terminal.answer = [](const std::string&) { return std::optional(""); };
        CHECK_THAT(asking.refusal(), Contains("which has no value"));
        asking.give("size", "given", secret);
        asking.world.terminal.questions.clear();
        CHECK(asking.value() == "given");
        CHECK(asking.world.terminal.questions.empty());
    }
}

TEST_CASE("what is kept of values is no secret, and what is hidden is nothing else") {
    Manifest manifest = Manifest::undeclared(UpgradeVersion::parse("0.0.51"));
    manifest.parameters = {parameter("size"), parameter("token", false, true), parameter("colour"),
                           parameter("key", false, true)};
    const ParameterValues values{{"size", Secret("1")},
                                 {"token", Secret("hunter2")},
                                 {"colour", std::nullopt},
                                 {"key", std::nullopt},
                                 {"other", Secret("x")}};
    CHECK(values_to_keep(manifest, values) == Values{{"size", "1"}});
    const std::map<std::string, Secret> secrets = secrets_in(manifest, values);
    REQUIRE(secrets.size() == 1);
    CHECK(secrets.at("token").reveal() == "hunter2");
}

TEST_CASE("a secret is read from a variable, a file or a descriptor, without its last newline") {
    const TemporaryFolder folder("parameters-test");
    const std::string file = (folder.path() / "token").string();
    for (const auto& [content, value] :
         {std::pair("hunter2", "hunter2"), std::pair("hunter2\n", "hunter2"),
          std::pair("hunter2\n\n", "hunter2\n")}) {
        ::setenv("PARAMETERS_TEST", content, 1);
        CHECK(read("env:PARAMETERS_TEST") == value);
        ::unsetenv("PARAMETERS_TEST");
        replace_file(file, content);
        CHECK(read("file:" + file) == value);
        const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
        REQUIRE(fd >= 3);
        CHECK(read("fd:" + std::to_string(fd)) == value);
        CHECK(::fcntl(fd, F_GETFD) == -1);  // nobody else is to have it
    }
}

TEST_CASE("what is no place of a secret, or holds none, is wrong usage") {
    const TemporaryFolder folder("parameters-test");
    const std::string file = (folder.path() / "token").string();
    replace_file(file, "\n");
    for (const std::string& place :
         {std::string("env:PARAMETERS_TEST_ABSENT"), std::string("env:"), std::string("env"),
          std::string("file:"), "file:" + file, "file:" + file + ".absent", std::string("fd:"),
          std::string("fd:0"), std::string("fd:2"), std::string("fd:x"), std::string("fd:3x"),
          std::string("fd:999"), std::string("hunter2"), std::string("other:x")}) {
        CAPTURE(place);
        try {
            read_secret("token", place);
            FAIL("it was read");
        } catch (const Error& error) {
            CHECK(error.failure() == Failure::usage);
            CHECK_THAT(error.what(), Contains("--secret token") && !Contains("hunter2"));
        }
    }
}

TEST_CASE("a secret has at most 64 KiB") {
    const TemporaryFolder folder("parameters-test");
    const std::string file = (folder.path() / "token").string();
    for (const std::size_t size : {std::size_t{64} << 10U, (std::size_t{64} << 10U) + 1}) {
        replace_file(file, std::string(size, 'x'));
        const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
        for (const std::string& place : {"file:" + file, "fd:" + std::to_string(fd)}) {
            if (size == std::size_t{64} << 10U) {
                CHECK(read(place).size() == size);
            } else {
                CHECK_THROWS_AS(read_secret("token", place), Error);
            }
        }
    }
}

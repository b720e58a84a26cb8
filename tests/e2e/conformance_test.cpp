// SPDX-License-Identifier: Apache-2.0
// Conformance: the project's own upgrades keep every rule, and each bad plugin breaks the one that
// it breaks.
#include "support/catch.hpp"

#include <fstream>

#include "support/sandbox.hpp"

using test::Sandbox;

namespace {

/// The rules that a plugin of the test plugins breaks, told to behave in some way.
std::vector<std::string> broken(Sandbox& sandbox, const std::string& plugin,
                                const std::string& behaviour) {
    sandbox.write("fixture/behaviour", "0.1.10000 " + behaviour + "\n");
    const auto before = sandbox.snapshot("fixture");
    const auto result =
        sandbox.run({"conformance", std::string(TEST_PLUGINS_FOLDER) + "/" + plugin + ".so",
                     "--fixture", "fixture", "-o", "json"});
    CHECK(sandbox.snapshot("fixture") == before);
    const runner::Json document = result.json();
    std::vector<std::string> rules;
    for (const runner::Json& rule : document["rules"]) {
        if (rule["verdict"] == "broken") rules.push_back(rule["rule"]);
    }
    CHECK(document["conforms"] == rules.empty());
    CHECK(result.status == (rules.empty() ? 0 : 3));
    return rules;
}

}  // namespace

TEST_CASE("each of the project's upgrades keeps every rule") {
    Sandbox sandbox;
    const std::string plugins = std::string(TEST_PLUGINS_FOLDER) + "/../plugins/";
    std::size_t found = 0;
    for (const auto& entry : std::filesystem::directory_iterator(plugins)) {
        if (entry.path().extension() != ".so") continue;
        ++found;
        const std::string version = entry.path().stem().string().substr(sizeof("upgrade_") - 1);
        std::ifstream arguments(std::string(SOURCE_FOLDER) + "/upgrades/" + version +
                                "/conformance.args");
        std::vector<std::string> command{"conformance", entry.path().string()};
        for (std::string line; std::getline(arguments, line);)
            command.push_back(line.find('/') == std::string::npos
                                  ? line
                                  : std::string(SOURCE_FOLDER) + "/" + line);
        const auto result = sandbox.run(command);
        CHECK(result.status == 0);
    }
    CHECK(found >= 4);
}

TEST_CASE("a good plugin keeps every rule, and what is wrong with a bad one is named") {
    Sandbox sandbox;
    using Rules = std::vector<std::string>;
    CHECK(broken(sandbox, "puppet", "two-steps") == Rules{});
    CHECK(broken(sandbox, "puppet", "ask") == Rules{});
    sandbox.write("fixture/gone", "old\n");
    CHECK(broken(sandbox, "puppet", "removes") == Rules{});
    CHECK(broken(sandbox, "undescribed", "") == Rules{"described"});
    CHECK(broken(sandbox, "constructor_crash", "") == Rules{"loads"});
    CHECK(broken(sandbox, "puppet", "breaks-simulation") == Rules{"simulation-changes-nothing"});
    CHECK(broken(sandbox, "puppet", "breaks-exactness") == Rules{"simulation-is-exact"});
    CHECK(broken(sandbox, "puppet", "breaks-idempotence") == Rules{"idempotent"});
    CHECK(broken(sandbox, "puppet", "breaks-resumption") == Rules{"resumes"});
    sandbox.write("fixture/shared", "shared\n");
    CHECK(broken(sandbox, "files_only", "") == Rules{"idempotent"});  // it appends
    CHECK(broken(sandbox, "puppet", "breaks-modes") == Rules{"simulation-is-exact"});
    CHECK(broken(sandbox, "secretive", "") == Rules{});
    CHECK(broken(sandbox, "secretive", "write") == Rules{"secrets-stay-secret"});
    sandbox.write("fixture/fail-undo", "");
    CHECK(broken(sandbox, "reversible", "") == Rules{"idempotent", "rollback-restores"});
    CHECK(broken(sandbox, "puppet", "breaks-permissions") == Rules{"permissions"});
    CHECK(broken(sandbox, "puppet", "breaks-declining") == Rules{"declining-fails"});
    CHECK(broken(sandbox, "puppet", "breaks-verification") == Rules{"applies"});
}

TEST_CASE("conformance of what is no plugin, or needs a value, is an error and no verdict") {
    Sandbox sandbox;
    sandbox.write("program", "#!/bin/sh\n");
    auto result = sandbox.run({"conformance", "program"});
    CHECK(result.status == 2);
    CHECK_THAT(result.err, Catch::Contains("is no plugin"));
    result = sandbox.run({"conformance", "absent.so"});
    CHECK(result.status != 0);
    CHECK_THAT(result.err, Catch::Contains("absent.so"));
}

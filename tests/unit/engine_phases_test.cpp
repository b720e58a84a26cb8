// SPDX-License-Identifier: Apache-2.0
// What the phases of an upgrade are asked for, and how their ends are told.
#include <algorithm>

#include "support/catch.hpp"
#include "support/engine_world.hpp"
#include "support/two_files.hpp"

using namespace test;
using namespace runner;
using Catch::Contains;
using namespace std::chrono_literals;
using Strings = std::vector<std::string>;

namespace {

/// The requests for this phase.
std::vector<PhaseRequest> requests(const World& world, HostPhase phase,
                                   const std::string& version = "0.0.51") {
    std::vector<PhaseRequest> found;
    for (const SeenRequest& one : world.stage.requests) {
        if (one.version == version && one.request.phase == phase) found.push_back(one.request);
    }
    return found;
}

ScriptedUpgrade with_all_phases(const std::string& version = "0.0.51") {
    ScriptedUpgrade upgrade = ScriptedUpgrade::of(version).edits("app").sets("x", "1", "0");
    upgrade.preflight = upgrade.verify = good();
    return upgrade.reversible();
}

/// Its preflight fails with these words.
std::string told_when_refused(World& world, const std::string& message) {
    ScriptedUpgrade upgrade = with_all_phases();
    upgrade.manifest.permissions.write = {"app", "conf"};
    upgrade.preflight = bad(PhaseEnd::failed, message);
    world.publish(upgrade);
    return words(world.upgrade());
}

}  // namespace

TEST_CASE("every phase is held to what its manifest declares") {
    World world;
    world.config.region = "eu-1";
    world.config.account_id = "123";
    ScriptedUpgrade upgrade = with_all_phases();
    upgrade.manifest.timeout = 7min;
    upgrade.manifest.permissions.network = true;
    world.publish(upgrade);
    REQUIRE(world.upgrade()->exit_code == 0);
    REQUIRE(undo(world)->exit_code == 0);
    for (const HostPhase phase :
         {HostPhase::preflight, HostPhase::simulate, HostPhase::apply, HostPhase::verify,
          HostPhase::simulate_rollback, HostPhase::rollback}) {
        INFO(to_string(phase));
        const std::vector<PhaseRequest> found = requests(world, phase);
        REQUIRE_FALSE(found.empty());
        const PhaseRequest& request = found.front();
        CHECK(request.write_paths == Strings{"."});
        CHECK(request.commands == Strings{"set"});
        CHECK(request.network);
        CHECK(request.sandbox);
        CHECK(request.timeout == 7min);
        CHECK(request.repository == "/cluster");
        CHECK(request.form == UpgradeForm::plugin);
        CHECK(request.image >= 0);
        CHECK(request.arguments.empty());
        CHECK(request.info ==
              std::map<std::string, std::string>{{"version", "0.0.51"},
                                                 {"clusterName", "demo"},
                                                 {"clusterRegion", "eu-1"},
                                                 {"clusterAccountID", "123"},
                                                 {"repositoryDirectory", "/cluster"},
                                                 {"debug", "false"}});
    }
}

TEST_CASE("until something was changed the first signal ends a phase, and later the second") {
    World world;
    world.publish(with_all_phases());
    REQUIRE(world.upgrade()->exit_code == 0);
    REQUIRE(undo(world)->exit_code == 0);
    const auto stops_at_once = [&](HostPhase phase) {
        return requests(world, phase).front().stop_at_first_signal;
    };
    CHECK(stops_at_once(HostPhase::preflight));
    CHECK(stops_at_once(HostPhase::simulate));
    CHECK(stops_at_once(HostPhase::simulate_rollback));
    CHECK_FALSE(stops_at_once(HostPhase::apply));
    CHECK_FALSE(stops_at_once(HostPhase::verify));
    CHECK_FALSE(stops_at_once(HostPhase::rollback));
}

TEST_CASE("the description of a plugin is compared where it is run first, and not again") {
    World world;
    world.publish(with_all_phases());
    REQUIRE(world.upgrade()->exit_code == 0);
    REQUIRE(undo(world)->exit_code == 0);
    for (const SeenRequest& one : world.stage.requests) {
        const HostPhase phase = one.request.phase;
        INFO(to_string(phase));
        CHECK(one.compares_description ==
              (phase == HostPhase::preflight || phase == HostPhase::simulate));
    }
}

TEST_CASE("the kernel enforces nothing where the config switches that off, and a warning says so") {
    World world;
    world.config.policy.enforcement = Enforcement::disabled;
    world.publish(with_all_phases());
    REQUIRE(world.upgrade()->exit_code == 0);
    for (const SeenRequest& one : world.stage.requests) CHECK_FALSE(one.request.sandbox);
    CHECK(world.reporter.count("warning: the config's policy has the kernel enforce nothing") == 1);
}

TEST_CASE("what the kernel cannot enforce is told once before anything runs") {
    for (const auto& [support, told] :
         {std::pair(SandboxSupport::none, "this kernel has no Landlock"),
          std::pair(SandboxSupport::files, "this kernel's Landlock knows no network"),
          std::pair(SandboxSupport::files_and_network, "")}) {
        World world;
        world.processes.support = support;
        world.publish(with_all_phases());
        REQUIRE(world.upgrade()->exit_code == 0);
        CHECK(world.reporter.count("Landlock") == (*told == '\0' ? 0U : 1U));
        CHECK(world.reporter.told(told));
        REQUIRE(run_verify(world.parts(), {}).warnings.empty());
    }
}

TEST_CASE("what the kernel refuses is told with what the manifest declares") {
    World world;
    CHECK_THAT(told_when_refused(world, "open x: Permission denied"),
               Contains("; the kernel allows it only what its manifest declares: writing below "
                        "app, conf, the commands set, no network; and no writing in this phase"));
}

TEST_CASE("other words than the kernel's are told as they are") {
    World world;
    CHECK_THAT(told_when_refused(world, "open x: No such file"), !Contains("the kernel allows"));
}

TEST_CASE("where nothing is enforced a refusal is not the manifest's") {
    World without;
    without.processes.support = SandboxSupport::none;
    CHECK_THAT(told_when_refused(without, "open x: Permission denied"),
               !Contains("the kernel allows"));
    World disabled;
    disabled.config.policy.enforcement = Enforcement::disabled;
    CHECK_THAT(told_when_refused(disabled, "open x: Permission denied"),
               !Contains("the kernel allows"));
}

TEST_CASE("a refusal that an upgrade has only printed is seen, too, while it applies") {
    World world;
    ScriptedUpgrade upgrade = ScriptedUpgrade::of("0.0.51");
    upgrade.sets("x", "y").prints = "open x: Permission denied";
    upgrade.manifest.permissions.network = true;
    world.publish(upgrade.fails(HostPhase::apply, 3));
    const std::string told = words(world.upgrade());
    CHECK_THAT(told, Contains("writing below nothing, the commands set, network"));
    CHECK_THAT(told, !Contains("no writing in this phase"));
}

TEST_CASE("a program is told how to run, and whether somebody can answer it") {
    for (const bool yes : {false, true}) {
        for (const bool debug : {false, true}) {
            World world;
            world.publish(ScriptedUpgrade::of("0.0.51").edits("app").executable());
            UpgradeRequest request;
            request.yes = yes;
            request.debug = debug;
            REQUIRE(world.upgrade(request)->exit_code == 0);
            for (const HostPhase phase : {HostPhase::simulate, HostPhase::apply}) {
                const auto found = requests(world, phase);
                REQUIRE(found.size() == 1);
                Strings arguments;
                if (debug) arguments.emplace_back("--debug");
                arguments.emplace_back(phase == HostPhase::apply ? "--dry-run=false"
                                                                 : "--dry-run=true");
                if (yes) arguments.emplace_back("--confirm");
                CHECK(found[0].arguments == arguments);
                CHECK(found[0].relay_input != yes);
                CHECK(found[0].info.at("debug") == (debug ? "true" : "false"));
                CHECK(found[0].form == UpgradeForm::executable);
                CHECK(found[0].finished_steps.empty());
            }
            CHECK(requests(world, HostPhase::preflight).empty());
        }
    }
}

TEST_CASE("the next process is made ready where another phase follows") {
    World world;
    for (const char* version : {"0.0.51", "0.0.52"})
        world.publish(ScriptedUpgrade::of(version).edits("app")).verify = good();
    REQUIRE(world.upgrade()->exit_code == 0);
    for (const HostPhase phase : {HostPhase::simulate, HostPhase::apply, HostPhase::verify}) {
        INFO(to_string(phase));
        CHECK(requests(world, phase, "0.0.51").front().another_follows);
    }
    CHECK_FALSE(requests(world, HostPhase::apply, "0.0.52").front().another_follows);
    CHECK_FALSE(requests(world, HostPhase::verify, "0.0.52").front().another_follows);
}

TEST_CASE("originals are kept for each phase apart, below those of the upgrade") {
    World world;
    world.publish(with_all_phases());
    REQUIRE(world.upgrade()->exit_code == 0);
    const auto apply = requests(world, HostPhase::apply).front().backup_folder;
    const auto verify = requests(world, HostPhase::verify).front().backup_folder;
    CHECK(apply.parent_path() == "/state/originals/0.0.51");
    CHECK(verify.parent_path() == "/state/originals/0.0.51");
    CHECK(apply != verify);
}

TEST_CASE("processes that a phase has left behind are told, each time") {
    for (const std::uint32_t strays : {0U, 1U, 2U}) {
        World world;
        ScriptedUpgrade upgrade = ScriptedUpgrade::of("0.0.51").edits("app");
        upgrade.strays = strays;
        upgrade.verify = good();
        world.publish(upgrade);
        REQUIRE(world.upgrade()->exit_code == 0);
        CHECK(world.reporter.count("warning: 0.0.51 left 1 process behind; ended") ==
              (strays == 1 ? 3U : 0U));
        CHECK(world.reporter.count("warning: 0.0.51 left 2 processes behind; ended") ==
              (strays == 2 ? 3U : 0U));
    }
}

TEST_CASE("the end of a phase has words of its own") {
    struct Row {
        PhaseEnd end;
        HostPhase phase;
        const char* words;
    };
    for (const Row& row : {Row{PhaseEnd::ok, HostPhase::apply, "applied; recording"},
                           Row{PhaseEnd::ok, HostPhase::verify, "applied; recording"},
                           Row{PhaseEnd::ok, HostPhase::simulate, "simulated"},
                           Row{PhaseEnd::ok, HostPhase::preflight, "simulated"},
                           Row{PhaseEnd::nothing_to_do, HostPhase::preflight, "nothing to do: so"},
                           Row{PhaseEnd::blocked, HostPhase::preflight, "blocked: so; then"},
                           Row{PhaseEnd::not_loaded, HostPhase::simulate, "cannot be loaded: so"},
                           Row{PhaseEnd::aborted, HostPhase::apply, "aborted: so"},
                           Row{PhaseEnd::cancelled, HostPhase::apply, "cancelled: so"},
                           Row{PhaseEnd::changed, HostPhase::apply, "so"},
                           Row{PhaseEnd::failed, HostPhase::apply, "apply failed: so"},
                           Row{PhaseEnd::timed_out, HostPhase::simulate, "simulate failed: so"},
                           Row{PhaseEnd::failed, HostPhase::verify, "verification failed: so"}}) {
        PhaseResult result;
        result.end = row.end;
        result.message = "so";
        result.remedy = "then";
        CHECK(words_for(result, row.phase) == row.words);
    }
    PhaseResult blocked;
    blocked.end = PhaseEnd::blocked;
    blocked.message = "so";
    CHECK(words_for(blocked, HostPhase::preflight) == "blocked: so");
}

TEST_CASE("what a phase has printed last is told and logged, also without its newline") {
    World world;
    ScriptedUpgrade upgrade = ScriptedUpgrade::of("0.0.51").edits("app");
    upgrade.prints = "first\nlast words";
    world.publish(upgrade);
    const auto report = world.upgrade();
    REQUIRE(report->exit_code == 0);
    const std::size_t phases = world.stage.phases.size();
    CHECK(world.reporter.count("line: first") == phases);
    CHECK(world.reporter.count("line: last words") == phases);
    CHECK(count(world.folder.logs.at("logs/" + report->run + "/0.0.51.log"), "  last words") == 1);
}

TEST_CASE("what needs the changes of one that is not shown yet is shown after it") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").sets("x", "1"));
    world.publish(ScriptedUpgrade::of("0.0.52").edits("app").needs("x", "1"));
    world.publish(ScriptedUpgrade::of("0.0.53").edits("conf").fails(HostPhase::simulate, 1));
    const auto report = world.upgrade();
    INFO(words(report));
    CHECK(report->exit_code == 0);
    CHECK(world.reporter.told("simulate good: 0.0.53: cannot be shown before 0.0.51 has run: "));
    CHECK(world.done() == Strings{"0.0.51", "0.0.52", "0.0.53"});
}

TEST_CASE("all archives are fetched before the first phase runs") {
    World world;
    for (const char* version : {"0.0.51", "0.0.52"})
        world.publish(ScriptedUpgrade::of(version).edits(version));
    std::optional<std::size_t> fetched;
    world.stage.before_phase = [&](const std::string&, HostPhase) {
        if (!fetched)
            fetched = static_cast<std::size_t>(
                std::count_if(world.source.fetched.begin(), world.source.fetched.end(),
                              [](const std::string& name) { return has(name, ".tar.gz"); }));
    };
    REQUIRE(world.upgrade()->exit_code == 0);
    CHECK(fetched == 2U);
}

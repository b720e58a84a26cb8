// SPDX-License-Identifier: Apache-2.0
// What every store of the ledger keeps to, whatever it keeps it in: steps, files, and what is
// unsettled.
#include "support/ledger_places.hpp"

using namespace runner;
using namespace test;

TEST_CASE("steps are kept in their order, with their values, until they are undone") {
    EACH_PLACE(place);
    const auto ledger = place.start();
    begin(*ledger, "r1");
    ledger->advance("r1", std::nullopt, attempt("0.0.2"));
    ledger->record_files("r1", "0.0.2", "a", {change("f")});
    CHECK(ledger->facts().has_unfinished_files);
    ledger->record_step("r1", "0.0.2", "a", {{{0, "k"}, "1"}});
    CHECK_FALSE(ledger->facts().has_unfinished_files);
    for (const std::string step : {"m", "z"}) ledger->record_step("r1", "0.0.2", step, {});
    CHECK(ledger->finished_steps("0.0.2") == Names{"a", "m", "z"});
    CHECK(ledger->finished_steps("0.0.3").empty());
    CHECK(ledger->state_value(0, "0.0.2", "k") == "1");
    ledger->record_step_undone("r1", "0.0.2", "a", {{{0, "k"}, "2"}});
    CHECK(ledger->finished_steps("0.0.2") == Names{"m", "z"});
    CHECK(ledger->state_value(0, "0.0.2", "k") == "2");
    CHECK(ledger->facts().has_unfinished_files);  // to be put back
    ledger->record_step("r1", "0.0.2", "a", {});
    ledger->record_step("r1", "0.0.2", "b", {});
    ledger->record_step("r1", "0.0.2", "m", {});  // again
    CHECK(ledger->finished_steps("0.0.2") == Names{"z", "a", "b", "m"});
}

TEST_CASE(
    "of an upgrade whose files are undone no step is finished, and all files are to be put back") {
    EACH_PLACE(place);
    const auto ledger = place.start();
    begin(*ledger, "r1");
    attempt_whole(*ledger, "r1", "0.0.2", Outcome::succeeded, {change("f")});
    attempt_whole(*ledger, "r1", "0.0.3", Outcome::succeeded, {change("g")});
    REQUIRE(ledger->finished_steps("0.0.2") == Names{"one"});
    ledger->record_files_undone("r1", "0.0.2");
    CHECK(ledger->finished_steps("0.0.2").empty());
    CHECK(ledger->finished_steps("0.0.3") == Names{"one"});
    const auto unfinished = ledger->unfinished_files();
    REQUIRE(unfinished.size() == 1);
    CHECK(unfinished.front().version == "0.0.2");
    CHECK(unfinished.front().changes.at(0).path == "f");
    CHECK(ledger->done().size() == 2);  // until its attempt is closed
}

TEST_CASE("with a step goes what was changed after it outside of steps") {
    EACH_PLACE(place);
    const auto ledger = place.start();
    begin(*ledger, "r1");
    ledger->advance("r1", std::nullopt, attempt("0.0.2"));
    ledger->record_files("r1", "0.0.2", "", {change("before")});
    ledger->record_files("r1", "0.0.2", "a", {change("of a")});
    ledger->record_step("r1", "0.0.2", "a", {});
    ledger->record_files("r1", "0.0.2", "b", {change("of b")});
    ledger->record_step("r1", "0.0.2", "b", {});
    ledger->record_files("r1", "0.0.2", "", {change("after")});
    ledger->advance("r1", ended("0.0.2", Outcome::succeeded), std::nullopt);
    REQUIRE_FALSE(ledger->facts().has_unfinished_files);
    const auto unfinished = [&] {
        Names paths;
        for (const UnfinishedFiles& files : ledger->unfinished_files()) {
            for (const FileIntent& file : files.changes) paths.push_back(file.path);
        }
        return paths;
    };
    ledger->record_step_undone("r1", "0.0.2", "none", {});
    CHECK(unfinished().empty());
    ledger->record_step_undone("r1", "0.0.2", "b", {});
    CHECK(unfinished() == Names{"after", "of b"});
    ledger->forget_unfinished_files();
    ledger->record_step_undone("r1", "0.0.2", "a", {});
    CHECK(unfinished() == Names{"of a"});
}

TEST_CASE("changes of files come newest first, with whose they are and their order among all") {
    EACH_PLACE(place);
    const auto ledger = place.start();
    begin(*ledger, "r1");
    FileIntent removed;
    removed.path = "gone";
    removed.backup = "originals/1";
    removed.old_digest = digest('e');
    attempt_whole(*ledger, "r1", "0.0.2", Outcome::succeeded, {change("f"), removed});
    attempt_whole(*ledger, "r1", "0.0.3", Outcome::succeeded, {change("g")});
    ledger->record_files("r1", "0.0.2", "again", {change("f", "originals/2")});
    const std::vector<FileIntent> changes = place.look()->changed_files("0.0.2");
    REQUIRE(paths_of(changes) == Names{"0.0.2 f", "0.0.2 gone", "0.0.2 f"});
    CHECK(changes.at(0).number == 4);
    CHECK(changes.at(1).number == 2);
    CHECK(changes.at(2).number == 1);
    CHECK(changes.at(0).backup == "originals/2");
    CHECK(changes.at(1).temporary.empty());
    CHECK_FALSE(changes.at(1).new_digest);
    CHECK(changes.at(1).old_digest == digest('e'));
    CHECK(changes.at(2).temporary == ".f.new");
    CHECK(changes.at(2).new_digest == digest('b'));
    CHECK(changes.at(2).old_digest == digest('c'));
    CHECK(changes.at(2).kept);
}

TEST_CASE("a change says in which step it was made") {
    EACH_PLACE(place);
    const auto ledger = place.start();
    begin(*ledger, "r1");
    ledger->advance("r1", std::nullopt, attempt("0.0.2"));
    ledger->record_files("r1", "0.0.2", "one", {change("f")});
    ledger->record_step("r1", "0.0.2", "one", {});
    ledger->record_files("r1", "0.0.2", "", {change("g")});
    const std::vector<FileIntent> changes = place.look()->changed_files("0.0.2");
    REQUIRE(changes.size() == 2);
    CHECK(changes.at(0).step.empty());
    CHECK(changes.at(1).step == "one");
    REQUIRE(ledger->unfinished_files().size() == 1);
    CHECK(ledger->unfinished_files().front().changes.front().step.empty());
}

TEST_CASE("the manifest of the newest attempt is kept, with its form and whether it has a check") {
    EACH_PLACE(place);
    const auto ledger = place.start();
    begin(*ledger, "r1");
    CHECK_FALSE(ledger->manifest_of("0.0.2"));
    ledger->advance("r1", std::nullopt, attempt("0.0.2"));
    CHECK_FALSE(ledger->manifest_of("0.0.2"));  // an attempt that kept none
    AttemptStart start = attempt("0.0.2");
    start.form = UpgradeForm::executable;
    start.manifest = "{\"schema\": 1}";
    start.has_check = false;
    AttemptEnd end;
    end.version = "0.0.2";
    ledger->advance("r1", end, start);
    auto kept = place.look()->manifest_of("0.0.2");
    REQUIRE(kept);
    CHECK(kept->form == UpgradeForm::executable);
    CHECK(kept->text == "{\"schema\": 1}");
    CHECK_FALSE(kept->has_check);
    start.form = UpgradeForm::plugin;
    start.manifest = "{}";
    start.has_check = true;
    ledger->advance("r1", end, start);
    kept = place.look()->manifest_of("0.0.2");
    REQUIRE(kept);
    CHECK(kept->form == UpgradeForm::plugin);
    CHECK(kept->text == "{}");
    CHECK(kept->has_check);
    CHECK_FALSE(ledger->manifest_of("0.0.3"));
}

TEST_CASE("unfinished changes come by upgrade, newest first, until they are put back") {
    EACH_PLACE(place);
    const auto ledger = place.start();
    begin(*ledger, "r1");
    attempt_whole(*ledger, "r1", "0.0.2", Outcome::succeeded, {change("whole")});
    ledger->record_files("r1", "0.0.3", "s", {change("f"), change("g")});
    ledger->record_files("r1", "0.0.4", "s", {change("h")});
    const std::vector<UnfinishedFiles> unfinished = ledger->unfinished_files();
    REQUIRE(unfinished.size() == 2);
    CHECK(unfinished.at(0).version == "0.0.4");
    CHECK(paths_of(unfinished.at(0).changes) == Names{"0.0.4 h"});
    CHECK(unfinished.at(1).version == "0.0.3");
    CHECK(paths_of(unfinished.at(1).changes) == Names{"0.0.3 g", "0.0.3 f"});
    CHECK(unfinished.at(1).changes.front().number == 3);
    ledger->forget_unfinished_files();
    CHECK(ledger->unfinished_files().empty());
    CHECK(ledger->changed_files("0.0.3").empty());
    CHECK(ledger->changed_files("0.0.2").size() == 1);
    const std::size_t events = place.history().size();
    ledger->forget_unfinished_files();
    CHECK(place.history().size() == events);
}

TEST_CASE("files are as the newest done upgrade has left them") {
    EACH_PLACE(place);
    const auto ledger = place.start();
    begin(*ledger, "r1");
    attempt_whole(*ledger, "r1", "0.0.2", Outcome::succeeded, {change("z"), change("f")});
    attempt_whole(*ledger, "r1", "0.0.3", Outcome::succeeded, {change("f")});
    attempt_whole(*ledger, "r1", "0.0.4", Outcome::failed, {change("f"), change("g")});
    ledger->record_files("r1", "0.0.3", "unfinished", {change("z")});
    const std::vector<LeftFile> files = ledger->files_as_left();
    REQUIRE(files.size() == 2);
    CHECK(files.at(0).path + ' ' + files.at(0).version == "f 0.0.3");
    CHECK(files.at(0).state.digest == digest('b'));
    CHECK(files.at(1).path + ' ' + files.at(1).version == "z 0.0.2");
}

TEST_CASE("who changed an upgrade's files later is known, newest first") {
    EACH_PLACE(place);
    const auto ledger = place.start();
    begin(*ledger, "r1");
    attempt_whole(*ledger, "r1", "0.0.1", Outcome::succeeded, {change("f")});  // before it
    attempt_whole(*ledger, "r1", "0.0.2", Outcome::succeeded, {change("f"), change("g")});
    attempt_whole(*ledger, "r1", "0.0.3", Outcome::succeeded, {change("g"), change("other")});
    attempt_whole(*ledger, "r1", "0.0.4", Outcome::failed, {change("g"), change("f")});
    CHECK(paths_of(place.look()->changed_later("0.0.2")) == Names{"0.0.4 f", "0.0.4 g", "0.0.3 g"});
    CHECK(ledger->changed_later("0.0.2").front().number > 5);
    // What it has changed itself since is its own again.
    ledger->record_files("r1", "0.0.2", "more", {change("g")});
    CHECK(paths_of(ledger->changed_later("0.0.2")) == Names{"0.0.4 f"});
    CHECK(paths_of(ledger->changed_later("0.0.3")) == Names{"0.0.2 g", "0.0.4 g"});
    ledger->advance("r1", ended("0.0.4", Outcome::rolled_back), std::nullopt);  // not in force
    CHECK(ledger->changed_later("0.0.2").empty());
    CHECK(ledger->changed_later("0.0.9").empty());
}

TEST_CASE("only the newest upgrades that have replaced files keep their originals") {
    EACH_PLACE(place);
    const auto ledger = place.start();
    begin(*ledger, "r1");
    attempt_whole(*ledger, "r1", "0.0.9", Outcome::succeeded, {change("a", "originals/1")});
    attempt_whole(*ledger, "r1", "0.0.2", Outcome::succeeded, {change("b", "originals/2")});
    attempt_whole(*ledger, "r1", "0.0.3", Outcome::succeeded, {change("new")});
    attempt_whole(*ledger, "r1", "0.0.4", Outcome::succeeded, {change("c", "originals/3")});
    attempt_whole(*ledger, "r1", "0.0.5", Outcome::failed, {change("d", "originals/4")});
    CHECK(ledger->forget_old_originals(3).empty());
    CHECK(ledger->forget_old_originals(1) == Names{"0.0.2", "0.0.9"});
    CHECK_FALSE(ledger->changed_files("0.0.2").front().kept);
    CHECK_FALSE(ledger->changed_files("0.0.9").front().kept);
    CHECK(ledger->changed_files("0.0.4").front().kept);
    CHECK(ledger->changed_files("0.0.5").front().kept);
    CHECK(ledger->forget_old_originals(1).empty());
}

TEST_CASE("what is rolled back leaves nothing but its history, its pin and what is the cluster's") {
    EACH_PLACE(place);
    const auto ledger = place.start();
    begin(*ledger, "r1");
    for (const std::string name : {"0.0.2", "0.0.3"}) {
        ledger->advance("r1", std::nullopt, attempt(name));
        ledger->record_files("r1", name, "one", {change("f")});
        ledger->record_step("r1", name, "one", {{{0, "own"}, name}, {{1, "shared"}, name}});
        AttemptEnd end = ended(name, Outcome::succeeded);
        end.cluster_version = version(name);
        ledger->advance("r1", end, std::nullopt);
    }
    ledger->advance("r1", std::nullopt, attempt("0.0.3"));
    AttemptEnd end = ended("0.0.3", Outcome::rolled_back);
    end.lowered_version = version("0.0.2");
    ledger->advance("r1", end, std::nullopt);
    const LedgerFacts facts = ledger->facts();
    CHECK(facts.cluster.done.size() == 1);
    CHECK(facts.cluster.cluster_version == version("0.0.2"));
    CHECK(facts.unsettled.empty());
    CHECK(ledger->finished_steps("0.0.3").empty());
    CHECK(ledger->changed_files("0.0.3").empty());
    CHECK_FALSE(ledger->state_value(0, "0.0.3", "own"));
    CHECK(ledger->state_value(1, "", "shared") == "0.0.3");
    CHECK(ledger->pinned("0.0.3", "Linux_amd64"));
    CHECK(ledger->finished_steps("0.0.2") == Names{"one"});
    CHECK(ledger->changed_files("0.0.2").size() == 1);
    CHECK(ledger->state_value(0, "0.0.2", "own") == "0.0.2");
    CHECK(ledger->files_as_left().front().version == "0.0.2");
}

TEST_CASE("an upgrade is unsettled until its newest attempt settles it") {
    EACH_PLACE(place);
    const auto ledger = place.start();
    begin(*ledger, "r1");
    const std::map<Outcome, Settles> settles{
        {Outcome::succeeded, Settles::upgrade},       {Outcome::nothing_to_do, Settles::upgrade},
        {Outcome::rolled_back, Settles::upgrade},     {Outcome::blocked, Settles::attempt},
        {Outcome::skipped, Settles::attempt},         {Outcome::failed, Settles::nothing},
        {Outcome::rollback_failed, Settles::nothing}, {Outcome::cancelled, Settles::nothing},
        {Outcome::interrupted, Settles::nothing},     {Outcome::aborted, Settles::nothing}};
    for (const auto& [outcome, what] : settles) {
        CAPTURE(to_string(outcome));
        CHECK(settled_by(outcome) == what);
        const bool is = what != Settles::nothing;
        ledger->advance("r1", std::nullopt, attempt("0.0.2"));
        CHECK(ledger->facts().unsettled.size() == 1);  // it runs
        CHECK_FALSE(ledger->facts().unsettled.front().outcome);
        ledger->advance("r1", ended("0.0.2", outcome), std::nullopt);
        const auto unsettled = place.look()->facts().unsettled;
        REQUIRE(unsettled.size() == (is ? 0U : 1U));
        if (!is) CHECK(unsettled.front().outcome == outcome);
        attempt_whole(*ledger, "r1", "0.0.2", Outcome::succeeded);
    }
    CHECK(settled_by(std::nullopt) == Settles::nothing);
}

TEST_CASE("an attempt that began nothing leaves the upgrade as it stood") {
    EACH_PLACE(place);
    const auto ledger = place.start();
    begin(*ledger, "r1");
    attempt_whole(*ledger, "r1", "0.0.2", Outcome::failed, {change("f")});
    attempt_whole(*ledger, "r1", "0.0.2", Outcome::blocked);
    const auto unsettled = ledger->facts().unsettled;
    REQUIRE(unsettled.size() == 1);
    CHECK(unsettled.front().outcome == Outcome::failed);
    CHECK(unsettled.front().has_files);
}

TEST_CASE("what an upgrade did that is listed nowhere stays known until it is settled") {
    EACH_PLACE(place);
    const auto ledger = place.start();
    begin(*ledger, "r1");
    const auto other_effects = [&] { return ledger->facts().unsettled.at(0).other_effects; };
    ledger->advance("r1", std::nullopt, attempt("0.0.2"));
    ledger->advance("r1", std::nullopt, attempt("0.0.3"));
    ledger->record_other_effects("r1", "0.0.2");
    CHECK_FALSE(other_effects());  // 0.0.3 is the newest
    ledger->advance("r1", ended("0.0.3", Outcome::rolled_back), std::nullopt);
    CHECK(other_effects());
    ledger->advance("r1", ended("0.0.2", Outcome::failed), std::nullopt);
    attempt_whole(*ledger, "r1", "0.0.2", Outcome::failed);
    CHECK(other_effects());                       // though the newest attempt has done nothing
    ledger->record_other_effects("r1", "0.0.2");  // of no attempt that is open
    attempt_whole(*ledger, "r1", "0.0.2", Outcome::succeeded);
    attempt_whole(*ledger, "r1", "0.0.2", Outcome::failed);
    CHECK_FALSE(other_effects());
    AttemptStart start = attempt("0.0.4");
    start.other_effects = true;
    ledger->advance("r1", std::nullopt, start);
    CHECK(other_effects());
}

TEST_CASE("a step that is finished or undone covers the commands that were run for it") {
    EACH_PLACE(place);
    const auto ledger = place.start();
    begin(*ledger, "r1");
    const auto other_effects = [&] { return ledger->facts().unsettled.at(0).other_effects; };
    for (const bool at_any_time : {false, true}) {
        AttemptStart start = attempt("0.0.2");
        start.other_effects = at_any_time;
        ledger->advance("r1", std::nullopt, start);
        ledger->record_other_effects("r1", "0.0.2");
        CHECK(other_effects());
        ledger->record_step("r1", "0.0.3", "one", {});
        CHECK(other_effects());
        ledger->record_step("r1", "0.0.2", "one", {});
        CHECK(other_effects() == at_any_time);
        ledger->record_other_effects("r1", "0.0.2");
        ledger->record_step_undone("r1", "0.0.2", "one", {});
        CHECK(other_effects() == at_any_time);
        ledger->advance("r1", ended("0.0.2", Outcome::succeeded), std::nullopt);
    }
}

TEST_CASE("what succeeds without being recorded as done leaves nothing but its history") {
    EACH_PLACE(place);
    const auto ledger = place.start();
    begin(*ledger, "r1");
    ledger->advance("r1", std::nullopt, attempt("0.0.2"));
    ledger->record_files("r1", "0.0.2", "one", {change("f")});
    ledger->record_step("r1", "0.0.2", "one", {{{0, "own"}, "1"}, {{1, "shared"}, "1"}});
    ledger->record_files("r1", "0.0.2", "", {change("g")});
    AttemptEnd end = ended("0.0.2", Outcome::succeeded);
    end.done = false;
    ledger->advance("r1", end, std::nullopt);
    CHECK(ledger->done().empty());
    CHECK(ledger->finished_steps("0.0.2").empty());
    CHECK(ledger->changed_files("0.0.2").empty());
    CHECK_FALSE(ledger->facts().has_unfinished_files);
    CHECK_FALSE(ledger->state_value(0, "0.0.2", "own"));
    CHECK(ledger->state_value(1, "0.0.2", "shared") == "1");
    CHECK(ledger->facts().unsettled.empty());
    CHECK(ledger->runs(1).front().attempts.size() == 1);
    // Of what is done already nothing is taken away.
    attempt_whole(*ledger, "r1", "0.0.2", Outcome::succeeded, {change("f")});
    ledger->advance("r1", std::nullopt, attempt("0.0.2"));
    ledger->advance("r1", end, std::nullopt);
    CHECK(ledger->finished_steps("0.0.2") == Names{"one"});
    CHECK(ledger->changed_files("0.0.2").size() == 1);
}

TEST_CASE("what is unsettled is told with what is left of it, the newest attempt first") {
    EACH_PLACE(place);
    const auto ledger = place.start();
    begin(*ledger, "r1");
    attempt_whole(*ledger, "r1", "0.0.3", Outcome::failed);
    attempt_whole(*ledger, "r1", "0.0.2", Outcome::succeeded, {change("f")});
    attempt_whole(*ledger, "r1", "0.0.4", Outcome::cancelled);
    finish(*ledger, "r1", false);
    begin(*ledger, "r2", "rollback");
    ledger->advance("r2", std::nullopt, attempt("0.0.2", 'd'));
    AttemptEnd end = ended("0.0.2", Outcome::rollback_failed);
    end.message = "no way back";
    ledger->advance("r2", end, attempt("0.0.3"));
    const std::vector<UnsettledUpgrade> unsettled = place.look()->facts().unsettled;
    REQUIRE(versions_of(unsettled) == Names{"0.0.3", "0.0.2", "0.0.4"});
    CHECK_FALSE(unsettled.at(0).outcome);
    CHECK_FALSE(unsettled.at(0).done);
    CHECK_FALSE(unsettled.at(0).has_files);
    const UnsettledUpgrade& half = unsettled.at(1);
    CHECK(half.tag + ' ' + half.platform == "v0.0.2 Linux_amd64");
    CHECK(half.digest == digest('d').to_string());
    CHECK(half.run == "r2");
    CHECK(half.outcome == Outcome::rollback_failed);
    CHECK(half.message == "no way back");
    CHECK(half.done);
    CHECK(half.finished_steps == Names{"one"});
    CHECK(half.has_files);
    CHECK(unsettled.at(2).run == "r1");
    CHECK(unsettled.at(2).outcome == Outcome::cancelled);
    CHECK(unsettled.at(2).finished_steps.empty());
}

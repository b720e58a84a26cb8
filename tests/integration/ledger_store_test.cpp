// SPDX-License-Identifier: Apache-2.0
// What every store of the ledger keeps to, whatever it keeps it in: the cluster, runs, and what
// people change.
#include "engine/run_folder.hpp"
#include "support/ledger_places.hpp"

using namespace runner;
using namespace test;

TEST_CASE("a ledger that is not there looks empty, and looking does not make it") {
    EACH_PLACE(place);
    for (int i = 0; i < 2; ++i) {
        const auto view = place.look();
        CHECK_FALSE(view->facts().identity);
        CHECK_FALSE(view->facts().has_unfinished_run);
        CHECK(view->facts().last_attempt == 0);
        CHECK(view->facts().unsettled.empty());
        CHECK(view->done().empty());
        CHECK(view->runs(9).empty());
        CHECK(view->tallies().empty());
        CHECK(view->files_as_left().empty());
        CHECK(view->changed_files("0.0.2").empty());
        CHECK(view->changed_later("0.0.2").empty());
        CHECK_FALSE(view->lease());
        CHECK_FALSE(view->run("r"));
        CHECK_FALSE(view->pinned("0.0.2", "Linux_amd64"));
        CHECK_FALSE(view->state_value(1, "", "key"));
        CHECK_FALSE(view->plan_key());
        CHECK_FALSE(view->loose_ends().any());
        CHECK_FALSE(view->first_broken_event());
        CHECK(view->dump().done.empty());
    }
}

TEST_CASE("looking sees what is committed") {
    EACH_PLACE(place);
    const auto ledger = place.start();
    CHECK(place.look()->facts().identity == ClusterIdentity{"demo", "eu", "1"});
    begin(*ledger, "r1");
    CHECK(place.look()->run("r1")->state == RunState::applying);
    finish(*ledger, "r1");
    CHECK(place.look()->run("r1")->state == RunState::succeeded);
}

TEST_CASE("the key of a ledger is 32 bytes, stays, and is another in another ledger") {
    EACH_PLACE(place);
    const std::string key = place.start()->plan_key().value();
    CHECK(key.size() == 32);
    CHECK(place.look()->plan_key() == key);
    CHECK(place.open()->plan_key() == key);
    Place other(GENERATE(Kind::sqlite, Kind::memory));
    CHECK(other.open()->plan_key() != key);
}

TEST_CASE("a cluster's identity is set once") {
    EACH_PLACE(place);
    const auto ledger = place.start();
    CHECK(failure_of([&] { ledger->set_identity({"other", "", ""}); }) == Failure::preparation);
    CHECK(ledger->facts().identity->name == "demo");
}

TEST_CASE("the original version never changes, and the cluster version begins with it") {
    EACH_PLACE(place);
    const auto ledger = place.open();
    ledger->set_original_version(version("0.0.4"));  // of no cluster
    CHECK_FALSE(ledger->facts().cluster.original_version);
    ledger->set_identity({"demo", "", ""});
    CHECK_FALSE(ledger->facts().cluster.cluster_version);
    ledger->set_original_version(version("0.0.5"));
    CHECK(ledger->facts().cluster.cluster_version == version("0.0.5"));
    CHECK(failure_of([&] { ledger->set_original_version(version("0.0.6")); }) == Failure::refused);
    ledger->raise_cluster_version(version("0.0.9"), "");
    ledger->set_original_version(version("0.0.5"));
    CHECK(ledger->facts().cluster.original_version == version("0.0.5"));
    CHECK(ledger->facts().cluster.cluster_version == version("0.0.9"));
}

TEST_CASE("a run raises the cluster version and never lowers it") {
    EACH_PLACE(place);
    const auto ledger = place.open();
    ledger->raise_cluster_version(version("0.0.9"), "");  // of no cluster
    CHECK_FALSE(ledger->facts().cluster.cluster_version);
    ledger->set_identity({"demo", "", ""});
    ledger->raise_cluster_version(version("0.0.9"), "");
    ledger->raise_cluster_version(version("0.0.7"), "");
    CHECK(ledger->facts().cluster.cluster_version == version("0.0.9"));
    ledger->raise_cluster_version(version("0.0.10"), "");
    CHECK(ledger->facts().cluster.cluster_version == version("0.0.10"));
}

TEST_CASE("the cluster version is corrected by hand, up and down, and not below the original") {
    EACH_PLACE(place);
    CHECK(failure_of([&] { place.open()->correct_version(version("0.0.3"), "who", "why"); }) ==
          Failure::refused);
    const auto ledger = place.start();
    ledger->correct_version(version("0.0.9"), "who", "why");
    CHECK(ledger->facts().cluster.cluster_version == version("0.0.9"));
    ledger->correct_version(version("0.0.1"), "who", "why");
    CHECK(ledger->facts().cluster.cluster_version == version("0.0.1"));
    CHECK(place.history().back() == "version_corrected  ");
    const std::size_t events = place.history().size();
    CHECK_THROWS_WITH(ledger->correct_version(version("0.0.0"), "who", "why"),
                      Catch::Contains("original version is 0.0.1") && Catch::Contains("0.0.0"));
    CHECK(failure_of([&] { ledger->correct_version(version("0.0.1-rc"), "who", "why"); }) ==
          Failure::refused);
    CHECK(ledger->facts().cluster.cluster_version == version("0.0.1"));
    CHECK(place.history().size() == events);
}

TEST_CASE("a run moves only from the state that it is in, and only where it may") {
    EACH_PLACE(place);
    const auto ledger = place.start();
    begin(*ledger, "r1");
    using S = RunState;
    CHECK_THROWS_WITH(ledger->move_run("r1", S::fetching, S::simulating),
                      Catch::Contains("no longer fetching"));
    CHECK_THROWS_WITH(ledger->move_run("r1", S::applying, S::queued),
                      Catch::Contains("cannot move from applying to queued"));
    CHECK_THROWS_WITH(ledger->move_run("r2", S::queued, S::fetching),
                      Catch::Contains("r2 is no longer queued"));
    for (const std::function<void()>& work : std::vector<std::function<void()>>{
             [&] { ledger->move_run("r1", S::fetching, S::simulating); },
             [&] { ledger->finish_run("r1", S::verifying, S::failed, Outcome::failed, ""); },
             [&] { ledger->finish_run("r1", S::applying, S::aborted, Outcome::aborted, ""); }})
        CHECK(failure_of(work) == Failure::apply_failed);
    CHECK(ledger->run("r1")->state == S::applying);
    CHECK(ledger->facts().has_unfinished_run);
    CHECK(place.history().back() == "run_started r1 ");
}

TEST_CASE("a run is kept with what it was begun with, and an id of its own") {
    EACH_PLACE(place);
    const auto ledger = place.start();
    begin(*ledger, "r1");
    CHECK(failure_of([&] {
              ledger->begin_run({"r1", "rollback", "another", "", 0, "", "", ""});
          }) == Failure::preparation);
    place.clock.now = Time(2'000'000);
    CHECK_FALSE(ledger->run("r1")->finished_at);
    finish(*ledger, "r1");
    const RunRecord run = ledger->run("r1").value();
    CHECK(run.start.command == "upgrade");
    CHECK(run.start.actor == "tester");
    CHECK(run.start.host == "here");
    CHECK(run.start.pid == 7);
    CHECK(run.start.runner_version == "0.1");
    CHECK(run.start.target == "0.0.9");
    CHECK(run.start.reason.empty());  // it is in the history
    CHECK(run.outcome == "succeeded");
    CHECK(run.message == "words");
    CHECK(run.started_at == Time(1'000'000));
    CHECK(run.finished_at == Time(2'000'000));
    CHECK_FALSE(ledger->facts().has_unfinished_run);
    CHECK_FALSE(ledger->run("r2"));
}

TEST_CASE("runs come newest first, as many as wanted, of one upgrade when wanted") {
    EACH_PLACE(place);
    const auto ledger = place.start();
    for (const std::string run : {"b", "c", "a"}) {
        begin(*ledger, run, run == "c" ? "rollback" : "upgrade");
        if (run != "b") attempt_whole(*ledger, run, "0.0.2", Outcome::blocked);
        place.clock.now += Time(10);
        finish(*ledger, run, run != "a");
        place.clock.now -= Time(5);  // it jumps back
    }
    const auto ids = [](const std::vector<RunRecord>& runs) {
        Names names;
        for (const RunRecord& run : runs) names.push_back(run.start.id);
        return names;
    };
    CHECK(ids(ledger->runs(9)) == Names{"a", "c", "b"});
    CHECK(ids(ledger->runs(2)) == Names{"a", "c"});
    CHECK(ids(ledger->runs(9, "0.0.2")) == Names{"a", "c"});
    CHECK(ids(ledger->runs(1, "0.0.2")) == Names{"a"});
    const std::vector<RunTally> tallies = ledger->tallies();
    REQUIRE(tallies.size() == 3);
    CHECK(tallies.at(0).command + ' ' + tallies.at(0).outcome == "rollback succeeded");
    CHECK(tallies.at(1).command + ' ' + tallies.at(1).outcome == "upgrade failed");
    CHECK(tallies.at(2).command + ' ' + tallies.at(2).outcome == "upgrade succeeded");
    CHECK(tallies.at(2).count == 1);
    CHECK(tallies.at(2).time == Time(10));
}

TEST_CASE("attempts are kept with how they began and ended, in one commit with the next") {
    EACH_PLACE(place);
    const auto ledger = place.start();
    begin(*ledger, "r1");
    AttemptStart late = attempt("0.0.2");
    late.late = true;
    ledger->advance("r1", std::nullopt, late);
    place.clock.now += Time(5);
    AttemptEnd end = ended("0.0.2", Outcome::succeeded);
    end.message = "words";
    end.apply_time = Time(3);
    end.verify_time = Time(2);
    AttemptStart next = attempt("0.0.3");
    next.digest.reset();
    next.signer.clear();
    ledger->advance("r1", end, next);
    const std::vector<AttemptRecord> attempts = ledger->run("r1")->attempts;
    REQUIRE(attempts.size() == 2);
    const AttemptRecord& first = attempts.front();
    CHECK(first.id == 1);
    CHECK(first.run == "r1");
    CHECK(first.version + ' ' + first.tag == "0.0.2 v0.0.2");
    CHECK(first.digest == digest('a').to_string());
    CHECK(first.signer == "key");
    CHECK(first.outcome + ' ' + first.message == "succeeded words");
    CHECK(first.log == "a.log");
    CHECK(first.late);
    CHECK(first.started_at == Time(1'000'000));
    CHECK(first.finished_at == Time(1'000'005));
    CHECK(first.apply_time == Time(3));
    CHECK(first.verify_time == Time(2));
    CHECK(attempts.back().id == ledger->facts().last_attempt);
    CHECK(attempts.back().outcome.empty());
    CHECK(attempts.back().digest.empty());
    CHECK(attempts.back().signer.empty());
    CHECK_FALSE(attempts.back().finished_at);
    CHECK_FALSE(attempts.back().late);
}

TEST_CASE("an attempt of a run that is not there is refused, with all that came with it") {
    EACH_PLACE(place);
    const auto ledger = place.start();
    begin(*ledger, "r1");
    ledger->advance("r1", std::nullopt, attempt("0.0.2"));
    CHECK(failure_of([&] {
              ledger->advance("r2", ended("0.0.2", Outcome::failed), attempt("0.0.3"));
          }) == Failure::preparation);
    CHECK_FALSE(ledger->pinned("0.0.3", "Linux_amd64"));
    CHECK(ledger->facts().last_attempt == 1);
    CHECK(place.history().back() == "attempt_started r1 0.0.2");
    // An end without a beginning says nothing but that.
    ledger->advance("r1", ended("0.0.7", Outcome::succeeded), std::nullopt);
    CHECK(ledger->done().empty());
    CHECK(place.history().back() == "attempt_started r1 0.0.2");
}

TEST_CASE("what an attempt ends with as done is true from then on") {
    EACH_PLACE(place);
    const auto ledger = place.start();
    begin(*ledger, "r1");
    ledger->advance("r1", std::nullopt, attempt("0.0.3"));
    CHECK(ledger->pinned("0.0.3", "Linux_amd64") == digest('a'));
    CHECK_FALSE(ledger->pinned("0.0.3", "Darwin_arm64"));
    ledger->record_files("r1", "0.0.3", "", {change("f")});
    AttemptEnd end = ended("0.0.3", Outcome::succeeded);
    end.cluster_version = version("0.0.3");
    end.values = {{{0, "own"}, "1"}, {{1, "shared"}, "2"}};
    end.declarations = {{"write", "a/**"}, {"network", ""}};
    end.parameters = {{"channel", "#ops"}};
    place.clock.now += Time(5);
    ledger->advance("r1", end, attempt("0.0.2", 'd'));
    ledger->advance("r1", ended("0.0.2", Outcome::nothing_to_do), std::nullopt);
    const LedgerFacts facts = place.look()->facts();
    CHECK(facts.cluster.cluster_version == version("0.0.3"));
    CHECK(facts.declared == std::set<Declaration>{{"network", ""}, {"write", "a/**"}});
    CHECK(facts.parameter_values == std::map<std::string, std::string>{{"channel", "#ops"}});
    CHECK_FALSE(facts.has_unfinished_files);
    REQUIRE(facts.cluster.done.size() == 2);
    CHECK(facts.cluster.done.back().version == "0.0.3");
    CHECK(facts.cluster.done.back().platform == "Linux_amd64");
    CHECK(facts.cluster.done.back().digest == digest('a'));
    const std::vector<DoneRecord> done = ledger->done();  // in the order of their ends
    CHECK(done.front().version + ' ' + done.front().tag == "0.0.3 v0.0.3");
    CHECK(done.front().run + ' ' + done.front().how == "r1 upgrade");
    CHECK(done.front().digest == digest('a').to_string());
    CHECK(done.front().recorded_at == Time(1'000'005));
    CHECK(done.back().version == "0.0.2");
    CHECK(ledger->state_value(0, "0.0.3", "own") == "1");
    CHECK_FALSE(ledger->state_value(0, "0.0.2", "own"));
    CHECK(ledger->state_value(1, "0.0.2", "shared") == "2");
    // The first digest stays, also when another archive is tried.
    ledger->advance("r1", std::nullopt, attempt("0.0.3", 'f'));
    CHECK(ledger->pinned("0.0.3", "Linux_amd64") == digest('a'));
    ledger->accept_digest("0.0.3", "Linux_amd64", digest('f'), "who");
    CHECK(ledger->pinned("0.0.3", "Linux_amd64") == digest('f'));
    ledger->accept_digest("0.0.3", "Darwin_arm64", digest('f'), "who");
    CHECK_FALSE(ledger->pinned("0.0.3", "Darwin_arm64"));
}

TEST_CASE("what is recorded by hand is done, and its attempts are settled") {
    EACH_PLACE(place);
    const auto ledger = place.start();
    begin(*ledger, "r1");
    attempt_whole(*ledger, "r1", "0.0.2", Outcome::failed);
    attempt_whole(*ledger, "r1", "0.0.3", Outcome::failed);
    DoneRecord done;
    done.version = "0.0.2";
    done.how = "record";
    done.digest = digest('a').to_string();
    place.clock.now += Time(5);
    ledger->record_done(done, "who", "why");
    CHECK(versions_of(ledger->facts().unsettled) == Names{"0.0.3"});
    CHECK(ledger->facts().cluster.done.front().digest == digest('a'));
    CHECK(ledger->done().front().how == "record");
    CHECK(ledger->done().front().recorded_at == place.clock.now);
    // A later attempt counts again, and a second record moves it to the end.
    attempt_whole(*ledger, "r1", "0.0.2", Outcome::rollback_failed);
    CHECK(versions_of(ledger->facts().unsettled) == Names{"0.0.2", "0.0.3"});
    attempt_whole(*ledger, "r1", "0.0.4", Outcome::succeeded);
    ledger->record_done(done, "who", "why");
    CHECK(ledger->done().back().version == "0.0.2");
    CHECK(ledger->done().size() == 2);
}

TEST_CASE("what is forgotten by hand is due again from its first step on, and settled") {
    EACH_PLACE(place);
    const auto ledger = place.start();
    begin(*ledger, "r1");
    attempt_whole(*ledger, "r1", "0.0.2", Outcome::succeeded, {change("f")});
    attempt_whole(*ledger, "r1", "0.0.3", Outcome::failed, {change("g")});
    CHECK(ledger->forget("0.0.2", "who", "why"));
    CHECK(ledger->forget("0.0.3", "who", "why"));
    CHECK(place.history().back() == "forgotten  0.0.3");
    for (const std::string name : {"0.0.2", "0.0.3"}) {
        CHECK(ledger->finished_steps(name).empty());
        CHECK_FALSE(ledger->pinned(name, "Linux_amd64"));
        CHECK(ledger->changed_files(name).empty());  // nobody else's undo waits for them
        CHECK_FALSE(ledger->forget(name, "who", "why"));
    }
    CHECK(ledger->done().empty());
    CHECK(ledger->facts().unsettled.empty());
    CHECK(ledger->runs(1).front().attempts.size() == 2);
    CHECK(place.history().back() == "forgotten  0.0.3");
    ledger->advance("r1", std::nullopt, attempt("0.0.6"));
    ledger->record_files("r1", "0.0.6", "one", {change("h")});
    ledger->advance("r1", ended("0.0.6", Outcome::failed), std::nullopt);
    CHECK(ledger->forget("0.0.6", "who", "why"));
    CHECK(ledger->facts().has_unfinished_files);  // a step that died: the next run puts it back
    ledger->forget_unfinished_files();
    attempt_whole(*ledger, "r1", "0.0.3", Outcome::failed);
    CHECK(ledger->facts().unsettled.size() == 1);
    // An attempt alone is something to be forgotten.
    AttemptStart bare = attempt("0.0.4");
    bare.digest.reset();
    ledger->advance("r1", std::nullopt, bare);
    ledger->advance("r1", ended("0.0.4", Outcome::failed), std::nullopt);
    CHECK(ledger->forget("0.0.4", "who", "why"));
    CHECK_FALSE(ledger->forget("0.0.5", "who", "why"));
}

TEST_CASE("what is skipped stays so until it is not, and what is done cannot be") {
    EACH_PLACE(place);
    const auto ledger = place.start();
    ledger->record_skip({"0.0.3", "not here", "who"});
    ledger->record_skip({"0.0.2", "nor here", "who"});
    ledger->record_skip({"0.0.3", "never", "she"});
    const std::vector<SkippedUpgrade> skipped = ledger->facts().cluster.skipped;
    REQUIRE(skipped.size() == 2);
    CHECK(skipped.back().reason + ' ' + skipped.back().actor == "never she");
    CHECK(ledger->remove_skip("0.0.3", "who"));
    CHECK_FALSE(ledger->remove_skip("0.0.3", "who"));
    CHECK(place.history().back() == "unskipped  0.0.3");
    DoneRecord done;
    done.version = "0.0.4";
    done.how = "record";
    ledger->record_done(done, "who", "why");
    CHECK(failure_of([&] { ledger->record_skip({"0.0.4", "", ""}); }) == Failure::refused);
    CHECK(ledger->facts().cluster.skipped.size() == 1);
}

TEST_CASE("what is changed by hand is told with who and why, newest first, and no run is") {
    EACH_PLACE(place);
    CHECK(place.look()->changes_by_hand(10).empty());  // there is no ledger yet
    const auto ledger = place.start();
    CHECK(ledger->changes_by_hand(10).empty());
    DoneRecord done;
    done.version = "0.0.2";
    done.how = "record";
    ledger->record_done(done, "erna", "on Monday");
    ledger->begin_run({"r1", "upgrade", "erna", "host", 1, "0", "latest"});
    ledger->record_skip({"0.0.3", "not here", "otto"});
    ledger->remove_skip("0.0.3", "otto");
    ledger->remove_skip("0.0.3", "otto");  // nothing any more
    ledger->correct_version(version("0.0.9"), "erna", "restored");
    ledger->forget("0.0.2", "erna", "again");
    ledger->note("soak_failed", "erna", "no hand's work");
    ledger->note("repaired", "erna", "loose ends");
    const std::vector<HandChange> changes = place.look()->changes_by_hand(10);
    std::string told;
    for (const HandChange& one : changes)
        told += one.kind + '|' + one.version + '|' + one.actor + '|' + one.reason + '\n';
    CHECK(told ==
          "repaired||erna|loose ends\n"
          "forgotten|0.0.2|erna|again\n"
          "version_corrected|0.0.9|erna|restored\n"
          "unskipped|0.0.3|otto|\n"
          "skipped|0.0.3|otto|not here\n"
          "recorded|0.0.2|erna|on Monday\n");
    CHECK(changes.front().at.count() > 0);
    CHECK(ledger->changes_by_hand(2).size() == 2);
}

TEST_CASE("what is exported can be imported into an empty ledger, and only there") {
    EACH_PLACE(place);
    const auto ledger = place.start();
    begin(*ledger, "r1");
    attempt_whole(*ledger, "r1", "0.0.3", Outcome::succeeded, {change("f")});
    attempt_whole(*ledger, "r1", "0.0.2", Outcome::failed, {change("g")});
    AttemptEnd end = ended("0.0.4", Outcome::succeeded);
    end.values = {{{1, "shared"}, "2"}};
    end.declarations = {{"network", ""}};
    end.parameters = {{"channel", "#ops"}};
    ledger->advance("r1", std::nullopt, attempt("0.0.4"));
    ledger->advance("r1", end, std::nullopt);
    ledger->record_skip({"0.0.5", "not here", "who"});
    const LedgerDump dump = place.look()->dump();
    CHECK(failure_of([&] { ledger->import(dump, "who"); }) == Failure::refused);

    Place other(GENERATE(Kind::sqlite, Kind::memory));
    const auto imported = other.open();
    LedgerDump torn = dump;
    torn.pins.push_back(torn.pins.front());
    CHECK(failure_of([&] { imported->import(torn, "who"); }) == Failure::preparation);
    CHECK_FALSE(imported->facts().identity);
    CHECK(imported->done().empty());
    imported->import(dump, "who");
    const LedgerDump again = other.look()->dump();
    CHECK(again.identity == dump.identity);
    CHECK(again.original_version == dump.original_version);
    CHECK(again.cluster_version == dump.cluster_version);
    REQUIRE(again.done.size() == 2);
    CHECK(again.done.front().version == "0.0.3");
    CHECK(again.done.front().digest == dump.done.front().digest);
    CHECK(again.done.front().how == "import");
    CHECK(again.done.front().recorded_at == dump.done.front().recorded_at);
    CHECK(again.skipped.front().reason == "not here");
    CHECK(again.pins.size() == 3);
    CHECK(again.pins.front().digest == dump.pins.front().digest);
    REQUIRE(again.steps.size() == 2);
    CHECK(again.steps.front().version + ' ' + again.steps.front().id == "0.0.2 one");
    CHECK(again.values == dump.values);
    CHECK(again.parameters == dump.parameters);
    CHECK(again.declared == dump.declared);
    CHECK(imported->runs(9).empty());
    CHECK(imported->plan_key() != ledger->plan_key());
}

TEST_CASE("a copy is the ledger as it was") {
    EACH_PLACE(place);
    const auto ledger = place.start();
    begin(*ledger, "r1");
    const std::filesystem::path copy = place.path("state/copies/r1.db");
    ledger->copy_to(copy);
    finish(*ledger, "r1");
    CHECK(place.look_at_copy(copy)->run("r1")->state == RunState::applying);
    CHECK(place.look_at_copy(copy)->plan_key() == ledger->plan_key());
    ledger->copy_to(copy);
    CHECK(place.look_at_copy(copy)->run("r1")->state == RunState::succeeded);
}

TEST_CASE("the newest copies are kept, and the one just made, should the clock have jumped back") {
    Place place(Kind::sqlite);
    const auto ledger = place.start();
    const std::filesystem::path file = place.path("state/state.db");
    DiskRunFolder folder(file, "upgrade");
    for (int i = 10; i < 22; ++i) folder.copy_ledger(*ledger, "20300101-" + std::to_string(i));
    CHECK(ledger_copies(file).size() == 10);
    const std::filesystem::path made = folder.copy_ledger(*ledger, "20200101-10");
    const auto copies = ledger_copies(file);
    REQUIRE(copies.size() == 11);
    CHECK(copies.front().stem() == "20300101-21");
    CHECK(copies[9].stem() == "20300101-12");
    CHECK(copies.back() == made);
}

TEST_CASE("interrupted runs are marked with what they had done, and attempts that were left open") {
    EACH_PLACE(place);
    const auto ledger = place.start();
    begin(*ledger, "r2");
    attempt_whole(*ledger, "r2", "0.0.2", Outcome::succeeded);
    attempt_whole(*ledger, "r2", "0.0.3", Outcome::nothing_to_do);
    attempt_whole(*ledger, "r2", "0.0.4", Outcome::blocked);
    ledger->advance("r2", std::nullopt, attempt("0.0.5"));
    ledger->begin_run({"r1", "upgrade", "she", "there", 1, "", "", ""});
    place.clock.now += Time(5);
    const std::vector<InterruptedRun> interrupted = ledger->mark_interrupted();
    REQUIRE(interrupted.size() == 2);
    CHECK(interrupted.at(0).id + ' ' + interrupted.at(0).actor == "r2 tester");
    CHECK(interrupted.at(0).upgrade == "0.0.5");
    CHECK(interrupted.at(0).finished == 2);
    CHECK(interrupted.at(0).state == RunState::applying);
    CHECK(interrupted.at(0).started_at == Time(1'000'000));
    CHECK(interrupted.at(1).id + ' ' + interrupted.at(1).host == "r1 there");
    CHECK(interrupted.at(1).upgrade.empty());
    CHECK(interrupted.at(1).state == RunState::queued);
    CHECK(place.history().back() == "run_interrupted r1 ");
    const RunRecord run = ledger->run("r2").value();
    CHECK(run.state == RunState::interrupted);
    CHECK(run.outcome + ": " + run.message == "interrupted: the runner died");
    CHECK(run.finished_at == place.clock.now);
    CHECK(run.attempts.back().outcome == "interrupted");
    CHECK(run.attempts.back().message == "the runner died while it ran");
    CHECK(ledger->facts().unsettled.front().outcome == Outcome::interrupted);
    CHECK_FALSE(ledger->facts().has_unfinished_run);
    CHECK(ledger->mark_interrupted().empty());

    begin(*ledger, "r3");
    ledger->advance("r3", std::nullopt, attempt("0.0.6"));
    CHECK_FALSE(ledger->loose_ends().any());
    finish(*ledger, "r3");
    CHECK(ledger->loose_ends().open_attempts == 1);
    CHECK(ledger->loose_ends().missing_references == 0);
    ledger->close_loose_ends();
    CHECK(ledger->run("r3")->attempts.back().outcome == "interrupted");
    CHECK_FALSE(ledger->loose_ends().any());
    const std::size_t events = place.history().size();
    ledger->close_loose_ends();
    CHECK(place.history().size() == events);
}

TEST_CASE("everything that is written leaves an event, and the events follow from each other") {
    EACH_PLACE(place);
    const auto ledger = place.start();
    ledger->acquire_lease(owner("r1"));
    begin(*ledger, "r1");
    attempt_whole(*ledger, "r1", "0.0.2", Outcome::succeeded, {change("f", "originals/1")});
    ledger->record_step_undone("r1", "0.0.2", "one", {});
    ledger->raise_cluster_version(version("0.0.2"), "r1");
    finish(*ledger, "r1");
    ledger->release_lease();
    ledger->forget_old_originals(0);
    ledger->note("repaired", "who", "words");
    ledger->accept_digest("0.0.2", "Linux_amd64", digest('f'), "who");
    ledger->lock_by_hand(owner("x"));
    ledger->unlock_by_hand("who");
    CHECK(place.history() == Names{"ledger_started  ", "original_version_set  ", "run_started r1 ",
                                   "attempt_started r1 0.0.2", "step_finished r1 0.0.2",
                                   "attempt_finished r1 0.0.2", "step_undone r1 0.0.2",
                                   "cluster_version_raised r1 ", "run_finished r1 ",
                                   "originals_removed  0.0.2", "repaired  ",
                                   "digest_accepted  0.0.2", "locked  ", "unlocked  "});
    CHECK_FALSE(ledger->first_broken_event());
}

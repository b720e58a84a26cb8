// SPDX-License-Identifier: Apache-2.0
#include <SQLiteCpp/SQLiteCpp.h>
#include <sys/stat.h>

#include "support/catch.hpp"

#include "ledger/sqlite_ledger.hpp"
#include "model/error.hpp"
#include "support/file.hpp"
#include "support/read.hpp"

using namespace runner;

namespace {

struct Folder {
    TemporaryFolder temporary{"ledger-test"};
    SystemClock clock;
    [[nodiscard]] std::filesystem::path file() const { return temporary.path() / "state/state.db"; }
    std::unique_ptr<Ledger> open() { return open_ledger(file(), clock); }
};

LeaseInfo owner(const std::string& name) {
    LeaseInfo lease;
    lease.owner = name;
    lease.actor = "tester";
    lease.host = "here";
    lease.pid = 1;
    return lease;
}

void start(Ledger& ledger, const std::string& run) {
    ledger.begin_run({run, "upgrade", "tester", "here", 1, "0", "0.0.2"});
    ledger.move_run(run, RunState::queued, RunState::fetching);
    ledger.move_run(run, RunState::fetching, RunState::simulating);
    ledger.move_run(run, RunState::simulating, RunState::awaiting_confirmation);
    ledger.move_run(run, RunState::awaiting_confirmation, RunState::applying);
}

AttemptStart attempt(const std::string& version) {
    return {version, version, "Linux_amd64", Digest::parse(std::string(64, 'a')), "", false, "log"};
}

Failure failure_of(const std::function<void()>& work) {
    try {
        work();
    } catch (const Error& error) {
        return error.failure();
    }
    FAIL("nothing was thrown");
    return Failure::usage;
}

}  // namespace

TEST_CASE("a run's records survive, and its facts follow") {
    Folder folder;
    {
        const auto ledger = folder.open();
        ledger->set_identity({"demo", "eu", "1"});
        ledger->set_original_version(SemanticVersion::parse("0.0.1"));
        start(*ledger, "run1");
        ledger->advance("run1", std::nullopt, attempt("0.0.2"));
        ledger->record_step("run1", "0.0.2", "one", {{{0, "key"}, "value"}});
        AttemptEnd end;
        end.version = "0.0.2";
        end.outcome = Outcome::succeeded;
        end.done = true;
        end.cluster_version = SemanticVersion::parse("0.0.2");
        end.values = {{{1, "shared"}, "s"}};
        ledger->advance("run1", end, std::nullopt);
        ledger->finish_run("run1", RunState::applying, RunState::succeeded, Outcome::succeeded, "");
    }
    const auto view = look_at_ledger(folder.file());
    const LedgerFacts facts = view->facts();
    CHECK(facts.identity->name == "demo");
    CHECK(facts.cluster.cluster_version->to_string() == "0.0.2");
    CHECK(facts.cluster.done.at(0).digest->to_string() == std::string(64, 'a'));
    CHECK_FALSE(facts.has_unfinished_run);
    CHECK(view->finished_steps("0.0.2") == std::vector<std::string>{"one"});
    CHECK(view->state_value(0, "0.0.2", "key") == "value");
    CHECK(view->state_value(1, "any", "shared") == "s");
    CHECK(view->pinned("0.0.2", "Linux_amd64"));
    CHECK(view->runs(10).at(0).attempts.at(0).outcome == "succeeded");
    CHECK_FALSE(view->first_broken_event());
}

TEST_CASE("a runner whose lease was taken over records nothing more") {
    Folder folder;
    const auto ledger = folder.open();
    ledger->acquire_lease(owner("run-a"));
    start(*ledger, "run-a");
    ledger->advance("run-a", std::nullopt, attempt("0.0.1"));
    {  // it slept, and a runner on another host went on
        SQLite::Database database(folder.file().string(), SQLite::OPEN_READWRITE, 5000);
        database.exec("UPDATE lease SET owner = 'run-b', host = 'there'");
    }
    AttemptEnd end;
    end.version = "0.0.1";
    end.done = true;
    for (const std::function<void()>& work : std::vector<std::function<void()>>{
             [&] { ledger->heartbeat(); }, [&] { ledger->advance("run-a", end, std::nullopt); },
             [&] { ledger->record_step("run-a", "0.0.1", "one", {}); },
             [&] { ledger->record_files("run-a", "0.0.1", "one", {}); },
             [&] { ledger->record_step_undone("run-a", "0.0.1", "one", {}); },
             [&] { ledger->move_run("run-a", RunState::applying, RunState::verifying); },
             [&] {
                 ledger->finish_run("run-a", RunState::applying, RunState::failed, Outcome::failed,
                                    "");
             }})
        CHECK(failure_of(work) == Failure::apply_failed);
    CHECK(ledger->done().empty());
    CHECK(ledger->runs(1).front().state == RunState::applying);
    ledger->release_lease();
    CHECK(ledger->lease()->owner == "run-b");
}

TEST_CASE("an interrupted run is marked with what it had done") {
    Folder folder;
    {
        const auto ledger = folder.open();
        start(*ledger, "run1");
        ledger->advance("run1", std::nullopt, attempt("0.0.2"));
        ledger->record_files(
            "run1", "0.0.2", "s",
            {{"f", ".f.tmp", "", Digest::parse(std::string(64, 'b')), std::nullopt}});
    }
    const auto ledger = folder.open();
    CHECK(ledger->facts().has_unfinished_run);
    const auto interrupted = ledger->mark_interrupted();
    CHECK(interrupted.at(0).upgrade == "0.0.2");
    CHECK(ledger->runs(1).at(0).outcome == "interrupted");
    CHECK(ledger->unfinished_files().at(0).changes.at(0).path == "f");
    CHECK(ledger->facts().has_unfinished_files);  // marking it puts nothing back
    ledger->forget_unfinished_files();
    CHECK_FALSE(ledger->facts().has_unfinished_files);
    CHECK(ledger->unfinished_files().empty());
    CHECK_FALSE(ledger->facts().has_unfinished_run);
}

TEST_CASE("a changed history event is noticed") {
    Folder folder;
    {
        const auto ledger = folder.open();
        start(*ledger, "run1");
    }
    {
        SQLite::Database database(folder.file().string(), SQLite::OPEN_READWRITE);
        database.exec("UPDATE history SET detail = '{}' WHERE seq = 1");
    }
    CHECK(look_at_ledger(folder.file())->first_broken_event() == 1);
}

TEST_CASE(
    "a newer format and a foreign database are refused, a damaged file is an error, and nothing is "
    "changed") {
    Folder folder;
    folder.open();
    {
        SQLite::Database database(folder.file().string(), SQLite::OPEN_READWRITE);
        database.exec("PRAGMA user_version = 99");
    }
    CHECK(failure_of([&] { folder.open(); }) == Failure::refused);
    CHECK(failure_of([&] { look_at_ledger(folder.file()); }) == Failure::refused);

    const auto foreign = folder.temporary.path() / "foreign.db";
    SQLite::Database(foreign.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE)
        .exec("CREATE TABLE t (a)");
    CHECK(failure_of([&] { open_ledger(foreign, folder.clock); }) == Failure::refused);

    const auto damaged = folder.temporary.path() / "damaged.db";
    replace_file(damaged, std::string(8192, 'x'));
    CHECK(failure_of([&] { open_ledger(damaged, folder.clock); }) == Failure::preparation);
    CHECK(failure_of([&] { look_at_ledger(damaged); }) == Failure::preparation);
    CHECK(read_file(damaged) == std::string(8192, 'x'));
}

TEST_CASE(
    "looking at a ledger that a dead writer left with its log sees everything, and writes nothing "
    "there") {
    Folder folder;
    const auto writer = folder.open();
    writer->set_identity({"demo", "", ""});
    // The writer is still open: its log has not been folded in, as after a SIGKILL.
    REQUIRE(std::filesystem::file_size(folder.file().string() + "-wal") > 0);
    const auto before = std::filesystem::last_write_time(folder.file().parent_path());
    CHECK(look_at_ledger(folder.file())->facts().identity->name == "demo");
    CHECK(std::filesystem::last_write_time(folder.file().parent_path()) == before);
}

TEST_CASE("export and import round-trip through the ledger's own types") {
    Folder folder;
    const auto ledger = folder.open();
    LedgerDump dump;
    dump.identity = {"demo", "", ""};
    dump.cluster_version = SemanticVersion::parse("0.0.7");
    dump.done.push_back(
        {"0.0.7.a", "t", "Linux_amd64", std::string(64, 'c'), "r", "upgrade", Time{}});
    ledger->import(dump, "tester");
    CHECK(ledger->facts().cluster.done.at(0).version == "0.0.7.a");
    CHECK(ledger->done().at(0).how == "import");
    CHECK(failure_of([&] { ledger->import(dump, "tester"); }) == Failure::refused);
    CHECK(ledger->forget("0.0.7.a", "tester", "again"));
    CHECK(ledger->facts().cluster.done.empty());
}

namespace {

/// A file of an older format, as a released runner wrote it.
void place_fixture(const Folder& folder, const std::string& name) {
    make_folders(folder.file().parent_path());
    std::filesystem::copy_file(
        std::filesystem::path(SOURCE_FOLDER) / "tests/fixtures/ledger" / name, folder.file());
}

std::vector<std::string> schema_of(const std::filesystem::path& file) {
    SQLite::Database database(file.string(), SQLite::OPEN_READONLY);
    SQLite::Statement query(database,
                            "SELECT type, name, tbl_name FROM sqlite_schema ORDER BY 1, 2");
    std::vector<std::string> lines;
    while (query.executeStep()) {
        lines.push_back(query.getColumn(0).getString() + ' ' + query.getColumn(1).getString());
        if (query.getColumn(0).getString() != "table") continue;
        SQLite::Statement columns(database,
                                  "SELECT name, type, \"notnull\", dflt_value, pk FROM "
                                  "pragma_table_info(?) ORDER BY cid");
        columns.bind(1, query.getColumn(1).getString());
        while (columns.executeStep()) {
            for (int i = 0; i < 5; ++i) lines.back() += ' ' + columns.getColumn(i).getString();
        }
    }
    return lines;
}

void check_format_1(LedgerView& ledger) {
    const LedgerFacts facts = ledger.facts();
    CHECK(facts.identity->name == "test");
    CHECK(facts.cluster.cluster_version->to_string() == "0.1.10001");
    CHECK(facts.cluster.done.size() == 2);
    CHECK(facts.cluster.skipped.at(0).reason == "not here");
    CHECK(ledger.done().at(0).version == "0.1.10001");
    CHECK(ledger.done().at(1).version == "0.1.10000");  // later, by hand
    CHECK(ledger.finished_steps("0.1.10001") == std::vector<std::string>{"one", "two"});
    CHECK(ledger.changed_files("0.1.10001").size() == 2);
    CHECK(ledger.runs(9).at(0).attempts.size() == 2);
    CHECK(facts.unsettled.size() == 1);
    CHECK(facts.unsettled.at(0).version == "0.1.10003");
    CHECK_FALSE(ledger.first_broken_event());
}

/// Two were done; one failed and was forgotten and skipped, one failed and was recorded, one was
/// done, and one failed half-way.
void check_format_2(LedgerView& ledger) {
    const LedgerFacts facts = ledger.facts();
    CHECK(facts.identity->name == "test");
    CHECK(facts.cluster.cluster_version->to_string() == "0.1.10005");
    CHECK(facts.cluster.skipped.at(0).version == "0.1.10003");
    CHECK(facts.has_unfinished_files);
    std::vector<std::string> done;
    for (const DoneRecord& record : ledger.done()) done.push_back(record.version);
    CHECK(done == std::vector<std::string>{"0.1.10001", "0.1.10002", "0.1.10004", "0.1.10005"});
    REQUIRE(facts.unsettled.size() == 1);  // what was forgotten or recorded is settled
    CHECK(facts.unsettled.at(0).version == "0.1.10006");
    CHECK(facts.unsettled.at(0).outcome == Outcome::failed);
    CHECK(facts.unsettled.at(0).finished_steps == std::vector<std::string>{"one", "two"});
    CHECK(facts.unsettled.at(0).has_files);
    CHECK_FALSE(facts.unsettled.at(0).done);
    CHECK(ledger.changed_files("0.1.10001").size() == 7);
    CHECK(ledger.changed_files("0.1.10001").front().number == 7);
    CHECK(ledger.changed_later("0.1.10001").size() == 6);
    CHECK(ledger.changed_later("0.1.10001").front().version == "0.1.10006");
    CHECK(ledger.changed_later("0.1.10001").back().version == "0.1.10002");
    CHECK_FALSE(ledger.first_broken_event());
}

/// Then one executable failed, and of two others one was run and one, which failed first, recorded.
void check_format_3(LedgerView& ledger) {
    const LedgerFacts facts = ledger.facts();
    REQUIRE(facts.unsettled.size() == 2);
    CHECK(facts.unsettled.at(0).version == "0.1.10007");
    CHECK(facts.unsettled.at(0).other_effects);
    CHECK(facts.unsettled.at(1).version == "0.1.10006");
    CHECK(facts.unsettled.at(1).other_effects);  // its manifest is not known
    CHECK(ledger.done().back().version == "0.1.10009");
    CHECK(ledger.finished_steps("0.1.10006") == std::vector<std::string>{"one", "two"});
    CHECK_FALSE(ledger.first_broken_event());
}

/// Two upgrades that changed files are done. Which modes they had was not written down then.
void check_format_4(LedgerView& ledger) {
    CHECK(ledger.done().size() == 2);
    CHECK(ledger.facts().unsettled.empty());
    const std::vector<FileIntent> changes = ledger.changed_files("0.1.10001");
    CHECK(changes.size() == 6);
    for (const FileIntent& change : changes) {
        CAPTURE(change.path);
        CHECK_FALSE((change.old_mode || change.new_mode || change.made_folders));
    }
    for (const LeftFile& file : ledger.files_as_left()) CHECK_FALSE(file.state.mode);
    CHECK_FALSE(ledger.first_broken_event());
}

void check_format(int format, LedgerView& ledger) {
    if (format == 1) check_format_1(ledger);
    if (format == 2) check_format_2(ledger);
    if (format == 3) check_format_3(ledger);
    if (format == 4) check_format_4(ledger);
}

std::string fixture(int format) {
    return "format-" + std::to_string(format) + ".db";
}

}  // namespace

TEST_CASE("a ledger of an older format is looked at without changing a byte of it, and migrated") {
    const int format = GENERATE(1, 2, 3, 4);
    Folder folder;
    place_fixture(folder, fixture(format));
    const std::string before = read_file(folder.file());
    check_format(format, *look_at_ledger(folder.file()));
    CHECK_FALSE(look_at_ledger(folder.file())->plan_key());  // of the copy that was migrated
    CHECK(read_file(folder.file()) == before);
    std::optional<std::string> key;
    {
        const auto ledger = folder.open();
        check_format(format, *ledger);
        key = ledger->plan_key();
        ledger->raise_cluster_version(SemanticVersion::parse("0.1.10009"), "");
    }
    CHECK(key.value().size() == 32);
    CHECK(look_at_ledger(folder.file())->plan_key() == key);
    CHECK_FALSE(look_at_ledger(folder.file())->first_broken_event());
}

TEST_CASE("a migrated ledger has the same tables as a fresh one") {
    Folder old;
    place_fixture(old, fixture(GENERATE(1, 2, 3, 4)));
    old.open();
    Folder fresh;
    fresh.open();
    CHECK(schema_of(old.file()) == schema_of(fresh.file()));
}

TEST_CASE("a correction of the cluster version is kept with both versions, who and why") {
    Folder folder;
    const auto ledger = folder.open();
    ledger->set_identity({"demo", "", ""});
    ledger->correct_version(SemanticVersion::parse("0.0.4"), "who", "why");
    ledger->correct_version(SemanticVersion::parse("0.0.2"), "who", "why");
    SQLite::Database database(folder.file().string(), SQLite::OPEN_READONLY, 5000);
    SQLite::Statement query(
        database, "SELECT detail FROM history WHERE kind = 'version_corrected' ORDER BY seq");
    REQUIRE(query.executeStep());
    CHECK(query.getColumn(0).getString() ==
          R"({"from":null,"to":"0.0.4","actor":"who","reason":"why"})");
    REQUIRE(query.executeStep());
    CHECK(query.getColumn(0).getString() ==
          R"({"from":"0.0.4","to":"0.0.2","actor":"who","reason":"why"})");
}

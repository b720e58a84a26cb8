// SPDX-License-Identifier: Apache-2.0
// Phases of a plugin in a real plugin process, without the engine: this program is its own host
// parent.
#define CATCH_CONFIG_RUNNER
#include "support/catch.hpp"

#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <set>
#include <utility>

#include "host/host.hpp"
#include "host/message.hpp"
#include "host/sandbox.hpp"
#include "host/zygote.hpp"
#include "model/error.hpp"
#include "support/file.hpp"
#include "support/memory_file.hpp"
#include "support/read.hpp"
#include "support/sha256.hpp"

using namespace runner;

int main(int argc, char** argv) {
    if (argc == 2 && std::string_view(argv[1]) == k_zygote_command) return run_zygote();
    return Catch::Session().run(argc, argv);
}

namespace {

struct NoSignals final : StopSignals {
    int count() const override { return 0; }
    int first_signal() const override { return 0; }
    int descriptor() const override { return -1; }
    void drain() const override {}
};

/// One committed change, as one line.
std::string line_of(const std::string& step, const std::string& path,
                    const std::optional<Digest>& digest) {
    return step + " " + path + " " + (digest ? digest->to_string() : "removed");
}

/// Grants everything, remembers it, and puts back what is undone.
struct Witness final : HostEvents {
    explicit Witness(std::filesystem::path folder) : repository(std::move(folder)) {}

    void on_log(std::int32_t, const std::string& text) override { log.push_back(text); }
    void on_output(std::string_view) override {}
    void on_progress(std::uint64_t, std::uint64_t, const std::string&) override {}
    void on_command_shown(const std::vector<std::string>& arguments, const CommandInput&) override {
        shown_commands.push_back(arguments);
    }
    void on_command_begun(const BegunCommand& command) override {
        const std::vector<std::string>& arguments = command.arguments;
        if (refuses_commands) throw Error(Failure::preparation, "the ledger is full");
        commands.push_back(arguments);
    }
    void on_step_begun(const std::string&, const std::string&) override {}
    bool confirm(const std::string&) override {
        ++questions;
        return true;
    }
    std::optional<std::string> state_value(std::int32_t scope, const std::string& key) override {
        const auto found = state.find({scope, key});
        return found == state.end() ? std::nullopt : std::optional(found->second);
    }
    void record_files(const std::string& step,
                      const std::vector<HostFileChange>& changes) override {
        if (at_files) at_files();
        for (const HostFileChange& change : changes) {
            committed.push_back(line_of(step, change.path, Digest::parse(change.digest)));
            if (change.rendered) rendered.push_back(change.path);
            files.emplace_back(step, change);
        }
    }
    void record_step(const std::string& id, const HostValues& values) override {
        if (at_step) at_step();
        steps.push_back(id);
        for (const auto& [key, value] : values) state[key] = value;
    }
    void record_step_undone(const std::string& id, const HostValues& values) override {
        undone.push_back(id);
        for (const auto& [key, value] : values) state[key] = value;
        for (const auto& [path, change] : before(id)) {
            if (change.content) {
                replace_file(repository / path, *change.content);
            } else {
                std::filesystem::remove(repository / path);
            }
        }
    }
    upgrade::services::FileChanges undone_in_simulation(const std::string& id) override {
        asked.push_back(id);
        return before(id);
    }
    void on_stop_signal(int) override {}
    void tick() override {}

    /// The step's files as they were before it.
    upgrade::services::FileChanges before(const std::string& id) const {
        upgrade::services::FileChanges changes;
        for (auto file = files.rbegin(); file != files.rend(); ++file) {
            const auto& [step, change] = *file;
            if (step != id) continue;
            changes[change.path].content =
                change.backup.empty() ? std::nullopt
                                      : std::optional(read_file(change.backup, k_max_file));
        }
        return changes;
    }

    static constexpr std::size_t k_max_file = 1U << 20U;
    std::filesystem::path repository;
    bool refuses_commands = false;
    std::function<void()> at_files;  ///< its process waits meanwhile
    std::function<void()> at_step;
    int questions = 0;
    HostValues state;
    std::vector<std::pair<std::string, HostFileChange>> files;
    std::vector<std::vector<std::string>> shown_commands;
    std::vector<std::vector<std::string>> commands;
    std::vector<std::string> log;
    std::vector<std::string> committed;
    std::vector<std::string> rendered;
    std::vector<std::string> steps;
    std::vector<std::string> undone;
    std::vector<std::string> asked;
};

/// A repository, and a test plugin in a process for each phase.
struct Stage {
    explicit Stage(const std::string& plugin = "stepwise") {
        image = make_sealed_file(plugin.c_str(), read_file(TEST_PLUGINS_FOLDER "/" + plugin + ".so",
                                                           std::size_t{64} << 20U));
        ::mkdir(repository().c_str(), 0700);
        write("a", "0\n");
        write("kept", "kept\n");
        write("old", "old\n");
    }

    std::filesystem::path repository() const { return folder.path() / "repository"; }
    std::map<std::string, std::string> snapshot() const {
        std::map<std::string, std::string> files;
        for (const auto& entry : std::filesystem::recursive_directory_iterator(repository())) {
            if (entry.is_regular_file())
                files[entry.path().lexically_relative(repository()).string()] =
                    read_file(entry.path(), Witness::k_max_file);
        }
        return files;
    }
    void write(const std::string& path, const std::string& text) const {
        replace_file(repository() / path, text);
    }

    PhaseResult run(HostPhase phase) {
        PhaseRequest request;
        request.phase = phase;
        request.image = image.get();
        request.repository = repository();
        request.backup_folder = folder.path() / "originals" / std::to_string(++runs);
        request.write_paths = {"."};
        request.commands = {"cat", "touch", "rm", "true"};
        request.finished_steps = finished;
        request.another_follows = another_follows;
        return host.run(request, witness);
    }

    TemporaryFolder folder{"host-test"};
    NoSignals signals;
    SystemClock clock;
    PluginHost host{{plugin_environment({}), -1, std::chrono::seconds(10)}, signals, clock};
    Witness witness{repository()};
    UniqueFd image;
    std::vector<std::string> finished;
    int runs = 0;
    bool another_follows = false;
};

/// The processes below the host parent, in the order in which they were made, once there are so
/// many.
std::vector<pid_t> children_of_host_parent(std::size_t count) {
    const auto children = [](pid_t parent) {
        std::ifstream list("/proc/" + std::to_string(parent) + "/task/" + std::to_string(parent) +
                           "/children");
        return std::vector<pid_t>(std::istream_iterator<pid_t>(list), {});
    };
    const std::vector<pid_t> host_parents = children(::getpid());
    REQUIRE(host_parents.size() == 1);
    std::vector<pid_t> found;
    while (found.size() < count) {
        ::sched_yield();
        found = children(host_parents.front());
    }
    return found;
}

void kill_and_wait(pid_t process) {
    REQUIRE(::kill(process, SIGKILL) == 0);
    while (::kill(process, 0) == 0) ::sched_yield();  // until its parent has seen its end
}

std::vector<std::string> lines_of(const std::vector<ShownChange>& shown) {
    std::vector<std::string> lines;
    for (const ShownChange& change : shown)
        lines.push_back(line_of(change.step, change.path, change.digest));
    return lines;
}

}  // namespace

TEST_CASE("a simulation shows the changes that the real run records, commit by commit") {
    Stage stage;
    const PhaseResult simulated = stage.run(HostPhase::simulate);
    REQUIRE(simulated.ok());
    CHECK(stage.witness.committed.empty());
    const PhaseResult applied = stage.run(HostPhase::apply);
    REQUIRE(applied.ok());
    CHECK(applied.shown.empty());
    const std::string one = sha256("1\n").to_string();
    const std::string outside = sha256("outside of steps\n").to_string();
    CHECK(stage.witness.committed ==
          std::vector<std::string>{
              " before " + outside, "one a " + one, "two a " + sha256("2\n").to_string(),
              "two before removed", "two folder/moved " + sha256("old\n").to_string(),
              "two old removed", " between " + outside, "three a " + sha256("0\n").to_string(),
              "three before " + sha256("in a step\n").to_string(), " after " + outside,
              " between removed"});
    CHECK(lines_of(simulated.shown) == stage.witness.committed);
}

TEST_CASE("a simulation that goes on after finished steps shows what is left of them") {
    Stage stage;
    stage.finished = {"one", "nothing"};
    stage.write("a", "1\n");
    const PhaseResult simulated = stage.run(HostPhase::simulate);
    REQUIRE(stage.run(HostPhase::apply).ok());
    CHECK(stage.witness.steps == std::vector<std::string>{"two", "three"});
    CHECK(lines_of(simulated.shown) == stage.witness.committed);
}

TEST_CASE("a process that waits for the next phase and is killed is replaced") {
    Stage stage;
    stage.another_follows = true;
    bool killed = false;
    stage.witness.at_files = [&] {
        if (std::exchange(killed, true)) return;
        kill_and_wait(children_of_host_parent(3)[1]);  // the plugin's, this, the one for files
    };
    REQUIRE(stage.run(HostPhase::apply).ok());
    CHECK(killed);
    stage.another_follows = false;
    const PhaseResult next = stage.run(HostPhase::verify);
    INFO(next.message);
    CHECK(next.ok());
}

TEST_CASE("a commit whose process is killed fails, changes nothing, and hangs nobody") {
    Stage stage;
    const auto before = stage.snapshot();
    bool killed = false;
    stage.witness.at_files = [&] {
        if (!std::exchange(killed, true)) kill_and_wait(children_of_host_parent(2)[1]);
    };
    const PhaseResult result = stage.run(HostPhase::apply);
    CHECK(killed);
    CHECK(result.end == PhaseEnd::failed);
    CHECK_THAT(result.message, Catch::Contains("the process that changes files has died"));
    CHECK(stage.snapshot() == before);
    CHECK(stage.run(HostPhase::apply).ok());
}

TEST_CASE("a process that dies between two commits is followed by one that keeps other originals") {
    Stage stage;
    const auto before = stage.snapshot();
    bool killed = false;
    stage.witness.at_step = [&] {
        if (!std::exchange(killed, true)) kill_and_wait(children_of_host_parent(2)[1]);
    };
    const PhaseResult result = stage.run(HostPhase::apply);
    INFO(result.message);
    REQUIRE(result.ok());
    CHECK(killed);
    std::map<std::string, std::string> originals;  // of the first change of each file
    std::set<std::string> kept;
    for (const auto& [step, change] : stage.witness.files) {
        if (change.backup.empty()) continue;
        CHECK(kept.insert(change.backup).second);
        originals.emplace(change.path, read_file(change.backup, Witness::k_max_file));
    }
    for (const char* path : {"a", "old"}) CHECK(originals.at(path) == before.at(path));
}

TEST_CASE("a commit of very many files that dies before it is recorded leaves none of them") {
    Stage stage;
    stage.write("many", "");
    stage.witness.at_files = [&] {
        if (stage.witness.files.size() > 20) kill_and_wait(children_of_host_parent(2).back());
    };
    CHECK(stage.run(HostPhase::apply).end == PhaseEnd::failed);
    const std::filesystem::path folder = stage.repository() / "many-files";
    CHECK((!std::filesystem::exists(folder) || std::filesystem::is_empty(folder)));
}

TEST_CASE("a commit goes on to its end when its upgrade is killed amid it") {
    Stage stage;
    bool killed = false;
    stage.witness.at_files = [&] {
        if (!std::exchange(killed, true)) kill_and_wait(children_of_host_parent(2)[0]);
    };
    const PhaseResult result = stage.run(HostPhase::apply);
    CHECK(result.end == PhaseEnd::killed_by_signal);
    REQUIRE(stage.witness.files.size() == 1);
    const std::string path = stage.witness.files.front().second.path;
    CHECK(stage.snapshot()[path] == "outside of steps\n");
}

TEST_CASE("a message amid a commit breaks the protocol, and nothing of it is done") {
    for (const char* message : {
             R"({"type": "confirm", "question": "?"})",
             R"({"type": "state", "scope": 0, "key": "key"})",
             R"({"type": "commit", "step": ""})",
             R"({"type": "commandBegun", "arguments": ["touch", "file"]})",
             R"({"type": "stepFinished", "id": "step", "values": []})",
             R"({"type": "stepUndone", "id": "step", "values": []})",
             R"({"type": "done", "loaded": true, "status": 0})",
             R"({"type": "committed"})",
         }) {
        CAPTURE(message);
        Stage stage("impatient");
        stage.write("message", message);
        const auto before = stage.snapshot();
        const PhaseResult result = stage.run(HostPhase::apply);
        CHECK(result.end == PhaseEnd::protocol_violation);
        CHECK_THAT(result.message, Catch::Contains("a message came amid a commit"));
        CHECK(stage.snapshot() == before);
        const Witness& witness = stage.witness;
        CHECK((witness.questions == 0 && witness.files.empty() && witness.commands.empty() &&
               witness.steps.empty() && witness.undone.empty()));
    }
}

TEST_CASE("a command that changes something is told before it runs, and does not run unheard") {
    Stage stage;
    REQUIRE(stage.run(HostPhase::simulate).ok());
    CHECK(stage.witness.commands.empty());
    stage.witness.refuses_commands = true;
    CHECK_THROWS_AS(stage.run(HostPhase::apply), Error);
    CHECK_FALSE(exists(stage.repository() / "touched"));
    stage.witness.refuses_commands = false;
    stage.finished = stage.witness.steps;
    REQUIRE(stage.run(HostPhase::apply).ok());
    CHECK(stage.witness.commands == std::vector<std::vector<std::string>>{{"touch", "touched"}});
    CHECK(exists(stage.repository() / "touched"));
}

TEST_CASE("a simulation shows more changes than a message holds") {
    Stage stage;
    stage.write("many", "");
    const PhaseResult simulated = stage.run(HostPhase::simulate);
    INFO(simulated.message);
    REQUIRE(simulated.ok());
    CHECK(std::count_if(simulated.shown.begin(), simulated.shown.end(),
                        [](const ShownChange& change) { return change.digest == sha256("x"); }) ==
          20'000);
}

TEST_CASE("what a program renders is counted in a simulation and marked in the run") {
    Stage stage;
    stage.write("render", "");
    const PhaseResult simulated = stage.run(HostPhase::simulate);
    CHECK(simulated.renders == 1);
    CHECK(simulated.blind_renders == 0);  // `render` looks at its file before
    const PhaseResult applied = stage.run(HostPhase::apply);
    REQUIRE(applied.ok());
    CHECK(applied.renders == 0);
    CHECK(stage.witness.rendered == std::vector<std::string>{"rendered"});
    CHECK(stage.witness.commands.back() == std::vector<std::string>{"cat", "a"});
    // All that is not rendered is as it was shown.
    std::vector<std::string> others = stage.witness.committed;
    const std::string rendered = line_of("four", "rendered", sha256("0\n"));
    CHECK(std::count(others.begin(), others.end(), rendered) == 1);
    others.erase(std::remove(others.begin(), others.end(), rendered), others.end());
    CHECK(lines_of(simulated.shown) == others);
}

TEST_CASE("of a command that is too long for a message the beginning is told") {
    Stage stage;
    stage.write("long-command", "");
    const PhaseResult applied = stage.run(HostPhase::apply);
    INFO(applied.message.substr(0, 40));
    REQUIRE(applied.ok());
    REQUIRE(stage.witness.commands.size() == 2);
    const std::vector<std::string> told = stage.witness.commands[1];
    REQUIRE(told.size() == 15);
    CHECK(told[0] == "true");
    CHECK(told[2] == std::string(4096, 'x'));
    CHECK_THAT(told.back(), Catch::Contains("[cut: sha256 "));
    Stage simulated;
    simulated.write("long-command", "");
    REQUIRE(simulated.run(HostPhase::simulate).ok());
    CHECK(simulated.witness.shown_commands.at(1) == told);
}

TEST_CASE("the undo in a simulated rollback finds the files as it will find them for real") {
    Stage stage;
    REQUIRE(stage.run(HostPhase::apply).ok());
    stage.finished = stage.witness.steps;
    const auto applied = stage.snapshot();
    const auto recorded = stage.witness.committed;
    stage.witness.log.clear();
    stage.witness.commands.clear();

    const PhaseResult simulated = stage.run(HostPhase::simulate_rollback);
    INFO(simulated.message);
    REQUIRE(simulated.ok());
    CHECK(simulated.phase == HostPhase::simulate_rollback);
    CHECK(stage.snapshot() == applied);
    CHECK(stage.witness.committed == recorded);
    CHECK(stage.witness.undone.empty());
    CHECK(stage.witness.questions == 0);
    CHECK(stage.witness.commands.empty());
    const std::vector<std::string> newest_first{"three", "two", "nothing", "one"};
    CHECK(stage.witness.asked == newest_first);
    const auto log = std::exchange(stage.witness.log, {});
    CHECK(std::count(log.begin(), log.end(), "two finds a: 2\n") == 1);
    CHECK(std::count(log.begin(), log.end(), "one finds old: old\n") == 1);
    CHECK(std::count(log.begin(), log.end(), "two knows three") == 1);

    REQUIRE(stage.run(HostPhase::rollback).ok());
    CHECK(stage.witness.undone == newest_first);
    CHECK(stage.witness.questions == 4);
    CHECK(stage.witness.commands == stage.witness.shown_commands);
    CHECK(stage.witness.log == log);
}

TEST_CASE("a simulated rollback writes nowhere, not around the services either") {
    Stage stage;
    REQUIRE(stage.run(HostPhase::apply).ok());
    stage.finished = stage.witness.steps;
    stage.write("raw-write", "");
    REQUIRE(stage.run(HostPhase::simulate_rollback).ok());
    CHECK(exists(stage.repository() / "raw") == (sandbox_support() == SandboxSupport::none));
    CHECK_FALSE(exists(stage.folder.path() / "originals/simulate_rollback"));
    REQUIRE(stage.run(HostPhase::rollback).ok());
    CHECK(exists(stage.repository() / "raw"));
}

TEST_CASE("a message that is not what it should be is refused") {
    const auto changes = [](const Json& item) {
        return changes_at({{"changes", Json::array({item})}});
    };
    const HostFileChange change = changes({"a", ".a", "", "digest", true, 0640U, 2U}).front();
    CHECK(change.rendered);
    CHECK(change.mode == 0640U);
    CHECK(change.made_folders == 2U);
    CHECK_FALSE(changes({"a", ".a", "", "digest", true, Json(), 0U}).front().mode);
    for (const Json& bad :
         {Json({"a", ".a", "", "digest", true, 0640U}),
          Json({"a", ".a", "", "digest", "yes", 0640U, 0U}),
          Json({"a", ".a", "", 1, true, 0640U, 0U}), Json({"a", ".a", "", "digest", true, -1, 0U}),
          Json({"a", ".a", "", "digest", true, "0640", 0U}),
          Json({"a", ".a", "", "digest", true, 0640U, -1}),
          Json({"a", ".a", "", "digest", true, 0640U, Json()}),
          Json({"a", ".a", "", "digest", true, 0640U, 0U, 1}), Json("a")}) {
        INFO(bad.dump());
        CHECK_THROWS_AS(changes(bad), ProtocolError);
    }
    Frame frame;
    frame.descriptors.push_back(make_memory_file("test"));
    for (const Json& number : {Json(1), Json(-1), Json("0"), Json(0.5)}) {
        frame.message = {{"descriptor", number}};
        INFO(number.dump());
        CHECK_THROWS_AS(take_descriptor(frame, "descriptor"), ProtocolError);
    }
    CHECK_FALSE(take_descriptor(frame, "another"));
    frame.message = {{"descriptor", 0}};
    CHECK(take_descriptor(frame, "descriptor"));
    CHECK_FALSE(take_descriptor(frame, "descriptor"));
}

TEST_CASE("what a simulation was made from travels whole, and nothing else is taken for it") {
    using upgrade::services::PathKind;
    FoundInRepository found;
    found.files["a/b"] = {PathKind::file, sha256("x")};
    found.files["asked"] = {PathKind::file, std::nullopt};
    found.files["none"] = {PathKind::none, std::nullopt};
    found.files["link"] = {PathKind::link, std::nullopt};
    found.lists["**/*.yaml"] = digest_of_list({"a", "b"});
    const std::string good = encode_found(found);
    CHECK(encode_found(decode_found(good)) == good);
    CHECK(decode_found(good).files.at("a/b").digest == sha256("x"));
    for (const std::string bad : {"[\"file\",\"a\"]\n", "[\"file\",\"../a\",\"\"]\n",
                                  "[\"pipe\",\"a\",\"\"]\n", "[\"file\",\"a\",\"abc\"]\n",
                                  "[\"list\",\"*\",\"\"]\n", "[\"file\",\"a\",\"\"]", "{}\n"}) {
        INFO(bad);
        CHECK_THROWS_AS(decode_found(bad), ProtocolError);
        CHECK_THROWS_AS(decode_found(good + bad), ProtocolError);
    }
    const std::string digest = sha256("x").to_string();
    CHECK_THROWS_AS(decode_found("[\"none\",\"a\",\"" + digest + "\"]\n"), ProtocolError);
}

TEST_CASE("a command that begins says which parts of it were learned, within its words") {
    const auto begun = [](const Json& learned) {
        return begun_command_at({{"arguments", {"set", "abc"}}, {"learned", learned}});
    };
    const auto good = begun(to_json({{}, {{0, 1}, {2, 3}}}));
    CHECK(good.learned.at(1) == upgrade::services::TextRanges{{0, 1}, {2, 3}});
    CHECK(begun_command_at({{"arguments", {"set"}}}).learned.size() == 1);
    CHECK_THROWS_AS(begun_command_at({{"arguments", Json::array()}}), ProtocolError);
    for (const char* bad : {"[]", "[[]]", "[[],[[0]]]", "[[],[[0,4]]]", "[[],[[2,1]]]",
                            "[[],[[-1,1]]]", "[[],[[1,2],[0,1]]]", "[[],[\"a\"]]", "{}", "7"}) {
        INFO(bad);
        CHECK_THROWS_AS(begun(Json::parse(bad)), ProtocolError);
    }
}

TEST_CASE("a list of shown changes that is not what it should be is refused") {
    const ShownChange removed{"step", "a/b", std::nullopt};
    const ShownChange written{"", "c", sha256("x")};
    const std::string good = encode_shown({removed, written});
    CHECK(lines_of(decode_shown(good)) == lines_of({removed, written}));
    for (const std::string bad :
         {"[\"step\",\"a\",\"\"]", "[\"step\",\"a\"]\n", "{}\n", "\n", "[1,2,3]\n",
          "[\"step\",\"../a\",\"\"]\n", "[\"step\",\"/a\",\"\"]\n", "[\"step\",\"a\",\"abc\"]\n",
          "[\"step\",\"\",\"\"]\n", "nothing\n"}) {
        INFO(bad);
        CHECK_THROWS_AS(decode_shown(bad), ProtocolError);
        CHECK_THROWS_AS(decode_shown(good + bad), ProtocolError);
    }
    CHECK_THROWS_AS(
        decode_shown("[\"" + std::string(std::size_t{1} << 20U, 'x') + "\",\"a\",\"\"]\n"),
        ProtocolError);
}

TEST_CASE("a command fits into a message, whatever its bytes become there") {
    const std::string some = "\xC3\xA9";
    for (const std::string& last : {std::string(), std::string("\xff"), std::string("\x01")}) {
        for (const std::string& part :
             {std::string("a"), some, std::string("\xff"), std::string("\x01")}) {
            for (std::size_t size = k_max_frame / 16; size < k_max_frame;
                 size += k_max_frame / 16) {
                std::string word;
                while (word.size() < size) word += part;
                const Json message{{"type", "commandBegun"},
                                   {"arguments", told_texts(told_command({"true", word + last}))}};
                CHECK(dump_json(message).size() <= k_max_frame);
            }
        }
    }
}

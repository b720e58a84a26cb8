// SPDX-License-Identifier: Apache-2.0
// The same calls, in any order, to a ledger in SQLite and to one in memory: they answer the same.
#include <random>

#include "support/ledger_places.hpp"

using namespace runner;
using namespace test;

namespace {

constexpr int k_calls = 300;

std::string text_of(const std::optional<Digest>& digest) {
    return digest ? digest->to_string().substr(0, 2) : "-";
}

std::string text_of(const std::optional<SemanticVersion>& version) {
    return version ? version->to_string() : "-";
}

std::string text_of(const std::optional<Time>& time) {
    return time ? std::to_string(time->count()) : "-";
}

template <typename Number>
std::string text_of(const std::optional<Number>& number) {
    return number ? std::to_string(*number) : "-";
}

/// Fields, one after the other.
template <typename... Fields>
std::string row(const Fields&... fields) {
    std::string text;
    const auto add = [&](const auto& field) {
        if constexpr (std::is_arithmetic_v<std::decay_t<decltype(field)>>) {
            text += std::to_string(field);
        } else if constexpr (std::is_convertible_v<decltype(field), std::string>) {
            text += field;
        } else {
            text += text_of(field);
        }
        text += '|';
    };
    (add(fields), ...);
    return text + '\n';
}

std::string text_of(const std::vector<FileIntent>& changes) {
    std::string text;
    for (const FileIntent& change : changes)
        text += row("change", change.number, change.version, change.step, change.path,
                    change.temporary, change.backup, change.old_digest, change.new_digest,
                    change.kept, change.old_mode, change.new_mode, change.made_folders);
    return text;
}

std::string text_of(const std::vector<RunRecord>& runs) {
    std::string text;
    for (const RunRecord& run : runs) {
        text += row("run", run.start.id, run.start.command, run.start.reason, to_string(run.state),
                    run.outcome, run.message, run.started_at.count(), run.finished_at);
        for (const AttemptRecord& one : run.attempts)
            text += row("attempt", one.id, one.run, one.version, one.tag, one.digest, one.signer,
                        one.outcome, one.message, one.log, one.late, one.started_at.count(),
                        one.finished_at, one.apply_time.count(), one.verify_time.count());
    }
    return text;
}

std::string text_of(const LedgerFacts& facts) {
    std::string text =
        row("facts", facts.identity ? facts.identity->name : "-", facts.cluster.original_version,
            facts.cluster.cluster_version, facts.has_unfinished_run, facts.has_unfinished_files,
            facts.last_attempt);
    for (const DoneUpgrade& done : facts.cluster.done)
        text += row("done", done.version, done.platform, done.digest);
    for (const SkippedUpgrade& skip : facts.cluster.skipped)
        text += row("skipped", skip.version, skip.reason, skip.actor);
    for (const UnsettledUpgrade& one : facts.unsettled) {
        text += row("unsettled", one.version, one.tag, one.platform, one.digest, one.run,
                    one.outcome ? to_string(*one.outcome) : "-", one.message, one.done,
                    one.has_files, one.other_effects, one.is_undo);
        for (const std::string& step : one.finished_steps) text += row("its step", step);
    }
    return text;
}

std::string text_of(const std::optional<AttemptedManifest>& manifest) {
    if (!manifest) return row("no manifest");
    return row("manifest", to_string(manifest->form), manifest->text, manifest->has_check);
}

/// Everything that a ledger tells.
std::string told_by(Place& place, Ledger& ledger, const std::vector<std::string>& versions) {
    std::string text = text_of(ledger.facts()) + text_of(ledger.runs(99));
    const LedgerDump dump = ledger.dump();
    for (const DoneRecord& done : dump.done)
        text += row("done", done.version, done.tag, done.platform, done.digest, done.run, done.how,
                    done.recorded_at.count());
    for (const LedgerDump::Pin& pin : dump.pins)
        text += row("pin", pin.version, pin.platform, pin.digest);
    for (const LedgerDump::Step& step : dump.steps) text += row("step", step.version, step.id);
    for (const auto& [key, value] : dump.values) text += row("value", key.first, key.second, value);
    for (const auto& [name, value] : dump.parameters) text += row("parameter", name, value);
    for (const Declaration& one : dump.declared) text += row("declared", one.kind, one.name);
    for (const RunTally& tally : ledger.tallies())
        text += row("tally", tally.command, tally.outcome, tally.count, tally.time.count());
    for (const LeftFile& file : ledger.files_as_left())
        text += row("left", file.path, file.version, file.state.digest, file.state.mode);
    for (const std::string& version : versions)
        text += row(version) + text_of(ledger.manifest_of(version)) +
                text_of(ledger.changed_files(version)) + "later\n" +
                text_of(ledger.changed_later(version)) + text_of(ledger.runs(2, version));
    for (const UnfinishedFiles& files : ledger.unfinished_files())
        text += row("unfinished", files.version) + text_of(files.changes);
    text += row("loose", ledger.loose_ends().open_attempts);
    if (const auto lease = ledger.lease())
        text += row("lease", lease->owner, lease->acquired_at.count(), lease->heartbeat_at.count());
    return text + place.history().back();
}

/// Draws the calls; the same seed draws the same ones.
class Caller {
 public:
    explicit Caller(unsigned seed) : m_random(seed) {}

    /// One call, to be made of each ledger.
    std::function<std::string(Ledger&)> next() {
        const std::string version = m_versions[draw(m_versions.size())];
        const std::string run = "r" + std::to_string(draw(40) / 4);
        const std::string step = std::string(1, static_cast<char>('a' + draw(3)));
        const std::string path = std::string(1, static_cast<char>('p' + draw(3)));
        switch (draw(20)) {
            case 0:
                return does([=](Ledger& l) { l.begin_run({run, "upgrade", "", "", 1, "", ""}); });
            case 1:
            case 2:
                return does(
                    [=, from = begun(), to = over()](Ledger& l) { l.move_run(run, from, to); });
            case 3:
                return does([=, from = begun(), to = over(), how = outcome()](Ledger& l) {
                    l.finish_run(run, from, to, how, "words");
                });
            case 4:
                return does([=](Ledger& l) { l.record_other_effects(run, version); });
            case 5:
            case 6:
                return does([=, start = start_of(version)](Ledger& l) {
                    l.advance(run, std::nullopt, start);
                });
            case 7:
            case 8:
                return does(
                    [=, end = end_of(version)](Ledger& l) { l.advance(run, end, std::nullopt); });
            case 9:
            case 10:
                return does([=, backup = std::string(draw(2), 'b')](Ledger& l) {
                    l.record_files(run, version, step, {change(path, backup), change("always")});
                });
            case 11:
            case 12:
                return does([=](Ledger& l) {
                    l.record_step(run, version, step, {{{0, step}, path}, {{1, step}, path}});
                });
            case 13:
                return does([=](Ledger& l) {
                    if (path == "p") {
                        l.record_files_undone(run, version);
                    } else {
                        l.record_step_undone(run, version, step, {});
                    }
                });
            default:
                return by_hand(version, draw(9));
        }
    }

    std::vector<std::string> versions() const { return m_versions; }

 private:
    using Call = std::function<std::string(Ledger&)>;

    static Call does(const std::function<void(Ledger&)>& work) {
        return [work](Ledger& ledger) {
            work(ledger);
            return std::string();
        };
    }

    Call by_hand(const std::string& version, std::size_t what) {
        const SemanticVersion semver = SemanticVersion::parse("0.0." + std::to_string(draw(9)));
        const std::size_t kept = draw(3);
        switch (what) {
            case 0:
                return does([=](Ledger& l) {
                    DoneRecord done;
                    done.version = version;
                    done.how = "record";
                    l.record_done(done, "who", "why");
                });
            case 1:
                return does([=](Ledger& l) { l.record_skip({version, "why", "who"}); });
            case 2:
                return [=](Ledger& l) { return row(l.remove_skip(version, "who")); };
            case 3:
                return [=](Ledger& l) { return row(l.forget(version, "who", "why")); };
            case 4:
                return does([=](Ledger& l) { l.correct_version(semver, "who", "why"); });
            case 5:
                return does([=](Ledger& l) { l.raise_cluster_version(semver, "r"); });
            case 6:
                return [=](Ledger& l) {
                    std::string text;
                    for (const std::string& one : l.forget_old_originals(kept)) text += row(one);
                    return text;
                };
            case 7:
                return kept > 0 ? does([](Ledger& l) { l.forget_unfinished_files(); })
                                : does([](Ledger& l) { l.close_loose_ends(); });
            default:
                if (kept > 0) return does([](Ledger& l) { l.heartbeat(); });
                return [](Ledger& l) {
                    std::string text;
                    for (const InterruptedRun& one : l.mark_interrupted())
                        text += row(one.id, one.upgrade, one.finished, to_string(one.state));
                    return text;
                };
        }
    }

    std::size_t draw(std::size_t below) { return m_random() % below; }
    /// Most often those in which something comes of it.
    RunState begun() { return draw(3) > 0 ? RunState::queued : state(); }
    RunState over() { return draw(3) > 0 ? RunState::interrupted : state(); }
    RunState state() { return static_cast<RunState>(draw(k_run_states)); }
    Outcome outcome() { return static_cast<Outcome>(draw(10)); }

    AttemptStart start_of(const std::string& version) {
        AttemptStart start = attempt(version);
        start.form = draw(2) > 0 ? UpgradeForm::plugin : UpgradeForm::executable;
        start.manifest = std::string(draw(3), 'm');
        start.has_check = draw(2) > 0;
        start.is_undo = draw(2) > 0;
        return start;
    }

    AttemptEnd end_of(const std::string& version) {
        AttemptEnd end = ended(version, outcome());
        if (draw(3) == 0) end.cluster_version = SemanticVersion::parse(version);
        if (end.undone) end.lowered_version = SemanticVersion::parse("0.0.1");
        end.values = {{{0, "end"}, version}};
        end.declarations = {{"write", version}};
        end.parameters = {{"p", version}};
        end.apply_time = Time(draw(50));
        return end;
    }

    std::mt19937 m_random;
    std::vector<std::string> m_versions{"0.0.2", "0.0.3", "0.0.4", "0.0.5"};
};

std::string answer(const std::function<std::string(Ledger&)>& call, Ledger& ledger) {
    try {
        return call(ledger);
    } catch (const Error& error) {
        // What SQLite says of a row that does not fit is its own.
        return error.failure() == Failure::preparation ? "preparation" : error.what();
    }
}

}  // namespace

TEST_CASE("a ledger in memory answers any calls as the one in SQLite does") {
    const unsigned seed = GENERATE(1U, 2U, 3U, 4U);
    Place disk(Kind::sqlite);
    Place memory(Kind::memory);
    const auto first = disk.start();
    const auto second = memory.start();
    for (Ledger* ledger : {first.get(), second.get()}) ledger->acquire_lease(owner("r0"));
    Caller caller(seed);
    for (int i = 0; i < k_calls; ++i) {
        CAPTURE(seed, i);
        const auto call = caller.next();
        REQUIRE(answer(call, *first) == answer(call, *second));
        REQUIRE(told_by(disk, *first, caller.versions()) ==
                told_by(memory, *second, caller.versions()));
        disk.clock.now += Time(3);
        memory.clock.now += Time(3);
    }
    CHECK(disk.history() == memory.history());
    CHECK_FALSE(first->first_broken_event());
}

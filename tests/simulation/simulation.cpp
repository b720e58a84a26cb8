// SPDX-License-Identifier: Apache-2.0
#include "simulation/simulation.hpp"

#include <algorithm>

#include "model/error.hpp"
#include "simulation/dice.hpp"
#include "simulation/generator.hpp"
#include "simulation/model.hpp"

namespace test {
namespace {

using runner::Error;
using runner::Failure;
using runner::RunReport;

constexpr std::size_t k_most_points = 220;  // most runs pass fewer
constexpr int k_most_reruns = 14;

bool is_write(const std::string& point) {
    static const std::vector<std::string> others{"before file", "before command", "before program",
                                                 "before original"};
    return point.rfind("before ", 0) == 0 &&
           std::find(others.begin(), others.end(), point) == others.end();
}

/// Where a person may come between: not amid the few instructions in which a file is compared and
/// replaced.
bool is_pause(const std::string& point) {
    return point == "ask" || point == "tell" || point == "phase" || point == "before advance";
}

/// Run ids are random: without them the same seed says the same.
std::string without_ids(std::string text) {
    constexpr std::size_t k_time = 18;
    constexpr std::size_t k_id = 26;
    for (std::size_t at = 0; (at = text.find("Z-", at)) != std::string::npos; ++at) {
        if (at >= k_time && at + 8 <= text.size()) text.replace(at - k_time, k_id, "RUN");
    }
    return text;
}

class Simulation {
 public:
    explicit Simulation(std::uint64_t seed) : m_dice(seed), m_model(m_world) {
        for (const std::string& path : shared_files()) {
            if (m_dice.chance(70)) m_world.now.files[path] = "original\n";
        }
        for (const ScriptedUpgrade& upgrade : random_upgrades(m_dice)) {
            if (m_dice.chance(80)) {
                m_world.publish(upgrade);
            } else {
                m_to_come.push_back(upgrade);
            }
        }
        if (m_dice.chance(10)) {
            m_world.config.hooks.before.command = {"before"};
            m_world.config.hooks.on_failure.command = {"on-failure"};
        }
    }

    SimulationResult run() {
        const std::size_t operations = 2 + m_dice.roll(6);
        for (std::size_t i = 0; i < operations && m_model.faults().empty(); ++i) operate();
        if (m_model.faults().empty()) settle();
        collect();
        return {m_model.faults(), std::move(m_events), m_runs};
    }

 private:
    void say(const std::string& text) {
        collect();
        m_events.push_back("# " + text);
    }

    /// What was told since the last time joins the events.
    void collect() {
        const auto& told = m_world.reporter.events;
        for (; m_collected < told.size(); ++m_collected)
            m_events.push_back(without_ids(told[m_collected]));
    }

    void operate() {
        for (auto& [version, upgrade] : m_world.stage.scripts)
            upgrade.faults = random_faults(m_dice);
        plan_disturbances();
        m_model.begin();
        const std::size_t kind = m_dice.roll(100);
        if (kind < 50) {
            upgrade();
        } else if (kind < 70) {
            roll_back();
        } else if (kind < 77) {
            run_single();
        } else if (kind < 82) {
            look();
        } else if (kind < 90) {
            by_hand();
        } else {
            release();
        }
        collect();
        m_model.check_world();
    }

    // Disturbances.

    void plan_disturbances() {
        m_world.process.at_point = nullptr;
        m_world.signals.signals = 0;
        m_failed = false;
        m_wants_death = m_dice.chance(35) ? m_dice.roll(k_most_points) : k_most_points;
        const std::size_t signal_at =
            m_dice.chance(15) ? m_dice.roll(k_most_points) : k_most_points;
        const int signals = 1 + static_cast<int>(m_dice.roll(3));
        const std::size_t fails_at = m_dice.chance(8) ? m_dice.roll(k_most_points) : k_most_points;
        const bool for_good = m_dice.chance(50);
        const std::size_t person_at =
            m_dice.chance(12) ? m_dice.roll(k_most_points) : k_most_points;
        const std::string path = m_dice.one_of(shared_files());
        m_world.process.at_point = [=, this, point = std::size_t(0), failed = false,
                                    came = false](const std::string& name) mutable {
            ++point;
            if (point == signal_at) {
                m_world.signals.signals = signals;
                m_model.disturbed();
                say("signals: " + std::to_string(signals));
            }
            if (!came && point >= person_at && is_pause(name) && !m_world.stage.committing) {
                came = true;
                m_model.disturbed();
                person_writes(path);
            }
            if (point >= fails_at && is_write(name) && (!failed || for_good)) {
                failed = true;
                m_failed = true;
                m_model.disturbed();
                say("the ledger fails at " + name);
                throw Error(Failure::preparation, "the disk of the ledger is full");
            }
        };
    }

    void person_writes(const std::string& path) {
        const std::string line = "by hand " + std::to_string(++m_by_hand);
        say("a person writes into " + path);
        m_model.person_wrote(path, line);
    }

    /// Each fault may make a command run once more.
    int faults_left() const {
        int left = 0;
        for (const auto& [version, upgrade] : m_world.stage.scripts) {
            for (const PhaseFault& fault : upgrade.faults) left += fault.times;
        }
        return left;
    }

    /// Runs `work`, which may die; whether it lived.
    bool run(const std::function<void()>& work) {
        ++m_runs;
        const int faults_before = faults_left();
        if (m_wants_death < k_most_points) m_world.process.dies_at = m_wants_death;
        const bool alive = m_world.run(work);
        m_wants_death = k_most_points;
        for (int i = faults_left(); i < faults_before; ++i) m_model.disturbed();
        if (!alive) {
            say("it was killed");
            m_model.disturbed();
        }
        m_world.process.at_point = nullptr;
        m_world.signals.signals = 0;
        return alive;
    }

    // Operations.

    void options(runner::RunOptions& options) {
        options.yes = m_dice.chance(75);
        options.dry_run = m_dice.chance(10);
        options.roll_back = m_dice.chance(75);
        options.confirm_downtime = m_dice.chance(90);
        const bool says_yes = m_dice.chance(85);
        m_world.terminal.there = m_dice.chance(95);
        m_world.terminal.answer = [says_yes](const std::string&) { return says_yes ? "y" : "n"; };
    }

    void say_end(const std::string& operation, const std::optional<RunReport>& report) {
        say(operation + " ends with " + std::to_string(report->exit_code) +
            (report->error ? ": " + without_ids(words(report)) : ""));
    }

    void finish(const char* operation, const std::optional<RunReport>& report, bool dry_run) {
        if (!report) return;
        say_end(operation, report);
        m_model.check_outcome(report->exit_code, report->error && report->error->changed == "no");
        if (!report->run.empty() && !m_failed && m_world.ledgers.look()->lease())
            m_model.fault("the lease is held after the run");
        if (dry_run) m_model.check_nothing_changed(operation);
    }

    void upgrade() {
        runner::UpgradeRequest request;
        options(request);
        if (m_dice.chance(10)) request.selection.skip = {random_known()};
        if (m_dice.chance(10)) request.selection.only = {random_known()};
        if (m_dice.chance(10))
            request.selection.target = "0.0." + std::to_string(50 + m_dice.roll(8));
        request.keep_going = m_dice.chance(20);
        if (m_dice.chance(10)) request.soak = std::chrono::seconds(2);
        if (m_dice.chance(5)) {
            m_world.now.outside["health"] = "bad";
            m_model.disturbed();
        }
        if (m_dice.chance(5)) m_world.now.outside["world"] = "ready";
        m_model.begin();
        say("upgrade");
        const bool half = is_half_undone(!request.dry_run);
        std::optional<RunReport> report;
        const bool alive = run([&] { report = run_upgrade(m_world.parts(), request); });
        if (alive) finish("upgrade", report, request.dry_run);
        if (alive && half && report->exit_code < 2)
            m_model.fault("an upgrade ran on what is undone in part");
        m_world.now.outside["health"] = "good";
    }

    void roll_back() {
        runner::RollbackRequest request;
        options(request);
        if (m_dice.chance(60)) request.target = "0.0." + std::to_string(50 + m_dice.roll(6));
        request.force = m_dice.chance(15);
        say("rollback " + request.target + (request.force ? " --force" : ""));
        if (request.force) m_model.people_were_overruled();
        m_model.disturbed();  // what is undone runs again
        const std::vector<std::string> done = m_world.done();
        const std::string half_done = is_half_undone(true) ? "" : first_half_done();
        std::optional<RunReport> report;
        const bool alive = run([&] { report = run_rollback(m_world.parts(), request); });
        if (request.force) m_model.people_were_overruled();
        if (!alive) return;
        finish("rollback", report, request.dry_run);
        if (report->outcome != runner::Outcome::rolled_back) return;
        bool some_were_done = false;
        bool jumped_over = !half_done.empty();
        for (const runner::PlannedUpgrade& undone : report->due) {
            const auto found = m_world.stage.scripts.find(undone.version);
            jumped_over = jumped_over && undone.version != half_done;
            some_were_done =
                some_were_done || std::find(done.begin(), done.end(), undone.version) != done.end();
            if (found != m_world.stage.scripts.end()) m_model.undone(found->second);
            if (found != m_world.stage.scripts.end() && !m_model.is_tainted(undone.version) &&
                m_model.presence(found->second) != Model::Presence::none)
                m_model.fault(undone.version + " was rolled back, and something of it is there");
        }
        // What is half done is undone, or stands in the way, before anything that is done.
        if (jumped_over && some_were_done) m_model.fault("a rollback jumped over " + half_done);
    }

    /// What ran half-way and cannot be undone; empty: nothing.
    std::string first_half_done() {
        for (const auto& [version, upgrade] : m_world.stage.scripts) {
            if (m_model.is_half_done(upgrade)) return version;
        }
        return {};
    }

    void run_single() {
        runner::SingleRunRequest request;
        options(request);
        request.upgrade = random_known();
        request.record = m_dice.chance(70);
        say("run " + request.upgrade + (request.record ? " --record" : ""));
        std::optional<RunReport> report;
        const bool alive = run([&] { report = runner::run_single(m_world.parts(), request); });
        if (alive) finish("run", report, request.dry_run);
        if (!request.record) take_back_what_was_tried(request.upgrade);
    }

    /// What somebody only tried, and what went well, is taken back by hand: the ledger must know
    /// nothing of it.
    void take_back_what_was_tried(const std::string& version) {
        if (m_world.stage.scripts.count(version) == 0) return;
        const ScriptedUpgrade& upgrade = m_world.stage.scripts.at(version);
        const std::vector<std::string> done = m_world.done();
        const bool is_done = std::find(done.begin(), done.end(), version) != done.end();
        if (is_done || is_unsettled(version) || m_model.is_tainted(version)) return;
        const auto runs = m_world.ledgers.look()->runs(1, version);
        if (runs.empty() || runs.front().attempts.back().outcome != "succeeded") return;
        say("a person takes back what was tried of " + version);
        m_model.took_back(upgrade);
    }

    bool is_unsettled(const std::string& version) {
        if (m_world.stage.scripts.count(version) == 0) return false;
        const auto unsettled = m_world.facts().unsettled;
        return std::any_of(unsettled.begin(), unsettled.end(),
                           [&](const auto& one) { return one.version == version; });
    }

    /// A person undoes what stopped half-way by hand, and says so.
    void forget_by_hand(const std::string& version) {
        say("a person takes back " + version + ", and the ledger forgets it");
        m_model.took_back(m_world.stage.scripts.at(version));
        m_world.ledgers.open()->forget(version, "somebody", "undone by hand");
    }

    void look() {
        say("plan and verify");
        const bool half = is_half_undone(false);
        run([&] {
            try {
                make_plan_report(m_world.parts(), {});
                if (half) m_model.fault("plan says nothing of a rollback that failed half-way");
            } catch (const Error& error) {
                say(std::string("plan: ") + without_ids(error.what()));
            } catch (const runner::Interrupted&) {
            }
        });
        run([&] {
            try {
                const auto report = run_verify(m_world.parts(), {});
                if (half) m_model.fault("verify says nothing of a rollback that failed half-way");
                say(report.good() ? "verify: good" : "verify: bad");
            } catch (const Error& error) {
                say(std::string("verify: ") + without_ids(error.what()));
            } catch (const runner::Interrupted&) {
            }
        });
        m_model.check_nothing_changed("looking");
    }

    /// `also_open`: also when the run that undid it has died, which who only looks cannot know.
    bool is_half_undone(bool also_open) {
        const auto unsettled = m_world.facts().unsettled;
        return std::any_of(unsettled.begin(), unsettled.end(), [&](const auto& one) {
            return one.outcome == runner::Outcome::rollback_failed ||
                   (one.is_undo && (also_open || one.outcome) && (one.done || one.other_effects));
        });
    }

    void by_hand() {
        m_world.process.at_point = nullptr;
        m_wants_death = k_most_points;
        if (m_dice.chance(60)) {
            person_writes(m_dice.one_of(shared_files()));
            return;
        }
        const std::string version = random_known();
        const bool unfinished =
            m_world.facts().has_unfinished_run || m_world.facts().has_unfinished_files;
        if (!unfinished && is_unsettled(version) && m_dice.chance(50)) {
            forget_by_hand(version);
            return;
        }
        try {
            const auto ledger = m_world.ledgers.open();
            if (m_dice.chance(50)) {
                ledger->record_skip({version, "not for us", "somebody"});
                say("skip " + version);
            } else {
                ledger->remove_skip(version, "somebody");
                say("unskip " + version);
            }
        } catch (const Error& error) {
            say(std::string("skip: ") + error.what());
        }
    }

    void release() {
        m_world.process.at_point = nullptr;
        m_wants_death = k_most_points;
        const std::vector<std::string> done = m_world.done();
        if (m_to_come.empty() || (!done.empty() && m_dice.chance(20))) {
            if (done.empty()) return;
            const std::string version = m_dice.one_of(done);
            say("the release " + version + " is gone");
            m_world.withdraw(version);
            return;
        }
        const std::size_t index = m_dice.roll(m_to_come.size());
        say("a new release " + m_to_come[index].version);
        m_world.publish(m_to_come[index]);
        m_to_come.erase(m_to_come.begin() + static_cast<std::ptrdiff_t>(index));
    }

    std::string random_known() {
        std::vector<std::string> versions;
        for (const auto& [version, upgrade] : m_world.stage.scripts) versions.push_back(version);
        return versions.empty() ? "0.0.51" : m_dice.one_of(versions);
    }

    // The end: nothing disturbs any more, and everything comes right.

    void settle() {
        say("from here on nothing goes wrong, and everything is released");
        for (const ScriptedUpgrade& upgrade : m_to_come) m_world.publish(upgrade);
        for (auto& [version, upgrade] : m_world.stage.scripts) {
            upgrade.faults.clear();
            m_world.source.publish(upgrade);
        }
        m_world.process.at_point = nullptr;
        m_wants_death = k_most_points;
        m_world.terminal.there = true;
        m_world.terminal.answer = nullptr;
        m_world.now.outside["health"] = "good";
        for (int i = 0; i < k_most_reruns && m_model.faults().empty(); ++i) {
            if (is_settled_now()) return;
        }
        if (m_model.faults().empty()) m_model.fault("it does not come to rest");
    }

    /// One more run; whether there is nothing left to do, or a good reason for what is left.
    bool is_settled_now() {
        runner::UpgradeRequest request = World::yes();
        request.confirm_downtime = true;
        m_model.begin();
        m_model.disturbed();
        const auto report = upgrade_undisturbed(request);
        m_model.check_world();
        if (report->exit_code == 0) return report->due.empty() && check_all_done(*report);
        const std::string message = words(report);
        if (message.find("failed half-way") != std::string::npos ||
            message.find("undone in part") != std::string::npos) {
            finish_rollback();
            return false;
        }
        if (is_good_reason(message)) return true;
        m_model.fault("an undisturbed upgrade ends with " + std::to_string(report->exit_code) +
                      ": " + without_ids(message));
        return true;
    }

    std::optional<RunReport> upgrade_undisturbed(const runner::UpgradeRequest& request) {
        std::optional<RunReport> report;
        run([&] { report = run_upgrade(m_world.parts(), request); });
        say_end("upgrade", report);
        m_model.check_outcome(report->exit_code, report->error && report->error->changed == "no");
        collect();
        return report;
    }

    void finish_rollback() {
        runner::RollbackRequest request = World::rollback_request();
        for (const bool force : {false, true}) {
            request.force = force;
            if (force) m_model.people_were_overruled();
            std::optional<RunReport> report;
            run([&] { report = run_rollback(m_world.parts(), request); });
            say_end("rollback", report);
            collect();
            if (report->exit_code == 0) return;
            for (const auto& [version, upgrade] : m_world.stage.scripts) {
                if (words(report).find(version + " cannot be rolled back: it ") ==
                    std::string::npos)
                    continue;
                forget_by_hand(version);
                return;
            }
        }
        m_model.fault("a rollback that failed half-way cannot be finished");
    }

    /// What an upgrade may be refused for, although nothing goes wrong.
    bool is_good_reason(const std::string& words) {
        if (words.find(" requires ") != std::string::npos)
            return !m_world.facts().cluster.skipped.empty();
        for (const auto& [version, upgrade] : m_world.stage.scripts) {
            if (words.find(version + ": it cannot run here: of ") != std::string::npos) return true;
        }
        return words.find("everything that is due is blocked") != std::string::npos;
    }

    bool check_all_done(const RunReport& report) {
        const runner::LedgerFacts facts = m_world.facts();
        for (const auto& [version, upgrade] : m_world.stage.scripts) {
            const auto is_it = [&, &name = version](const auto& one) {
                return one.version == name;
            };
            const bool settled =
                std::any_of(facts.cluster.done.begin(), facts.cluster.done.end(), is_it) ||
                std::any_of(facts.cluster.skipped.begin(), facts.cluster.skipped.end(), is_it);
            if (!settled) m_model.fault(version + " is neither done nor skipped at the end");
        }
        for (const runner::UnsettledUpgrade& one : facts.unsettled) {
            const bool skipped =
                std::any_of(facts.cluster.skipped.begin(), facts.cluster.skipped.end(),
                            [&](const auto& skip) { return skip.version == one.version; });
            if (!skipped && !one.done) m_model.fault(one.version + " is unsettled at the end");
        }
        if (!m_world.work_tree.temporaries.empty()) m_model.fault("a temporary file is left");
        if (facts.has_unfinished_files || facts.has_unfinished_run)
            m_model.fault("something is unfinished at the end");
        if (report.cluster_version != m_world.version())
            m_model.fault("the report has the cluster version " + report.cluster_version +
                          ", the ledger " + m_world.version());
        return true;
    }

    Dice m_dice;
    World m_world;
    Model m_model;
    std::vector<ScriptedUpgrade> m_to_come;
    std::vector<std::string> m_events;
    std::size_t m_collected = 0;
    std::size_t m_runs = 0;
    std::size_t m_wants_death = k_most_points;
    bool m_failed = false;  ///< the ledger, in this operation
    int m_by_hand = 0;
};

}  // namespace

SimulationResult simulate(std::uint64_t seed) {
    return Simulation(seed).run();
}

}  // namespace test

// SPDX-License-Identifier: Apache-2.0
// What is found wrong with a ledger's file, and which copy takes its place.
#include "engine/repair.hpp"

#include <filesystem>

#include "ledger/beside.hpp"
#include "ledger/sqlite_ledger.hpp"
#include "model/error.hpp"
#include "support/catch.hpp"
#include "support/file.hpp"

using namespace runner;
using Catch::Contains;

namespace {

/// A ledger with copies of earlier runs; its file is damaged.
struct Damaged {
    TemporaryFolder folder{"repair-test"};
    SystemClock clock;
    ClusterConfig config;

    Damaged() {
        config.name = "demo";
        config.state = folder.path() / "state/state.db";
        {
            const auto ledger = open_ledger(config.state, clock);
            ledger->set_identity({"demo", "", ""});
            for (const char* run : {"2026-01", "2026-02", "2026-03"}) ledger->copy_to(copy(run));
        }
        replace_file(config.state, "no ledger at all");
    }
    [[nodiscard]] std::filesystem::path copy(const std::string& run) const {
        return copies_beside(config.state) / (run + ".db");
    }
    void attempted(const std::string& run, const std::string& version) const {
        replace_file(logs_beside(config.state) / run / (version + ".log"), "its log\n");
    }
};

}  // namespace

TEST_CASE("the newest copy that is whole takes the place of a damaged ledger") {
    const Damaged damaged;
    replace_file(copies_beside(damaged.config.state) / "2026-09.txt", "no copy\n");
    for (const char* run : {"2026-03", "2026-02", "2026-01"}) {
        const Diagnosis diagnosis = diagnose_ledger(damaged.config);
        CHECK(diagnosis.damaged);
        CHECK(diagnosis.copy == damaged.copy(run).string());
        CHECK(diagnosis.can_repair());
        CHECK(diagnosis.findings.size() == 1);
        replace_file(damaged.copy(run), "damaged, too");
    }
    const Diagnosis diagnosis = diagnose_ledger(damaged.config);
    CHECK(diagnosis.damaged);
    CHECK(diagnosis.copy.empty());
    CHECK_FALSE(diagnosis.can_repair());
}

TEST_CASE("what was attempted since the copy is named, also by the run that made the copy") {
    const Damaged damaged;
    damaged.attempted("2026-02", "0.0.51");
    CHECK(diagnose_ledger(damaged.config).findings.size() == 1);
    damaged.attempted("2026-03", "0.0.53");
    damaged.attempted("2026-03", "0.0.52");
    damaged.attempted("2026-04", "0.0.53");
    const Diagnosis diagnosis = diagnose_ledger(damaged.config);
    REQUIRE(diagnosis.findings.size() == 2);
    CHECK(diagnosis.findings[1].what == "attempted after that copy was made: 0.0.52, 0.0.53");
    CHECK_FALSE(diagnosis.findings[1].repairable);
}

TEST_CASE("without a whole copy nothing that was attempted is named: all of it was") {
    const Damaged damaged;
    std::filesystem::remove_all(copies_beside(damaged.config.state));
    damaged.attempted("2026-03", "0.0.53");
    const Diagnosis diagnosis = diagnose_ledger(damaged.config);
    CHECK(diagnosis.findings.size() == 1);
    CHECK_FALSE(diagnosis.findings[0].repairable);
}

TEST_CASE("another cluster's ledger is not diagnosed") {
    Damaged damaged;
    std::filesystem::copy_file(damaged.copy("2026-03"), damaged.config.state,
                               std::filesystem::copy_options::overwrite_existing);
    CHECK(diagnose_ledger(damaged.config).findings.empty());
    damaged.config.name = "other";
    CHECK_THROWS_WITH(diagnose_ledger(damaged.config), Contains("'demo'") && Contains("'other'"));
}

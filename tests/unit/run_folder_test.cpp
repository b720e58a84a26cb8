// SPDX-License-Identifier: Apache-2.0
#include "engine/run_folder.hpp"

#include "support/catch.hpp"
#include "support/file.hpp"
#include "support/read.hpp"

using namespace runner;

TEST_CASE("each phase of an upgrade goes on with the log of the one before it") {
    const TemporaryFolder folder("run-folder-test");
    DiskRunFolder places(folder.path() / "state.db", "p");
    for (const char* phase : {"apply", "verify", "rollback"})
        places.log("logs/run/0.0.51.log")->write(phase);
    CHECK(read_file(places.place_of("logs/run/0.0.51.log")) == "apply\nverify\nrollback\n");
    places.log("")->write("nowhere");
}

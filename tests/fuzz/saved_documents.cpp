// SPDX-License-Identifier: Apache-2.0
// Saved plans and exported ledgers: what is read of an export can be written and read again.
#include <cstddef>
#include <cstdint>
#include <string>

#include "engine/documents.hpp"
#include "engine/saved_plan.hpp"
#include "model/error.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    try {
        runner::SavedPlan::parse(text, "plan");
    } catch (const runner::Error&) {
    }
    try {
        const runner::LedgerDump dump = runner::parse_export(text, "export");
        runner::parse_export(runner::dump_json(runner::export_document(dump)), "again");
    } catch (const runner::Error&) {
    }
    return 0;
}

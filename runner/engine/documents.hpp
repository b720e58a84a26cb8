// SPDX-License-Identifier: Apache-2.0
// The JSON documents that runner prints. One function a document, each with `schemaVersion`.
#pragma once

#include "engine/kinds/verify_kind.hpp"
#include "engine/repair.hpp"
#include "engine/report.hpp"
#include "ledger/ledger.hpp"
#include "model/json.hpp"

namespace runner {

Json plan_document(const RunReport& report);
Json upgrade_document(const RunReport& report);
/// Of what was refused or failed before there was a document of its own: `error` stands where it
/// stands in the others.
Json error_document(const RunError& error);
Json verify_document(const VerifyReport& report);
Json diagnosis_document(const Diagnosis& diagnosis);
Json history_document(const std::vector<RunRecord>& runs, const std::vector<HandChange>& by_hand,
                      const std::optional<std::int64_t>& first_broken_event);
Json state_document(const LedgerFacts& facts, const std::vector<DoneRecord>& done,
                    const std::optional<LeaseInfo>& lease);

/// `state export`'s document, and the inverse; throws Error{usage} that names what is wrong.
Json export_document(const LedgerDump& dump);
LedgerDump parse_export(const std::string& text, const std::string& what);

}  // namespace runner

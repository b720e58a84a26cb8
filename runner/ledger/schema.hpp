// SPDX-License-Identifier: Apache-2.0
// The ledger's tables and how older forms of them become the newest.
#pragma once

#include <SQLiteCpp/Database.h>

#include <string>

namespace runner {

/// The schema that this program writes.
constexpr int k_schema_version = 5;

/// Marks the file as a runner ledger (SQLite's application_id): "RNLG".
constexpr int k_application_id = 0x524E4C47;

/// Brings the database to k_schema_version in one transaction. Throws Error{refused} when it is
/// newer, or when the file is a database of something else.
void migrate_schema(SQLite::Database& database, const std::string& file);

enum class SchemaAge { empty, older, current };

/// As migrate_schema, for looking: throws instead of changing anything. `empty` when a writer has
/// only just made the file; `older`: it must be migrated (a copy of it) before it is read.
SchemaAge check_schema(SQLite::Database& database, const std::string& file);

}  // namespace runner

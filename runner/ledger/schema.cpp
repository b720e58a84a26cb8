// SPDX-License-Identifier: Apache-2.0
#include "ledger/schema.hpp"

#include <SQLiteCpp/Statement.h>

#include <array>
#include <string>

#include "model/error.hpp"

namespace runner {
namespace {

// Version 1: the first one. A later version adds an entry to k_migrations and never changes an
// earlier one.
constexpr const char* k_schema_1 = R"sql(
CREATE TABLE cluster (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  name TEXT NOT NULL,
  region TEXT NOT NULL,
  account_id TEXT NOT NULL,
  original_version TEXT,
  cluster_version TEXT
) STRICT;
CREATE TABLE run (
  id TEXT PRIMARY KEY,
  command TEXT NOT NULL,
  actor TEXT NOT NULL,
  host TEXT NOT NULL,
  pid INTEGER NOT NULL,
  runner_version TEXT NOT NULL,
  target TEXT NOT NULL,
  state TEXT NOT NULL,
  outcome TEXT,
  message TEXT NOT NULL DEFAULT '',
  started_at INTEGER NOT NULL,
  state_entered_at INTEGER NOT NULL,
  finished_at INTEGER
) STRICT;
CREATE INDEX run_by_start ON run (started_at);
CREATE INDEX run_unfinished ON run (id) WHERE finished_at IS NULL;
CREATE TABLE attempt (
  id INTEGER PRIMARY KEY,
  run TEXT NOT NULL REFERENCES run (id),
  version TEXT NOT NULL,
  tag TEXT NOT NULL,
  platform TEXT NOT NULL,
  digest TEXT,
  signer TEXT,
  late INTEGER NOT NULL,
  outcome TEXT,
  message TEXT NOT NULL DEFAULT '',
  log TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  finished_at INTEGER,
  apply_ms INTEGER NOT NULL DEFAULT 0,
  verify_ms INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX attempt_by_run ON attempt (run);
CREATE INDEX attempt_by_version ON attempt (version);
CREATE TABLE upgrade (
  version TEXT PRIMARY KEY,
  tag TEXT NOT NULL,
  platform TEXT NOT NULL,
  digest BLOB,
  run TEXT NOT NULL,
  how TEXT NOT NULL CHECK (how IN ('upgrade', 'record', 'import')),
  recorded_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE pin (
  version TEXT NOT NULL,
  platform TEXT NOT NULL,
  digest TEXT NOT NULL,
  PRIMARY KEY (version, platform)
) STRICT, WITHOUT ROWID;
CREATE TABLE step (
  version TEXT NOT NULL,
  id TEXT NOT NULL,
  position INTEGER NOT NULL,
  run TEXT NOT NULL,
  finished_at INTEGER NOT NULL,
  PRIMARY KEY (version, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE file_change (
  id INTEGER PRIMARY KEY,
  run TEXT NOT NULL,
  version TEXT NOT NULL,
  step TEXT NOT NULL,
  path TEXT NOT NULL,
  temporary TEXT NOT NULL,
  backup TEXT NOT NULL,
  old_digest TEXT,
  new_digest TEXT,
  finished INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX file_change_unfinished ON file_change (id) WHERE finished = 0;
CREATE INDEX file_change_by_version ON file_change (version);
CREATE TABLE state_value (
  scope TEXT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE skip (
  version TEXT PRIMARY KEY,
  reason TEXT NOT NULL,
  actor TEXT NOT NULL,
  recorded_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE lease (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  owner TEXT NOT NULL,
  actor TEXT NOT NULL,
  host TEXT NOT NULL,
  pid INTEGER NOT NULL,
  reason TEXT NOT NULL,
  acquired_at INTEGER NOT NULL,
  heartbeat_at INTEGER NOT NULL
) STRICT;
CREATE TABLE history (
  seq INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  kind TEXT NOT NULL,
  run TEXT NOT NULL,
  version TEXT NOT NULL,
  detail TEXT NOT NULL,
  hash BLOB NOT NULL
) STRICT;
)sql";

// Version 2: what upgrades have declared and which parameter values they got, so that a plan can
// show what is new and keep what was given; which originals are still kept; and the order in which
// upgrades were done, whatever the clock said.
constexpr const char* k_schema_2 = R"sql(
CREATE TABLE declaration (
  kind TEXT NOT NULL CHECK (kind IN ('write', 'command', 'network', 'parameter')),
  name TEXT NOT NULL,
  version TEXT NOT NULL,
  PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE parameter_value (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL,
  version TEXT NOT NULL
) STRICT, WITHOUT ROWID;
ALTER TABLE file_change ADD COLUMN kept INTEGER NOT NULL DEFAULT 1;
ALTER TABLE upgrade ADD COLUMN position INTEGER NOT NULL DEFAULT 0;
UPDATE upgrade SET position = (SELECT count(*) FROM upgrade o WHERE
  (o.recorded_at, o.version) <= (upgrade.recorded_at, upgrade.version));
CREATE INDEX upgrade_by_position ON upgrade (position);
)sql";

// Version 3: which attempts left something behind, found without reading all of them; what was
// forgotten or recorded by hand since is settled. Who changed a file later. And the ledger's own
// key.
constexpr const char* k_schema_3 = R"sql(
ALTER TABLE attempt ADD COLUMN settled INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempt ADD COLUMN form TEXT NOT NULL DEFAULT 'plugin';
ALTER TABLE attempt ADD COLUMN manifest TEXT NOT NULL DEFAULT '';
ALTER TABLE attempt ADD COLUMN has_check INTEGER NOT NULL DEFAULT 1;
ALTER TABLE attempt ADD COLUMN is_undo INTEGER NOT NULL DEFAULT 0;
UPDATE attempt SET is_undo = 1 WHERE run IN (SELECT id FROM run WHERE command LIKE 'rollback%');
UPDATE attempt SET settled = 1 WHERE id IN (
  SELECT a.id FROM history h CROSS JOIN attempt a ON a.version = h.version AND a.started_at <= h.at
  WHERE h.kind IN ('forgotten', 'recorded'));
CREATE INDEX attempt_unsettled ON attempt (version) WHERE settled = 0 AND coalesce(outcome, '')
  NOT IN ('succeeded', 'nothing_to_do', 'rolled_back', 'blocked', 'skipped');
CREATE INDEX file_change_by_path ON file_change (path);
CREATE TABLE plan_key (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  key BLOB NOT NULL CHECK (length(key) = 32)
) STRICT;
INSERT INTO plan_key (id, key) VALUES (1, randomblob(32));
)sql";

// Version 4: whether an attempt is settled is written when that becomes known; and whether it may
// have changed something that is listed nowhere (1: until the end of its step, 2: at any time). Of
// older ones the manifest says what it could.
constexpr const char* k_schema_4 = R"sql(
ALTER TABLE attempt ADD COLUMN other_effects INTEGER NOT NULL DEFAULT 0;
UPDATE attempt SET settled = 1 WHERE settled = 0 AND (outcome IN ('blocked', 'skipped') OR EXISTS
  (SELECT 1 FROM attempt s WHERE s.version = attempt.version AND s.id >= attempt.id AND
  s.outcome IN ('succeeded', 'nothing_to_do', 'rolled_back')));
UPDATE attempt SET other_effects = 2 WHERE settled = 0 AND (form = 'executable' OR
  NOT json_valid(manifest) OR json_array_length(manifest, '$.permissions.commands') > 0 OR
  json_extract(manifest, '$.permissions.network'));
DROP INDEX attempt_unsettled;
CREATE INDEX attempt_unsettled ON attempt (version) WHERE settled = 0;
)sql";

// Version 5: the modes of changed files (the bits that chmod sets), and how many folders were made
// for a new one. Of older changes they are not known.
constexpr const char* k_schema_5 = R"sql(
ALTER TABLE file_change ADD COLUMN old_mode INTEGER;
ALTER TABLE file_change ADD COLUMN new_mode INTEGER;
ALTER TABLE file_change ADD COLUMN made_folders INTEGER;
)sql";

constexpr std::array<const char*, k_schema_version> k_migrations{k_schema_1, k_schema_2, k_schema_3,
                                                                 k_schema_4, k_schema_5};

int pragma(SQLite::Database& database, const char* name) {
    SQLite::Statement query(database, std::string("PRAGMA ") + name);
    return query.executeStep() ? query.getColumn(0).getInt() : 0;
}

[[noreturn]] void refuse_foreign(const std::string& file) {
    throw Error(Failure::refused, file + " is a database, but not a runner's ledger",
                "name another file as 'state' in the cluster config");
}

void refuse_newer(const std::string& file, int version) {
    if (version <= k_schema_version) return;
    throw Error(Failure::refused,
                file + " has ledger format " + std::to_string(version) +
                    ", this runner knows up to " + std::to_string(k_schema_version) +
                    "; nothing was changed",
                "use the newer runner that wrote it");
}

bool is_empty(SQLite::Database& database) {
    return database.execAndGet("SELECT count(*) FROM sqlite_schema").getInt() == 0;
}

}  // namespace

void migrate_schema(SQLite::Database& database, const std::string& file) {
    refuse_newer(file, pragma(database, "user_version"));
    if (pragma(database, "user_version") == k_schema_version) return;
    // Looked at again inside the transaction: another writer may be doing the same.
    database.exec("BEGIN IMMEDIATE");
    try {
        const int version = pragma(database, "user_version");
        if (version == 0 && !is_empty(database)) refuse_foreign(file);
        for (int next = version; next < k_schema_version; ++next)
            database.exec(k_migrations[static_cast<std::size_t>(next)]);
        database.exec("PRAGMA application_id = " + std::to_string(k_application_id));
        database.exec("PRAGMA user_version = " + std::to_string(k_schema_version));
        database.exec("COMMIT");
    } catch (...) {
        database.exec("ROLLBACK");
        throw;
    }
}

SchemaAge check_schema(SQLite::Database& database, const std::string& file) {
    const int version = pragma(database, "user_version");
    refuse_newer(file, version);
    if (version == 0 && is_empty(database)) return SchemaAge::empty;
    if (pragma(database, "application_id") != k_application_id) refuse_foreign(file);
    return version == k_schema_version ? SchemaAge::current : SchemaAge::older;
}

}  // namespace runner

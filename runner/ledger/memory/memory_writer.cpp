// SPDX-License-Identifier: Apache-2.0
// The whole, and the cluster.
#include "ledger/memory/memory_writer.hpp"
#include "ledger/refusals.hpp"

namespace runner {

void MemoryLedger::event(const std::string& kind, const std::string& run,
                         const std::string& version) {
    m_store.m_tables->history.push_back({kind, run, version});
}

void MemoryLedger::by_hand(const std::string& kind, const std::string& version,
                           const std::string& actor, const std::string& reason) {
    if (is_by_hand(kind))
        m_store.m_tables->by_hand.push_back({kind, version, actor, reason, now()});
}

void MemoryLedger::copy_to(const std::filesystem::path& file) {
    write("copy_to", [&](MemoryTables& tables) {
        m_store.m_copies[file] = std::make_shared<const MemoryTables>(tables);
    });
}

void MemoryLedger::set_identity(const ClusterIdentity& identity) {
    write("set_identity", [&](MemoryTables& tables) {
        if (tables.identity) {
            throw Error(Failure::preparation,
                        "the ledger in memory has the identity " + tables.identity->name);
        }
        tables.identity = identity;
        event("ledger_started", "", "");
    });
}

void MemoryLedger::set_original_version(const SemanticVersion& version) {
    write("set_original_version", [&](MemoryTables& tables) {
        const auto& known = tables.original_version;
        if (known && *known != version) throw original_is_fixed(*known, version);
        if (tables.identity) {
            tables.original_version = version;
            if (!tables.cluster_version) tables.cluster_version = version;
        }
        event("original_version_set", "", "");
    });
}

void MemoryLedger::raise_version(const SemanticVersion& version) {
    MemoryTables& tables = *m_store.m_tables;
    if (!tables.identity || (tables.cluster_version && *tables.cluster_version >= version)) return;
    tables.cluster_version = version;
}

void MemoryLedger::raise_cluster_version(const SemanticVersion& version, const std::string& run) {
    write("raise_cluster_version", [&](MemoryTables&) {
        raise_version(version);
        event("cluster_version_raised", run, "");
    });
}

void MemoryLedger::correct_version(const SemanticVersion& version, const std::string& actor,
                                   const std::string& reason) {
    write("correct_version", [&](MemoryTables& tables) {
        check_correction(tables.identity, tables.original_version, version);
        tables.cluster_version = version;
        event("version_corrected", "", "");
        by_hand("version_corrected", version.to_string(), actor, reason);
    });
}

void MemoryLedger::note(const std::string& kind, const std::string& actor,
                        const std::string& text) {
    write("note", [&](MemoryTables&) {
        event(kind, "", "");
        by_hand(kind, "", actor, text);
    });
}

}  // namespace runner

// SPDX-License-Identifier: Apache-2.0
// `runner verify`: whether what is done still holds. Changes nothing, and takes no lease.
#pragma once

#include <string>
#include <vector>

#include "engine/kinds/kind.hpp"

namespace runner {

struct VerifyRequest : RunOptions {
    std::vector<std::string> only;  ///< versions; empty: all that are done
    bool files = true;              ///< also whether files are as upgrades left them
};

/// What a check came to.
enum class Health {
    healthy,
    unhealthy,   ///< its own check fails
    unknown,     ///< it could not be checked, which is no better
    unchecked,   ///< it has no check of its own
    superseded,  ///< a later upgrade of the same component is done: that one is checked
};
const char* to_string(Health health);

struct VerifiedUpgrade {
    std::string version;
    Health health = Health::unknown;
    std::string message;
};

/// A file that is not as the newest upgrade that changed it has left it.
struct DriftedFile {
    std::string path;
    std::string version;  ///< of that upgrade
    std::string found;    ///< changed, missing, or there again
    std::string detail;   ///< what of it is changed; empty: its content
};

struct VerifyReport {
    std::string cluster;
    std::string cluster_version;
    std::vector<VerifiedUpgrade> upgrades;
    std::vector<DriftedFile> files;
    std::vector<std::string> warnings;
    [[nodiscard]] bool good() const;
};

class VerifyKind final : public Kind {
 public:
    explicit VerifyKind(const VerifyRequest& request) : m_request(request) {}

    [[nodiscard]] std::string command(const Run&) const override { return "verify"; }
    [[nodiscard]] bool changes_something() const override { return false; }
    void choose(Run& run) override;
    void end_with_nothing_to_do(Run& run) override;
    void load(Run& run) override;
    void pass_admission(Run& run) override;
    void resolve_parameters(Run& run) override;
    void fetch(Run&) override {}  // one after the other, so that one that fails hinders no other
    void rehearse(Run&, UpgradeInRun&) override {}
    [[nodiscard]] std::string question(const Run&) const override { return {}; }
    Worked work(Run& run, UpgradeInRun& upgrade) override;
    void end(Run& run) override;
    void end_after_failure(Run&, UpgradeInRun&, const AttemptEnd&) override {}

    [[nodiscard]] const VerifyReport& report() const { return m_report; }

 private:
    [[nodiscard]] bool is_wanted(const std::string& version) const;
    /// Each given parameter is one that some upgrade declares. Throws Error{usage}.
    void check_names(const Run& run) const;
    [[nodiscard]] GivenParameters given_for(const Manifest& manifest) const;
    /// The newest done upgrade of the same component, when that is another.
    [[nodiscard]] const UpgradeInRun* superseded_by(const Run& run,
                                                    const UpgradeInRun& upgrade) const;
    VerifiedUpgrade check_one(Run& run, UpgradeInRun& upgrade) const;
    void check_files(Run& run);

    const VerifyRequest& m_request;
    VerifyReport m_report;
};

/// Throws Error when nothing could be looked at: the ledger, a version that is not done, a
/// parameter that nothing declares; and Interrupted.
VerifyReport run_verify(const EngineParts& parts, const VerifyRequest& request);

}  // namespace runner

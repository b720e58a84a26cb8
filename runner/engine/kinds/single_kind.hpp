// SPDX-License-Identifier: Apache-2.0
// One upgrade by itself: `runner run`.
#pragma once

#include <string>

#include "engine/applying.hpp"

namespace runner {

struct SingleRunRequest : RunOptions {
    std::string upgrade;  ///< a plugin's or program's file, or the version of a release
    bool record = false;  ///< as done, when it succeeds for real
};

class SingleKind final : public ApplyingKind {
 public:
    explicit SingleKind(const SingleRunRequest& request) : m_request(request) {}

    [[nodiscard]] std::string command(const Run&) const override {
        return "run " + m_version + (m_request.record ? " --record" : "");
    }
    [[nodiscard]] const char* yes_option() const override { return "--confirm"; }
    [[nodiscard]] TrustPolicy trust(const Run& run) const override;
    void choose(Run& run) override;
    void pass_admission(Run& run) override;
    void end_with_nothing_to_do(Run& run) override;
    [[nodiscard]] std::string question(const Run& run) const override;
    Worked work(Run& run, UpgradeInRun& upgrade) override;
    void end(Run& run) override;

 private:
    /// What 'upgrade' has left half-way is not run on by somebody who only tries.
    void refuse_to_leave_no_record(const Run& run) const;
    /// What one upgrade by itself is stopped by is not left out, but stops it.
    [[nodiscard]] bool goes_on_without(Run&, const UpgradeInRun&,
                                       const std::string&) const override {
        return false;
    }
    [[nodiscard]] bool is_file() const;
    void choose_file(Run& run) const;
    void choose_release(Run& run) const;

    const SingleRunRequest& m_request;
    std::string m_version;
};

/// Runs it; the exit code is in the result.
RunReport run_single(const EngineParts& parts, const SingleRunRequest& request);

}  // namespace runner

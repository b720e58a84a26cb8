// SPDX-License-Identifier: Apache-2.0
// Where releases come from. A source lists and hands out bytes; what they mean is decided above it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "model/digest.hpp"
#include "model/release.hpp"

namespace runner {

/// An asset that a run needs.
struct AssetRequest {
    const Release* release = nullptr;
    std::string name;
    std::optional<Digest> digest;  ///< absent only for the checksums file
    std::size_t size_limit = 0;    ///< bytes
};

/// Bytes fetched so far, of how many are known, over all assets of one call.
using FetchProgress = std::function<void(std::uint64_t done, std::uint64_t total)>;

class ReleaseSource {
 public:
    virtual ~ReleaseSource() = default;

    /// Where it is, for messages; without credentials.
    [[nodiscard]] virtual std::string name() const = 0;

    /// Every published release. Throws Error{preparation}.
    virtual std::vector<Release> list() = 0;

    /// Fills in digest, has_build and problem of releases whose checksums file the listing has not
    /// read.
    virtual void complete(const std::vector<Release*>& releases) = 0;

    /// Makes the assets available to `read`, several at a time. Throws Error{preparation} naming
    /// the first that failed.
    virtual void fetch(const std::vector<AssetRequest>& requests,
                       const FetchProgress& progress) = 0;

    /// The bytes of an asset that was fetched, verified against the request's digest as they are
    /// read.
    virtual std::string read(const AssetRequest& request) = 0;

    /// What was read of the release is not believed: nothing of it is kept for the next run.
    virtual void forget([[maybe_unused]] const Release& release) {}
    /// The release notes; may be empty.
    virtual std::string notes(const Release& release) = 0;

    /// Whether there are assets: a source that builds has them only of what was built.
    [[nodiscard]] virtual bool is_built([[maybe_unused]] const Release& release) const {
        return true;
    }
    /// Makes the assets, and writes what that said into `log` (empty: nowhere). Throws
    /// Error{preparation}.
    virtual void build([[maybe_unused]] const Release& release,
                       [[maybe_unused]] const std::filesystem::path& log) {}
    /// Whether signatures are this source's own, judged when it builds; then who signed, and why
    /// something is not believed where that is only worth a warning.
    [[nodiscard]] virtual bool judges_signatures() const { return false; }
    [[nodiscard]] virtual std::optional<Signer> signer(
        [[maybe_unused]] const Release& release) const {
        return std::nullopt;
    }
    [[nodiscard]] virtual std::string signature_problem(
        [[maybe_unused]] const Release& release) const {
        return {};
    }
};

}  // namespace runner

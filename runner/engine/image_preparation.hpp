// SPDX-License-Identifier: Apache-2.0
// Verified images, made ready ahead of who runs them.
#pragma once

#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/supply.hpp"
#include "engine/upgrade_in_run.hpp"
#include "support/unique_fd.hpp"

namespace runner {

/// A verified image, ready to be loaded.
struct PreparedImage {
    UpgradeForm form = UpgradeForm::plugin;
    UniqueFd file;
    std::size_t size = 0;  ///< in bytes
};

/// Reads, verifies, unpacks and seals images in a thread of its own, in order and a little ahead of
/// who takes them. The supply is used by that thread alone as long as this object lives.
class ImagePreparation {
 public:
    /// Of these upgrades, which must outlive it and whose releases must stay as they are.
    ImagePreparation(Supply& supply, std::vector<const UpgradeInRun*> upgrades);
    ~ImagePreparation();
    ImagePreparation(const ImagePreparation&) = delete;
    ImagePreparation& operator=(const ImagePreparation&) = delete;

    /// The image of the next upgrade, waiting for it. Throws what its preparation threw.
    PreparedImage take();

 private:
    void work();

    Supply& m_supply;
    std::vector<const UpgradeInRun*> m_upgrades;
    std::vector<PreparedImage> m_images;
    std::mutex m_mutex;
    std::condition_variable m_changed;
    std::size_t m_ready = 0;
    std::size_t m_taken = 0;
    std::exception_ptr m_failure;
    bool m_stop = false;
    std::thread m_thread;
};

}  // namespace runner

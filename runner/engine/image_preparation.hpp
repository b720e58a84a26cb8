// SPDX-License-Identifier: Apache-2.0
// Verified images, made ready ahead of who runs them.
#pragma once

#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/phase_runner.hpp"
#include "releases/upgrade_store.hpp"

namespace runner {

/// A verified image, ready to be loaded.
struct PreparedImage {
    UpgradeForm form = UpgradeForm::plugin;
    UniqueFd file;
    std::size_t size = 0;
};

/// Reads, verifies, unpacks and seals the images in a thread of its own, in order and a little
/// ahead of who takes them. The source is used by that thread alone as long as this object lives.
class ImagePreparation {
 public:
    ImagePreparation(UpgradeStore& store, const std::vector<KnownUpgrade>& upgrades)
        : m_store(store),
          m_upgrades(upgrades),
          m_images(upgrades.size()),
          m_thread([this] { work(); }) {}
    ~ImagePreparation() {
        {
            const std::lock_guard lock(m_mutex);
            m_stop = true;
        }
        m_changed.notify_all();
        m_thread.join();
    }
    ImagePreparation(const ImagePreparation&) = delete;
    ImagePreparation& operator=(const ImagePreparation&) = delete;

    /// The image of upgrade `i`, waiting for it; call with 0, 1, 2, … Throws what its preparation
    /// threw.
    PreparedImage take(std::size_t i) {
        std::unique_lock lock(m_mutex);
        m_taken = i;
        m_changed.notify_all();
        m_changed.wait(lock, [&] { return m_ready > i || m_failure; });
        if (m_ready <= i) std::rethrow_exception(m_failure);
        return std::move(m_images[i]);
    }

 private:
    static constexpr std::size_t k_ahead = 16;

    void work() {
        for (std::size_t i = 0; i < m_upgrades.size(); ++i) {
            {
                std::unique_lock lock(m_mutex);
                m_changed.wait(lock, [&] { return m_stop || i <= m_taken + k_ahead; });
                if (m_stop) return;
            }
            try {
                const UpgradeImage image = m_store.image(m_upgrades[i]);
                m_images[i] = {image.form, seal(image), image.content.size()};
            } catch (...) {
                const std::lock_guard lock(m_mutex);
                m_failure = std::current_exception();
                m_changed.notify_all();
                return;
            }
            const std::lock_guard lock(m_mutex);
            m_ready = i + 1;
            m_changed.notify_all();
        }
    }

    UpgradeStore& m_store;
    const std::vector<KnownUpgrade>& m_upgrades;
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

// SPDX-License-Identifier: Apache-2.0
#include "engine/image_preparation.hpp"

namespace runner {
namespace {

constexpr std::size_t k_ahead = 16;

}  // namespace

ImagePreparation::ImagePreparation(Supply& supply, std::vector<const UpgradeInRun*> upgrades)
    : m_supply(supply), m_upgrades(std::move(upgrades)), m_images(m_upgrades.size()) {
    if (!m_upgrades.empty()) m_thread = std::thread([this] { work(); });
}

ImagePreparation::~ImagePreparation() {
    if (!m_thread.joinable()) return;
    {
        const std::lock_guard lock(m_mutex);
        m_stop = true;
    }
    m_changed.notify_all();
    m_thread.join();
}

PreparedImage ImagePreparation::take() {
    std::unique_lock lock(m_mutex);
    const std::size_t next = m_taken++;
    m_changed.notify_all();
    m_changed.wait(lock, [&] { return m_ready > next || m_failure; });
    if (m_ready <= next) std::rethrow_exception(m_failure);
    return std::move(m_images[next]);
}

void ImagePreparation::work() {
    for (std::size_t i = 0; i < m_upgrades.size(); ++i) {
        {
            std::unique_lock lock(m_mutex);
            m_changed.wait(lock, [&] { return m_stop || i <= m_taken + k_ahead; });
            if (m_stop) return;
        }
        try {
            const UpgradeImage image = m_supply.image(*m_upgrades[i]);
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

}  // namespace runner

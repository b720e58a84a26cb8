// SPDX-License-Identifier: Apache-2.0
// Telling others what happens: signed as Standard Webhooks (standardwebhooks.com) are, tried again
// with growing pauses, and on disk until somebody has taken them or a day is over.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "api/clusters.hpp"
#include "model/json.hpp"
#include "model/secret.hpp"
#include "support/clock.hpp"

namespace runner {

/// `v1,` and the base64 of the HMAC-SHA256 of `id.timestamp.body`. The secret is taken as it is, or
/// decoded when it begins with `whsec_`.
std::string webhook_signature(const Secret& secret, const std::string& id,
                              const std::string& timestamp, const std::string& body);

/// The pause before another try, after `attempts` of them: from one second, doubled, to an hour.
std::chrono::milliseconds webhook_pause(int attempts);

class Webhooks {
 public:
    /// Sends in a thread of its own, what is left on disk from earlier, too.
    Webhooks(Clusters& clusters, const Clock& clock, std::function<bool()> stopped);
    ~Webhooks();
    Webhooks(const Webhooks&) = delete;
    Webhooks& operator=(const Webhooks&) = delete;

    /// For every webhook of the cluster that wants to hear of `event`. `subject` tells this news
    /// from all others of that event: announced once more, as after a crash, it is the same
    /// message, by its id. `data`: without secrets and paths. Durable when it returns. Throws
    /// Error{preparation}.
    void announce(const ClusterConfig& config, const std::string& event, const std::string& subject,
                  const Json& data);

 private:
    void work();
    /// Sends what is due, and returns when the next is.
    std::chrono::milliseconds send_due();
    void send(const std::filesystem::path& file, const ClusterConfig& config);

    Clusters& m_clusters;
    const Clock& m_clock;
    std::function<bool()> m_stopped;
    std::mutex m_mutex;
    std::condition_variable m_wake;
    bool m_stop = false;  // guarded by m_mutex
    bool m_added = true;  // guarded: something new is on disk
    std::map<std::filesystem::path, std::chrono::milliseconds>
        m_not_before;  // the thread's, steady
    std::thread m_thread;
};

}  // namespace runner

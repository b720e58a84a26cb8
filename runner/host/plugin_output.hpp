// SPDX-License-Identifier: Apache-2.0
// What comes out of a plugin process: what the upgrade prints, and messages to show in between.
#pragma once

#include <string>
#include <string_view>

#include "host/host.hpp"

namespace runner {

class PluginOutput {
 public:
    /// `events` hears it, in order, and must outlive this.
    explicit PluginOutput(HostEvents& events) : m_events(events) {}
    /// The next bytes of the stream, cut anywhere. Throws Error when `events` does: the log could
    /// not be written.
    void take(std::string_view bytes);

 private:
    void show(const std::string& text);

    HostEvents& m_events;
    std::string m_message;
    bool m_in_message = false;
};

}  // namespace runner

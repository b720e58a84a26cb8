// SPDX-License-Identifier: Apache-2.0
// The supervisor's side of the file process: hands it what an upgrade wants to write, and records
// what it is about to do.
#pragma once

#include <cstdint>
#include <optional>

#include "host/child.hpp"
#include "host/host.hpp"
#include "host/zygote.hpp"
#include "model/json.hpp"

namespace runner {

/// The commits of one phase, one at a time.
class FileCommits {
 public:
    /// All must outlive it. The process is started with the first commit.
    FileCommits(Zygote& zygote, const PhaseRequest& request, HostEvents& events,
                const MakeChild& make_child)
        : m_zygote(zygote), m_request(request), m_events(events), m_make_child(make_child) {}

    /// Hands over the commit that `frame` of the plugin process asks for, as it is; none may be
    /// under way.
    void begin(const Frame& frame);
    /// Serves what has arrived. Returns the answer to the plugin process once the commit has ended.
    /// Throws ProtocolError, and what the recording throws; nothing more is served then.
    std::optional<Json> receive();
    [[nodiscard]] bool under_way() const { return m_under_way; }

    /// Readable when something has arrived; -1: there is no process.
    [[nodiscard]] int descriptor() const { return m_child ? m_child->channel.descriptor() : -1; }
    /// Ends the process at once.
    void kill();
    /// Lets the process end; there is nothing more to do.
    void close();
    /// Whether there is a process that has not ended.
    [[nodiscard]] bool is_alive() const { return m_child.has_value(); }
    /// Whether the child `id` is its process.
    [[nodiscard]] bool is(std::uint32_t id) const { return m_child && m_child->id == id; }
    /// It has ended, or could not be made. Returns the answer to the plugin process when a commit
    /// was under way.
    std::optional<Json> ended(const ChildEvent& event);

 private:
    void start();
    void serve(Frame& frame, std::optional<Json>& answer);

    Zygote& m_zygote;
    const PhaseRequest& m_request;
    HostEvents& m_events;
    const MakeChild& m_make_child;
    std::optional<Child> m_child;
    std::size_t m_count = 0;  ///< begun so far, by whichever process
    bool m_under_way = false;
};

}  // namespace runner

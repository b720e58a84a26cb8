// SPDX-License-Identifier: Apache-2.0
// Messages between supervisor and plugin process: a length and a JSON object, with descriptors
// beside it. Every frame that comes from a plugin process is hostile input: bounded in size, depth
// and number of descriptors.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include "model/json.hpp"
#include "support/unique_fd.hpp"

namespace runner {

constexpr std::size_t k_max_frame = 1U << 20U;

/// Begins a message inside an upgrade's standard output (RFC 7464): a line of JSON follows.
constexpr char k_record_separator = '\x1e';

/// The other side broke the protocol.
class ProtocolError : public std::runtime_error {
 public:
    using std::runtime_error::runtime_error;
};

struct Frame {
    Json message;
    std::vector<UniqueFd> descriptors;
    [[nodiscard]] std::string type() const;
};

/// One end of a stream socket.
class FrameChannel {
 public:
    FrameChannel() = default;
    explicit FrameChannel(UniqueFd socket) : m_socket(std::move(socket)) {}

    [[nodiscard]] int descriptor() const { return m_socket.get(); }
    void close() { m_socket.reset(); }

    /// Sends one frame. False when the other end is gone or does not read.
    bool send(const Json& message, const std::vector<int>& descriptors = {});

    /// Takes in what has arrived, waiting for at least something with `wait`. False at the end of
    /// the stream. Throws ProtocolError.
    bool receive(bool wait);

    /// The next whole frame that was taken in; false when there is none.
    bool next(Frame& frame);

 private:
    UniqueFd m_socket;
    std::string m_buffer;
    std::vector<UniqueFd> m_descriptors;
};

}  // namespace runner

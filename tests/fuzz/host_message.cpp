// SPDX-License-Identifier: Apache-2.0
// The stream of messages from a plugin process.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <sys/socket.h>
#include <unistd.h>

#include "host/frame.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) != 0) return 0;
    runner::FrameChannel channel{runner::UniqueFd(ends[0])};
    const bool sent =
        ::send(ends[1], text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
    ::close(ends[1]);
    try {
        runner::Frame frame;
        while (sent && channel.receive(true)) {
            while (channel.next(frame)) (void)frame.type();
        }
    } catch (const runner::ProtocolError&) {
    }
    return 0;
}

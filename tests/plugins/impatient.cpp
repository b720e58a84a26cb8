// SPDX-License-Identifier: Apache-2.0
// An upgrade that speaks past its services: it asks for a commit, and in the same breath sends the
// message that the file `message` in the repository holds. For tests.
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <upgrade/sdk.hpp>

namespace {

/// As a frame: its length, the number of its descriptors, and the text.
std::string frame(const std::string& message) {
    std::string bytes(8, '\0');
    for (unsigned i = 0; i < 4; ++i) bytes[i] = static_cast<char>(message.size() >> (8 * i));
    return bytes + message;
}

void send_to_host(const std::string& bytes) {
    constexpr int k_descriptors = 64;
    for (int descriptor = 3; descriptor < k_descriptors; ++descriptor) {
        int domain = 0;
        socklen_t size = sizeof(domain);
        if (::getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
            domain == AF_UNIX)
            ::send(descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    }
}

}  // namespace

struct Impatient final : upgrade::Upgrade {
    void apply(upgrade::Context& context) override {
        send_to_host(frame(R"({"type": "commit", "step": ""})") +
                     frame(context.files().read("message")));
        while (true) ::pause();
    }
};

UPGRADE_PLUGIN(Impatient)

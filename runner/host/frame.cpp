// SPDX-License-Identifier: Apache-2.0
#include "host/frame.hpp"

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <iterator>

#include "model/error.hpp"

namespace runner {
namespace {

constexpr std::size_t k_max_descriptors = 8;
constexpr std::size_t k_number = 4;
constexpr std::size_t k_header = 2 * k_number;  // length of the text, number of descriptors

void put_number(std::string& bytes, std::size_t at, std::size_t value) {
    for (std::size_t i = 0; i < k_number; ++i)
        bytes[at + i] = static_cast<char>((value >> (8 * i)) & 0xFFU);
}

std::size_t number_at(std::string_view bytes, std::size_t at) {
    std::size_t value = 0;
    for (std::size_t i = 0; i < k_number; ++i)
        value |= static_cast<std::size_t>(static_cast<unsigned char>(bytes[at + i])) << (8 * i);
    return value;
}

}  // namespace

std::string Frame::type() const {
    const auto found = message.find("type");
    return found != message.end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool FrameChannel::send(const Json& message, const std::vector<int>& descriptors) {
    const std::string text = dump_json(message);
    if (text.size() > k_max_frame)
        throw ProtocolError("a message of " + std::to_string(text.size()) + " bytes is too long");
    std::string bytes(k_header, '\0');
    put_number(bytes, 0, text.size());
    put_number(bytes, k_number, descriptors.size());
    bytes += text;

    std::size_t sent = 0;
    while (sent < bytes.size()) {
        iovec part{bytes.data() + sent, bytes.size() - sent};
        msghdr header{};
        header.msg_iov = &part;
        header.msg_iovlen = 1;
        alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * k_max_descriptors)> control{};
        if (sent == 0 && !descriptors.empty()) {
            const std::size_t size = sizeof(int) * descriptors.size();
            header.msg_control = control.data();
            header.msg_controllen = CMSG_SPACE(size);
            cmsghdr* rights = CMSG_FIRSTHDR(&header);
            rights->cmsg_level = SOL_SOCKET;
            rights->cmsg_type = SCM_RIGHTS;
            rights->cmsg_len = CMSG_LEN(size);
            std::memcpy(CMSG_DATA(rights), descriptors.data(), size);
        }
        const ssize_t count = ::sendmsg(m_socket.get(), &header, MSG_NOSIGNAL);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return false;
        sent += static_cast<std::size_t>(count);
    }
    return true;
}

bool FrameChannel::receive(bool wait) {
    std::array<char, 65536> bytes{};
    iovec part{bytes.data(), bytes.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * k_max_descriptors)> control{};
    while (true) {
        msghdr header{};
        header.msg_iov = &part;
        header.msg_iovlen = 1;
        header.msg_control = control.data();
        header.msg_controllen = control.size();
        const ssize_t count =
            ::recvmsg(m_socket.get(), &header, (wait ? 0 : MSG_DONTWAIT) | MSG_CMSG_CLOEXEC);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0 && errno == EAGAIN) return true;
        if (count <= 0) return false;
        for (cmsghdr* rights = CMSG_FIRSTHDR(&header); rights != nullptr;
             rights = CMSG_NXTHDR(&header, rights)) {
            if (rights->cmsg_level != SOL_SOCKET || rights->cmsg_type != SCM_RIGHTS) continue;
            const std::size_t number = (rights->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            for (std::size_t i = 0; i < number; ++i) {
                int fd = -1;
                std::memcpy(&fd, CMSG_DATA(rights) + i * sizeof(int), sizeof(int));
                m_descriptors.emplace_back(fd);
            }
        }
        if (m_descriptors.size() > k_max_descriptors)
            throw ProtocolError("too many descriptors were sent");
        m_buffer.append(bytes.data(), static_cast<std::size_t>(count));
        return true;
    }
}

bool FrameChannel::next(Frame& frame) {
    if (m_buffer.size() < k_header) return false;
    const std::size_t length = number_at(m_buffer, 0);
    const std::size_t descriptors = number_at(m_buffer, k_number);
    if (length > k_max_frame)
        throw ProtocolError("a message of " + std::to_string(length) + " bytes is too long");
    if (m_buffer.size() < k_header + length) return false;
    try {
        frame.message =
            parse_json(std::string_view(m_buffer).substr(k_header, length), "a message");
    } catch (const Error& error) {
        throw ProtocolError(error.what());
    }
    if (!frame.message.is_object()) throw ProtocolError("a message is no JSON object");
    // One read may bring several messages, so each says how many of the descriptors are its own.
    if (descriptors > m_descriptors.size()) throw ProtocolError("a message lacks its descriptors");
    const auto own_end = m_descriptors.begin() + static_cast<std::ptrdiff_t>(descriptors);
    frame.descriptors.assign(std::make_move_iterator(m_descriptors.begin()),
                             std::make_move_iterator(own_end));
    m_descriptors.erase(m_descriptors.begin(), own_end);
    m_buffer.erase(0, k_header + length);
    return true;
}

}  // namespace runner

// SPDX-License-Identifier: Apache-2.0
// An HTTP server on loopback that does as a test tells it, down to the bytes.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace test {

/// Answers each request with what `answer` makes of it, and remembers requests.
class ScriptedServer {
 public:
    using Answer = std::function<std::string(const std::string& request, int number)>;

    explicit ScriptedServer(Answer answer)
        : m_answer(std::move(answer)), m_socket(::socket(AF_INET, SOCK_STREAM, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t length = sizeof(address);
        if (::bind(m_socket, reinterpret_cast<sockaddr*>(&address), length) != 0)
            throw std::runtime_error("bind");
        ::listen(m_socket, 16);
        ::getsockname(m_socket, reinterpret_cast<sockaddr*>(&address), &length);
        m_port = ntohs(address.sin_port);
        m_thread = std::thread([this] { serve(); });
    }
    ~ScriptedServer() {
        m_stop = true;
        ::shutdown(m_socket, SHUT_RDWR);
        m_thread.join();
        ::close(m_socket);
    }
    ScriptedServer(const ScriptedServer&) = delete;
    ScriptedServer& operator=(const ScriptedServer&) = delete;
    [[nodiscard]] std::string base() const { return "http://127.0.0.1:" + std::to_string(m_port); }
    std::vector<std::string> requests() {
        const std::lock_guard lock(m_mutex);
        return m_requests;
    }
    static std::string reply(const std::string& status, const std::string& headers,
                             const std::string& body) {
        return "HTTP/1.1 " + status +
               "\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
               headers + "\r\n" + body;
    }

 private:
    /// Its head, and its body when it says how long that is.
    static std::string read_request(int client) {
        std::string request;
        char bytes[4096];
        std::size_t wanted = std::string::npos;
        while (request.size() < wanted) {
            const ssize_t count = ::read(client, bytes, sizeof(bytes));
            if (count <= 0) break;
            request.append(bytes, static_cast<std::size_t>(count));
            const std::size_t end = request.find("\r\n\r\n");
            if (end == std::string::npos) continue;
            const std::size_t length = request.find("Content-Length: ");
            wanted = end + 4 + (length < end ? std::stoul(request.substr(length + 16)) : 0);
        }
        return request;
    }

    void serve() {
        while (!m_stop) {
            const int client = ::accept(m_socket, nullptr, nullptr);
            if (client < 0) continue;
            const std::string request = read_request(client);
            int number = 0;
            {
                const std::lock_guard lock(m_mutex);
                m_requests.push_back(request);
                number = static_cast<int>(m_requests.size());
            }
            const std::string text = m_answer(request, number);
            (void)!::send(client, text.data(), text.size(), MSG_NOSIGNAL);
            ::close(client);
        }
    }

    Answer m_answer;
    int m_socket;
    int m_port = 0;
    std::atomic<bool> m_stop{false};
    std::mutex m_mutex;
    std::vector<std::string> m_requests;
    std::thread m_thread;
};

}  // namespace test

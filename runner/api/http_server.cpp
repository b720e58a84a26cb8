// SPDX-License-Identifier: Apache-2.0
#include "api/http_server.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>

#include "model/error.hpp"
#include "support/log.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

constexpr std::size_t k_keep_alive_requests = 1'000'000;
constexpr int k_backlog = 511;
constexpr int k_tick_ms = 500;
constexpr std::size_t k_max_waiting = 256;
constexpr std::size_t k_read_bytes = 4096;
constexpr rlim_t k_other_descriptors = 256;
constexpr std::chrono::milliseconds k_stop_time{std::chrono::seconds(5)};

thread_local Connection* t_connection = nullptr;
thread_local bool t_close = false;

/// Descriptors for the connections: the soft limit is often 1,024.
std::size_t allowed_connections(std::size_t wanted) {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return wanted;
    const rlim_t needed = wanted + k_other_descriptors;
    if (limit.rlim_cur < needed) {
        limit.rlim_cur = std::min<rlim_t>(needed, limit.rlim_max);
        ::setrlimit(RLIMIT_NOFILE, &limit);
    }
    return std::min<std::size_t>(wanted, limit.rlim_cur > k_other_descriptors + 16
                                             ? limit.rlim_cur - k_other_descriptors
                                             : 16);
}

/// A reply without any handler, for those who get no further.
std::string bare_reply(int status, const char* words) {
    const std::string body =
        std::string("{\"type\":\"about:blank\",\"title\":\"") + words +
        "\",\"status\":" + std::to_string(status) +
        (status == 503 ? ",\"code\":\"busy\"}\n" : ",\"code\":\"malformed_request\"}\n");
    return "HTTP/1.1 " + std::to_string(status) + ' ' + words +
           "\r\nContent-Type: application/problem+json\r\nConnection: close\r\n" +
           (status == 503 ? "Retry-After: 1\r\n" : "") +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string peer_of(const sockaddr_storage& address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (address.ss_family == AF_INET6) {
        const auto& six = reinterpret_cast<const sockaddr_in6&>(address);
        ::inet_ntop(AF_INET6, &six.sin6_addr, text.data(), text.size());
    } else {
        const auto& four = reinterpret_cast<const sockaddr_in&>(address);
        ::inet_ntop(AF_INET, &four.sin_addr, text.data(), text.size());
    }
    return text.data();
}

}  // namespace

HttpServer::HttpServer(const HttpServerOptions& options, std::unique_ptr<TlsContext> tls,
                       const Clock& clock)
    : m_options(options),
      m_tls(std::move(tls)),
      m_clock(clock),
      m_poll(::epoll_create1(EPOLL_CLOEXEC)),
      m_wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!m_poll || !m_wake) throw system_error("cannot wait for connections", errno);
    m_options.connections = allowed_connections(m_options.connections);
    set_keep_alive_timeout(m_options.idle_time.count() / 1000);  // what replies say of it
    set_keep_alive_max_count(k_keep_alive_requests);
    set_payload_max_length(m_options.body_bytes);
    svr_sock_ = 0;  // the library asks before each piece of a long reply whether it still serves
    if (m_options.port >= 0) listen_on(m_options.address, m_options.port);
}

HttpServer::~HttpServer() {
    svr_sock_ = INVALID_SOCKET;
}

void HttpServer::listen_on(const std::string& address, int port) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
    addrinfo* found = nullptr;
    const std::string where = address + ":" + std::to_string(port);
    if (const int result =
            ::getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &found);
        result != 0)
        throw Error(Failure::usage, "--listen " + where + ": " + ::gai_strerror(result));
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> freed(found, ::freeaddrinfo);
    m_listening.reset(::socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const int yes = 1;
    ::setsockopt(m_listening.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (::bind(m_listening.get(), found->ai_addr, found->ai_addrlen) != 0 ||
        ::listen(m_listening.get(), k_backlog) != 0) {
        const int error = errno;
        throw Error(Failure::preparation, system_error("cannot listen on " + where, error).what(),
                    "choose another port with --listen, or port 0 for any free one");
    }
    sockaddr_storage bound{};
    socklen_t length = sizeof(bound);
    ::getsockname(m_listening.get(), reinterpret_cast<sockaddr*>(&bound), &length);
    m_port =
        ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(bound).sin6_port
                                          : reinterpret_cast<const sockaddr_in&>(bound).sin_port);
}

void HttpServer::wake() const {
    const std::uint64_t one = 1;
    (void)!::write(m_wake.get(), &one, sizeof(one));
}

void HttpServer::stop_serving() {
    m_stopping = true;
    svr_sock_ = INVALID_SOCKET;
    wake();
}

std::shared_ptr<LongPlace> HttpServer::take_long_place() {
    if (++m_long > m_options.long_replies) {
        --m_long;
        ++m_turned_away;
        return nullptr;
    }
    return std::make_shared<LongPlace>(m_long);
}

bool HttpServer::client_gone() {
    return t_connection != nullptr && t_connection->peer_gone();
}

void HttpServer::close_after_reply() {
    t_close = true;
}

void HttpServer::run() {
    for (std::size_t i = 0; i < m_options.workers + m_options.long_replies; ++i)
        m_threads.emplace_back([this] { work(); });
    for (const int descriptor : {m_listening.get(), m_wake.get()}) {
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.fd = descriptor;
        ::epoll_ctl(m_poll.get(), EPOLL_CTL_ADD, descriptor, &event);
    }
    auto stop_by = std::chrono::milliseconds::max();
    std::array<epoll_event, 64> events{};
    while (true) {
        const int count = ::epoll_wait(m_poll.get(), events.data(), events.size(), k_tick_ms);
        for (int i = 0; i < count; ++i) {
            const int descriptor = events[static_cast<std::size_t>(i)].data.fd;
            if (descriptor == m_listening.get()) {
                if (!m_stopping) accept_all();
            } else if (descriptor == m_wake.get()) {
                std::uint64_t ignored = 0;
                (void)!::read(m_wake.get(), &ignored, sizeof(ignored));
            } else if (const auto found = m_connections.find(descriptor);
                       found != m_connections.end() && !found->second->busy) {
                advance(*found->second);
            }
        }
        take_back();
        expire();
        if (!m_stopping) continue;
        if (m_listening) m_listening.reset();
        const auto now = m_clock.steady();
        if (stop_by == std::chrono::milliseconds::max()) stop_by = now + k_stop_time;
        const bool working = std::any_of(m_connections.begin(), m_connections.end(),
                                         [](const auto& entry) { return entry.second->busy; });
        if (!working || now >= stop_by) break;
    }
    // A worker that still writes to somebody who does not read is cut off.
    for (const auto& [descriptor, connection] : m_connections) ::shutdown(descriptor, SHUT_RDWR);
    // A worker that saw no reason to stop waits by the time that the lock is free.
    { const std::lock_guard lock(m_mutex); }
    m_work_there.notify_all();
    for (std::thread& thread : m_threads) thread.join();
    m_threads.clear();
    m_connections.clear();
    m_count = 0;
}

void HttpServer::accept_all() {
    while (true) {
        sockaddr_storage address{};
        socklen_t length = sizeof(address);
        UniqueFd socket(::accept4(m_listening.get(), reinterpret_cast<sockaddr*>(&address), &length,
                                  SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (!socket) return;
        const int yes = 1;
        ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
        ::setsockopt(socket.get(), SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof(yes));
        const int descriptor = socket.get();
        auto connection =
            std::make_unique<Connection>(std::move(socket), peer_of(address), m_tls.get());
        if (m_connections.size() >= m_options.connections) {
            turn_away(*connection, 503, "Service Unavailable");
            continue;
        }
        connection->deadline = m_clock.steady() + m_options.head_time;
        watch(*connection, EPOLLIN, true);
        m_connections.emplace(descriptor, std::move(connection));
        m_count = m_connections.size();
    }
}

void HttpServer::watch(const Connection& connection, std::uint32_t events, bool added) {
    epoll_event event{};
    event.events = events | EPOLLONESHOT;
    event.data.fd = connection.socket();
    ::epoll_ctl(m_poll.get(), added ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, connection.socket(), &event);
}

void HttpServer::advance(Connection& connection) {
    switch (connection.shake_hands()) {
        case Io::done:
            read_head(connection);
            return;
        case Io::want_read:
            watch(connection, EPOLLIN, false);
            return;
        case Io::want_write:
            watch(connection, EPOLLOUT, false);
            return;
        case Io::closed:
            close(connection);
            return;
    }
}

void HttpServer::read_head(Connection& connection) {
    while (true) {
        if (connection.input.find("\r\n\r\n") != std::string::npos) {
            hand_over(connection);
            return;
        }
        if (connection.input.size() > m_options.head_bytes) {
            turn_away(connection, 431, "Request Header Fields Too Large");
            close(connection);
            return;
        }
        std::array<char, k_read_bytes> bytes{};
        std::size_t count = 0;
        const Io io = connection.read_some(bytes.data(), bytes.size(), count);
        if (io == Io::closed) {
            close(connection);
            return;
        }
        if (io != Io::done) {
            watch(connection, io == Io::want_write ? EPOLLOUT : EPOLLIN, false);
            return;
        }
        if (connection.input.empty())  // a kept connection has begun another request
            connection.deadline = m_clock.steady() + m_options.head_time;
        connection.input.append(bytes.data(), count);
    }
}

void HttpServer::hand_over(Connection& connection) {
    {
        const std::lock_guard lock(m_mutex);
        if (m_work.size() < k_max_waiting) {
            connection.busy = true;
            m_work.push_back(&connection);
        }
    }
    if (connection.busy) {
        m_work_there.notify_one();
        return;
    }
    turn_away(connection, 503, "Service Unavailable");
    close(connection);
}

void HttpServer::take_back() {
    std::vector<std::pair<Connection*, bool>> worked_on;
    {
        const std::lock_guard lock(m_mutex);
        worked_on.swap(m_worked_on);
    }
    for (const auto& [connection, open] : worked_on) {
        connection->busy = false;
        if (!open || m_stopping) {
            close(*connection);
            continue;
        }
        connection->input.erase(0, connection->taken);
        connection->taken = 0;
        connection->deadline = m_clock.steady() + (connection->input.empty() ? m_options.idle_time
                                                                             : m_options.head_time);
        read_head(*connection);  // the next one may be there already
    }
}

void HttpServer::expire() {
    const auto now = m_clock.steady();
    std::vector<Connection*> over;
    for (const auto& [descriptor, connection] : m_connections) {
        if (!connection->busy && (connection->deadline <= now || m_stopping))
            over.push_back(connection.get());
    }
    for (Connection* connection : over) {
        if (!connection->input.empty() && !m_stopping)
            turn_away(*connection, 408, "Request Timeout");
        close(*connection);
    }
}

void HttpServer::turn_away(Connection& connection, int status, const char* words) {
    if (status == 503) ++m_turned_away;
    if (!connection.shaken) return;  // not a word before the handshake
    const std::string text = bare_reply(status, words);
    std::size_t count = 0;
    connection.write_some(text.data(), text.size(), count);
    connection.finish();
}

void HttpServer::close(Connection& connection) {
    ::epoll_ctl(m_poll.get(), EPOLL_CTL_DEL, connection.socket(), nullptr);
    m_connections.erase(connection.socket());
    m_count = m_connections.size();
}

void HttpServer::work() {
    std::unique_lock lock(m_mutex);
    while (true) {
        m_work_there.wait(lock, [this] { return !m_work.empty() || m_stopping; });
        if (m_work.empty()) return;
        Connection* connection = m_work.front();
        m_work.pop_front();
        lock.unlock();
        serve(*connection);
        lock.lock();
    }
}

void HttpServer::serve(Connection& connection) {
    RequestStream stream(connection, m_clock,
                         {m_options.request_time, m_options.write_time,
                          m_options.head_bytes + m_options.body_bytes + k_read_bytes});
    t_connection = &connection;
    t_close = false;
    bool closed = false;
    bool good = false;
    try {
        good = handle(stream, connection.peer(), m_stopping, closed);
    } catch (const std::exception& error) {  // in a stream: its reply has begun, and breaks off
        log_warning("a reply to " + connection.peer() + " broke off: " + error.what());
    }
    t_connection = nullptr;
    const bool open = good && !closed && !t_close && !stream.failed();
    if (!open) connection.finish();
    {
        const std::lock_guard lock(m_mutex);
        m_worked_on.emplace_back(&connection, open);
    }
    wake();
}

bool HttpServer::handle(httplib::Stream& stream, const std::string& peer, bool last, bool& closed) {
    const auto setup = [](httplib::Request& request) {
        // No ranges, no compression: replies are small, and both are ways to make a server work.
        request.ranges.clear();
        request.headers.erase("Range");
        request.headers.erase("Accept-Encoding");
        request.headers.erase("X-Request-Id");
        request.headers.emplace("X-Request-Id", random_hex(8));
    };
    // The function has other parameters in later releases of the library.
    const auto call = [&](auto& server) {
        if constexpr (requires { server.process_request(stream, last, closed, setup); }) {
            return server.process_request(stream, last, closed, setup);
        } else {
            return server.process_request(stream, peer, 0, std::string(), 0, last, closed, setup);
        }
    };
    return call(*this);
}

}  // namespace runner

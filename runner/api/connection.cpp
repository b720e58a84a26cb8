// SPDX-License-Identifier: Apache-2.0
#include "api/connection.hpp"

#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "model/error.hpp"

namespace runner {
namespace {

std::string tls_words() {
    const unsigned long code = ERR_get_error();
    ERR_clear_error();
    const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
    return reason == nullptr ? "not readable" : reason;
}

}  // namespace

TlsContext::TlsContext(std::filesystem::path certificate, std::filesystem::path key)
    : m_certificate(std::move(certificate)),
      m_key(std::move(key)),
      m_loaded(newest()),
      m_context(load()) {}

std::filesystem::file_time_type TlsContext::newest() const {
    std::error_code none;
    return std::max(std::filesystem::last_write_time(m_certificate, none),
                    std::filesystem::last_write_time(m_key, none));
}

TlsContext::Context TlsContext::load() const {
    Context context(SSL_CTX_new(TLS_server_method()));
    if (!context) throw Error(Failure::preparation, "OpenSSL does not start: " + tls_words());
    SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
    SSL_CTX_set_mode(context.get(),
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    if (SSL_CTX_use_certificate_chain_file(context.get(), m_certificate.c_str()) != 1)
        throw Error(Failure::usage, "--tls-cert " + m_certificate.string() + ": " + tls_words(),
                    "it must be a PEM file: the certificate, then those that it rests on");
    if (SSL_CTX_use_PrivateKey_file(context.get(), m_key.c_str(), SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(context.get()) != 1)
        throw Error(Failure::usage, "--tls-key " + m_key.string() + ": " + tls_words(),
                    "it must be the PEM file of the certificate's key");
    return context;
}

SSL* TlsContext::make_session(int socket) {
    if (const auto written = newest(); written != m_loaded) {
        m_loaded = written;
        try {
            m_context = load();
        } catch (const Error&) {  // half-written, say: the old one is good until the next change
        }
    }
    SSL* session = SSL_new(m_context.get());
    if (session == nullptr) return nullptr;
    SSL_set_fd(session, socket);
    SSL_set_accept_state(session);
    return session;
}

Connection::Connection(UniqueFd socket, std::string peer, TlsContext* tls)
    : shaken(tls == nullptr), m_socket(std::move(socket)), m_peer(std::move(peer)) {
    if (tls != nullptr) m_session.reset(tls->make_session(m_socket.get()));
}

Connection::~Connection() = default;

Io Connection::result_of(int result) const {
    switch (SSL_get_error(m_session.get(), result)) {
        case SSL_ERROR_WANT_READ:
            return Io::want_read;
        case SSL_ERROR_WANT_WRITE:
            return Io::want_write;
        default:
            ERR_clear_error();
            return Io::closed;
    }
}

Io Connection::shake_hands() {
    if (shaken) return Io::done;
    if (!m_session) return Io::closed;
    ERR_clear_error();
    const int result = SSL_do_handshake(m_session.get());
    if (result != 1) return result_of(result);
    shaken = true;
    return Io::done;
}

Io Connection::read_some(char* bytes, std::size_t size, std::size_t& count) {
    count = 0;
    if (m_session) {
        ERR_clear_error();
        const int result = SSL_read_ex(m_session.get(), bytes, size, &count);
        return result == 1 ? Io::done : result_of(result);
    }
    ssize_t result = 0;
    do result = ::recv(m_socket.get(), bytes, size, 0);
    while (result < 0 && errno == EINTR);
    if (result > 0) {
        count = static_cast<std::size_t>(result);
        return Io::done;
    }
    return result < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? Io::want_read : Io::closed;
}

Io Connection::write_some(const char* bytes, std::size_t size, std::size_t& count) {
    count = 0;
    if (m_session) {
        ERR_clear_error();
        const int result = SSL_write_ex(m_session.get(), bytes, size, &count);
        return result == 1 ? Io::done : result_of(result);
    }
    ssize_t result = 0;
    do result = ::send(m_socket.get(), bytes, size, MSG_NOSIGNAL);
    while (result < 0 && errno == EINTR);
    if (result >= 0) {
        count = static_cast<std::size_t>(result);
        return Io::done;
    }
    return errno == EAGAIN || errno == EWOULDBLOCK ? Io::want_write : Io::closed;
}

bool Connection::peer_gone() const {
    char byte = 0;
    const ssize_t result = ::recv(m_socket.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return result == 0 || (result < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

void Connection::finish() {
    if (m_session && shaken) {
        ERR_clear_error();
        SSL_shutdown(m_session.get());
        ERR_clear_error();
    }
    ::shutdown(m_socket.get(), SHUT_WR);
}

RequestStream::RequestStream(Connection& connection, const Clock& clock, const Limits& limits)
    : m_connection(connection),
      m_clock(clock),
      m_read_until(clock.steady() + limits.whole_request),
      m_write_time(limits.one_write),
      m_bytes_left(limits.request_bytes) {}

bool RequestStream::wait(short events, std::chrono::milliseconds until) const {
    pollfd waiting{m_connection.socket(), events, 0};
    while (true) {
        const auto left = (until - m_clock.steady()).count();
        if (left <= 0) return false;
        const int result = ::poll(&waiting, 1, static_cast<int>(left));
        if (result > 0) return true;
        if (result < 0 && errno != EINTR) return false;
    }
}

bool RequestStream::is_readable() const {
    return m_connection.taken < m_connection.input.size() || wait(POLLIN, m_read_until);
}

bool RequestStream::is_writable() const {
    return !m_failed && wait(POLLOUT, m_clock.steady() + m_write_time);
}

ssize_t RequestStream::read(char* bytes, size_t size) {
    if (m_failed || m_bytes_left == 0) return -1;
    size = std::min(size, m_bytes_left);
    if (const std::string& input = m_connection.input; m_connection.taken < input.size()) {
        size = std::min(size, input.size() - m_connection.taken);
        std::memcpy(bytes, input.data() + m_connection.taken, size);
        m_connection.taken += size;
        m_bytes_left -= size;
        return static_cast<ssize_t>(size);
    }
    while (true) {
        std::size_t count = 0;
        const Io io = m_connection.read_some(bytes, size, count);
        if (io == Io::done) {
            m_bytes_left -= count;
            return static_cast<ssize_t>(count);
        }
        const short events = io == Io::want_write ? POLLOUT : POLLIN;
        if (io == Io::closed || !wait(events, m_read_until)) {
            m_failed = true;
            return -1;
        }
    }
}

ssize_t RequestStream::write(const char* bytes, size_t size) {
    const auto until = m_clock.steady() + m_write_time;
    for (std::size_t done = 0; done < size;) {
        if (m_failed) return -1;
        std::size_t count = 0;
        const Io io = m_connection.write_some(bytes + done, size - done, count);
        done += count;
        if (io == Io::done) continue;
        const short events = io == Io::want_read ? POLLIN : POLLOUT;
        if (io == Io::closed || !wait(events, until)) m_failed = true;
    }
    return m_failed ? -1 : static_cast<ssize_t>(size);
}

void RequestStream::get_remote_ip_and_port(std::string& address, int& port) const {
    address = m_connection.peer();
    port = 0;
}

void RequestStream::get_local_ip_and_port(std::string& address, int& port) const {
    address.clear();
    port = 0;
}

// The library only asks whether it fits a select(), which is not used here.
socket_t RequestStream::socket() const {
    return 0;
}

}  // namespace runner

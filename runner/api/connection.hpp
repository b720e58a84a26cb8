// SPDX-License-Identifier: Apache-2.0
// A client's connection: plain or TLS, never blocking, and as a stream with deadlines for whoever
// works on one request of it.
#pragma once

#include <httplib.h>
#include <openssl/ssl.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "support/clock.hpp"
#include "support/unique_fd.hpp"

namespace runner {

/// Certificate and key, taken up anew when their files change: they expire while the server runs.
class TlsContext {
 public:
    /// PEM files: the certificate with its chain, and its key. Throws Error{usage} when they cannot
    /// be read or do not belong together.
    TlsContext(std::filesystem::path certificate, std::filesystem::path key);
    /// For one connection, which keeps the certificate that it began with.
    SSL* make_session(int socket);

 private:
    struct Freed {
        void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    };
    using Context = std::unique_ptr<SSL_CTX, Freed>;
    [[nodiscard]] Context load() const;
    [[nodiscard]] std::filesystem::file_time_type newest() const;

    std::filesystem::path m_certificate;
    std::filesystem::path m_key;
    std::filesystem::file_time_type m_loaded;
    Context m_context;
};

enum class Io { done, want_read, want_write, closed };

class Connection {
 public:
    /// `tls`: null for plain HTTP.
    Connection(UniqueFd socket, std::string peer, TlsContext* tls);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// Goes on with the TLS handshake; done at once on a plain connection.
    Io shake_hands();
    /// Reads what is there, at most `size` bytes; `count` says how many.
    Io read_some(char* bytes, std::size_t size, std::size_t& count);
    Io write_some(const char* bytes, std::size_t size, std::size_t& count);
    /// Whether the other side has gone away; looks, and takes nothing.
    [[nodiscard]] bool peer_gone() const;
    /// Says that nothing more comes; what was written before still arrives.
    void finish();

    [[nodiscard]] int socket() const { return m_socket.get(); }
    [[nodiscard]] const std::string& peer() const { return m_peer; }

    std::string input;      ///< what was read
    std::size_t taken = 0;  ///< how much of it requests have had
    std::chrono::milliseconds deadline{};
    bool shaken = false;
    bool busy = false;  ///< a worker has it

 private:
    struct Freed {
        void operator()(SSL* session) const { SSL_free(session); }
    };
    Io result_of(int result) const;

    UniqueFd m_socket;
    std::string m_peer;
    std::unique_ptr<SSL, Freed> m_session;
};

/// What the HTTP library reads a request from and writes its reply to. The bytes of a whole request
/// come in time or not at all; a write waits so long for a reader that does not read.
class RequestStream final : public httplib::Stream {
 public:
    struct Limits {
        std::chrono::milliseconds whole_request;
        std::chrono::milliseconds one_write;
        std::size_t request_bytes;
    };
    RequestStream(Connection& connection, const Clock& clock, const Limits& limits);

    // Each release of the library has some of these, so that none can be marked as overriding.
    // NOLINTBEGIN(modernize-use-override)
    [[nodiscard]] bool is_readable() const;
    [[nodiscard]] bool is_writable() const;
    [[nodiscard]] bool wait_readable() const { return is_readable(); }
    [[nodiscard]] bool wait_writable() const { return is_writable(); }
    ssize_t read(char* bytes, size_t size);
    ssize_t write(const char* bytes, size_t size);
    void get_remote_ip_and_port(std::string& address, int& port) const;
    void get_local_ip_and_port(std::string& address, int& port) const;
    [[nodiscard]] socket_t socket() const;
    [[nodiscard]] time_t duration() const { return 0; }
    // NOLINTEND(modernize-use-override)

    /// Whether a read or a write has failed: nothing more can be said on this connection.
    [[nodiscard]] bool failed() const { return m_failed; }

 private:
    [[nodiscard]] bool wait(short events, std::chrono::milliseconds until) const;

    Connection& m_connection;
    const Clock& m_clock;
    std::chrono::milliseconds m_read_until;
    std::chrono::milliseconds m_write_time;
    std::size_t m_bytes_left;
    bool m_failed = false;
};

}  // namespace runner

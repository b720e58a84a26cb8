// SPDX-License-Identifier: Apache-2.0
// HTTP under load and from strangers: one thread holds all connections and reads the heads of
// requests; a worker gets a connection only when a whole head has come, and for so long as it works
// on that request. What is slow, idle or too much costs no worker.
#pragma once

#include <httplib.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "api/connection.hpp"
#include "support/clock.hpp"

namespace runner {

struct HttpServerOptions {
    std::string address = "127.0.0.1";
    int port = 0;  ///< 0: any free one
    std::size_t connections = 2048;
    std::size_t workers = 16;       ///< for what is answered at once
    std::size_t long_replies = 64;  ///< event streams, followed logs and waits, each with a thread
    std::chrono::milliseconds head_time{std::chrono::seconds(10)};
    std::chrono::milliseconds request_time{std::chrono::seconds(10)};
    std::chrono::milliseconds write_time{std::chrono::seconds(10)};
    std::chrono::milliseconds idle_time{std::chrono::seconds(60)};
    std::size_t head_bytes = 16U << 10U;
    std::size_t body_bytes = 64U << 10U;
};

/// One of the places for what takes long; given back by the destructor.
class LongPlace {
 public:
    explicit LongPlace(std::atomic<std::size_t>& taken) : m_taken(taken) {}
    ~LongPlace() { --m_taken; }
    LongPlace(const LongPlace&) = delete;
    LongPlace& operator=(const LongPlace&) = delete;

 private:
    std::atomic<std::size_t>& m_taken;
};

/// Set up handlers with the library's own functions before `run`; `.*` as the only pattern keeps
/// its regular expressions away from what strangers send.
class HttpServer final : public httplib::Server {
 public:
    /// Listens. `tls`: null for plain HTTP; `clock` must outlive it. Throws Error{preparation}.
    HttpServer(const HttpServerOptions& options, std::unique_ptr<TlsContext> tls,
               const Clock& clock);
    ~HttpServer() override;
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;

    [[nodiscard]] int port() const { return m_port; }
    /// Serves until `stop_serving`; replies that have begun are finished, streams told to end.
    void run();
    /// From any thread.
    void stop_serving();
    [[nodiscard]] bool stopping() const { return m_stopping; }

    /// A place for something that takes long; null when all are taken.
    std::shared_ptr<LongPlace> take_long_place();
    /// Whether the client whose request this thread works on has gone away.
    [[nodiscard]] static bool client_gone();
    /// The connection of the request that this thread works on is of no more use after its reply.
    static void close_after_reply();
    [[nodiscard]] std::size_t body_limit() const { return m_options.body_bytes; }

    [[nodiscard]] std::size_t connections() const { return m_count; }
    [[nodiscard]] std::size_t long_replies() const { return m_long; }
    /// Connections and requests that were sent away because there were too many.
    [[nodiscard]] std::uint64_t turned_away() const { return m_turned_away; }

    /// One request from `input` to `stream`: what a worker does, and what is fuzzed.
    bool handle(httplib::Stream& stream, const std::string& peer, bool last, bool& closed);

 private:
    void listen_on(const std::string& address, int port);
    void accept_all();
    void on_ready(Connection& connection);
    /// Goes on with a connection that no worker has: a handshake, a head, or the end.
    void advance(Connection& connection);
    void read_head(Connection& connection);
    void hand_over(Connection& connection);
    void take_back();
    void expire();
    void watch(const Connection& connection, std::uint32_t events, bool added);
    void turn_away(Connection& connection, int status, const char* words);
    void close(Connection& connection);
    void work();
    void serve(Connection& connection);
    void wake() const;

    HttpServerOptions m_options;
    std::unique_ptr<TlsContext> m_tls;
    const Clock& m_clock;
    UniqueFd m_listening;
    UniqueFd m_poll;
    UniqueFd m_wake;
    int m_port = 0;
    std::map<int, std::unique_ptr<Connection>> m_connections;  // of the thread in run() alone
    std::atomic<std::size_t> m_count{0};
    std::atomic<std::size_t> m_long{0};
    std::atomic<std::uint64_t> m_turned_away{0};
    std::atomic<bool> m_stopping{false};
    std::mutex m_mutex;
    std::condition_variable m_work_there;
    std::deque<Connection*> m_work;                         // guarded by m_mutex
    std::vector<std::pair<Connection*, bool>> m_worked_on;  // guarded; whether it stays open
    std::vector<std::thread> m_threads;
};

}  // namespace runner

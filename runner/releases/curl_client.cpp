// SPDX-License-Identifier: Apache-2.0
#include "releases/curl_client.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <deque>

#include "model/error.hpp"
#include "releases/curl_library.hpp"
#include "support/clock.hpp"
#include "support/file.hpp"
#include "support/memory_file.hpp"
#include "support/sha256.hpp"
#include "support/text.hpp"
#include "support/url.hpp"

namespace runner {
namespace {

constexpr std::size_t k_parallel = 8;
constexpr int k_max_attempts = 4;
constexpr int k_max_redirects = 5;
constexpr long k_connect_timeout_s = 15;
constexpr long k_stall_speed = 100;  // bytes a second, over k_stall_time_s
constexpr long k_stall_time_s = 30;
constexpr long k_post_timeout_s = 10;
constexpr std::int64_t k_max_wait_ms = 60'000;
constexpr int k_poll_ms = 200;

bool starts_with_any(std::string_view text, std::initializer_list<std::string_view> prefixes) {
    return std::any_of(prefixes.begin(), prefixes.end(),
                       [&](std::string_view p) { return text.starts_with(p); });
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())) != 0)
        text.remove_prefix(1);
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0)
        text.remove_suffix(1);
    return text;
}

/// A redirect's target, absolute.
std::string resolve(const std::string& base, const std::string& location) {
    if (starts_with_any(lower(location), {"http://", "https://"})) return location;
    if (location.starts_with("//")) return base.substr(0, base.find(':') + 1) + location;
    if (location.starts_with("/")) return origin_of(base) + location;
    const std::string path = base.substr(0, base.find('?'));
    return path.substr(0, path.rfind('/') + 1) + location;
}

/// One request on its way, through redirects and retries.
class Transfer {
 public:
    Transfer(const CurlLibrary& curl, const HttpRequest& request, HttpReply& reply)
        : m_curl(curl), m_request(request), m_reply(reply), m_url(request.url) {}
    ~Transfer() { close(); }
    Transfer(const Transfer&) = delete;
    Transfer& operator=(const Transfer&) = delete;

    [[nodiscard]] std::int64_t not_before_ms() const { return m_not_before_ms; }
    [[nodiscard]] CURL* handle() const { return m_handle; }
    std::uint64_t take_progress() { return std::exchange(m_new_bytes, 0); }

    /// Sets the next try up; false when it cannot be made, and the reply says why.
    bool begin() {
        m_reply = {};
        m_wrong_status_body.clear();
        if (const std::string problem = url_problem(m_url); !problem.empty())
            return give_up(problem);
        if (!m_request.file.empty() && !m_file && !open_file()) return false;
        m_handle = m_curl.easy_init();
        const auto set = [&](CURLoption option, auto value) {
            m_curl.easy_setopt(m_handle, option, value);
        };
        set(CURLOPT_URL, m_url.c_str());
        set(CURLOPT_PRIVATE, this);
        set(CURLOPT_NOSIGNAL, 1L);
        set(CURLOPT_PROTOCOLS_STR, "http,https");
        set(CURLOPT_FOLLOWLOCATION, 0L);
        set(CURLOPT_CONNECTTIMEOUT, k_connect_timeout_s);
        set(CURLOPT_LOW_SPEED_LIMIT, k_stall_speed);
        set(CURLOPT_LOW_SPEED_TIME, k_stall_time_s);
        set(CURLOPT_USERAGENT, "runner/" RUNNER_VERSION);
        set(CURLOPT_BUFFERSIZE, 262144L);
        set(CURLOPT_ERRORBUFFER, m_error);
        set(CURLOPT_WRITEFUNCTION, &Transfer::on_body);
        set(CURLOPT_WRITEDATA, this);
        set(CURLOPT_HEADERFUNCTION, &Transfer::on_header);
        set(CURLOPT_HEADERDATA, this);
        for (const std::string& header : m_request.headers) add_header(header);
        if (!m_request.token.empty() && origin_of(m_url) == origin_of(m_request.url)) {
            add_header("Authorization: Bearer " + m_request.token.reveal());
        }
        if (m_request.posted) {
            set(CURLOPT_POST, 1L);
            set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(m_request.posted->size()));
            set(CURLOPT_POSTFIELDS, m_request.posted->data());
            set(CURLOPT_TIMEOUT, k_post_timeout_s);
        }
        m_resumed_at = m_received;
        if (m_received > 0) add_header("Range: bytes=" + std::to_string(m_received) + "-");
        set(CURLOPT_HTTPHEADER, m_header_list);
        m_error[0] = '\0';
        return true;
    }

    /// After the transfer ended with `code`: whether the request is settled; if not, it wants
    /// another try.
    bool end(CURLcode code, std::int64_t now_ms) {
        long status = 0;
        m_curl.easy_getinfo(m_handle, CURLINFO_RESPONSE_CODE, &status);
        close();
        m_reply.status = static_cast<int>(status);
        if (!m_refusal.empty()) return settle(m_refusal);
        if (code == CURLE_OK && status >= 300 && status < 400 && status != 304) {
            if (m_request.posted) return settle("the server redirects what was posted");
            return !redirect();
        }
        if (code != CURLE_OK) {
            m_reply.problem = m_error[0] != '\0' ? m_error : m_curl.easy_strerror(code);
        } else if (status == 416 && m_resumed_at > 0) {
            restart_file();
            m_reply.problem = "the server does not resume";
        } else if (status >= 400) {
            m_reply.problem = "the server answered " + std::to_string(status);
            m_reply.body = m_wrong_status_body;
        } else {
            return settle(finish_file());
        }
        if (m_request.posted) return settle(m_reply.problem);
        const auto delay = retry_delay_ms(m_reply, ++m_attempts, now_ms / 1000);
        if (!delay || m_attempts >= k_max_attempts) return settle(m_reply.problem);
        m_not_before_ms = now_ms + *delay;
        return false;
    }

    bool give_up(const std::string& problem) {
        close();
        settle(problem);
        return false;
    }

 private:
    void add_header(const std::string& header) {
        m_header_list = m_curl.slist_append(m_header_list, header.c_str());
    }

    void close() {
        if (m_handle != nullptr) m_curl.easy_cleanup(std::exchange(m_handle, nullptr));
        if (m_header_list != nullptr) m_curl.slist_free_all(std::exchange(m_header_list, nullptr));
    }

    bool settle(const std::string& problem) {
        m_reply.problem = problem;
        if (!m_temporary.empty()) ::unlink(m_temporary.c_str());
        m_temporary.clear();
        return true;
    }

    /// Whether the transfer goes on elsewhere.
    bool redirect() {
        const auto location = m_reply.headers.find("location");
        std::string problem;
        if (location == m_reply.headers.end()) {
            problem = "the server redirects to nowhere";
        } else if (++m_redirects > k_max_redirects) {
            problem = "more than " + std::to_string(k_max_redirects) + " redirects";
        } else {
            m_url = resolve(m_url, location->second);
            problem = url_problem(m_url);
            if (!problem.empty()) problem = "redirected: " + problem;
        }
        if (problem.empty()) return true;
        settle(problem);
        return false;
    }

    bool open_file() {
        try {
            const std::filesystem::path path = m_request.file;
            make_folders(path.parent_path());
            m_temporary =
                (path.parent_path() / ("." + path.filename().string() + ".XXXXXX")).string();
            m_file.reset(::mkostemp(m_temporary.data(), O_CLOEXEC));
            if (!m_file) throw system_error("cannot write beside " + m_request.file, errno);
            return true;
        } catch (const Error& error) {
            return give_up(error.what());
        }
    }

    void restart_file() {
        m_received = 0;
        m_hash = Sha256();
        if (m_file) (void)!::ftruncate(m_file.get(), 0);
        if (m_file) (void)!::lseek(m_file.get(), 0, SEEK_SET);
    }

    std::string finish_file() {
        if (!m_file) return {};
        if (m_request.digest) {
            const Digest found = m_hash.finish();
            if (found != *m_request.digest) {
                return "what was downloaded does not match its checksum: expected " +
                       m_request.digest->to_string() + ", found " + found.to_string();
            }
        }
        m_file.reset();
        if (::rename(m_temporary.c_str(), m_request.file.c_str()) != 0) {
            return system_error("cannot keep " + m_request.file, errno).what();
        }
        m_temporary.clear();
        return {};
    }

    static std::size_t on_header(char* data, std::size_t size, std::size_t count,
                                 void* self) noexcept {
        auto& transfer = *static_cast<Transfer*>(self);
        const std::string_view line(data, size * count);
        const std::size_t colon = line.find(':');
        if (line.starts_with("HTTP/")) transfer.m_reply.headers.clear();
        if (colon != std::string_view::npos && transfer.m_reply.headers.size() < 200) {
            transfer.m_reply.headers[lower(line.substr(0, colon))] =
                trimmed(line.substr(colon + 1));
        }
        return size * count;
    }

    static std::size_t on_body(char* data, std::size_t size, std::size_t count,
                               void* self) noexcept {
        auto& transfer = *static_cast<Transfer*>(self);
        try {
            return transfer.take({data, size * count}) ? size * count : 0;
        } catch (const std::exception& error) {
            transfer.m_refusal = error.what();
            return 0;
        }
    }

    bool take(std::string_view bytes) {
        long status = 0;
        m_curl.easy_getinfo(m_handle, CURLINFO_RESPONSE_CODE, &status);
        if (status >= 300) {
            constexpr std::size_t k_kept = 4096;
            m_wrong_status_body +=
                bytes.substr(0, k_kept - std::min(k_kept, m_wrong_status_body.size()));
            return true;
        }
        if (m_resumed_at > 0 && status != 206) {  // the whole again
            restart_file();
            m_resumed_at = 0;
        }
        m_received += bytes.size();
        m_new_bytes += bytes.size();
        if (m_received > m_request.size_limit) {
            m_refusal = "it is larger than " + std::to_string(m_request.size_limit) + " bytes";
            return false;
        }
        if (!m_file) {
            m_reply.body += bytes;
            return true;
        }
        m_hash.update(bytes);
        write_all(m_file.get(), bytes, m_request.file);
        return true;
    }

    const CurlLibrary& m_curl;
    const HttpRequest& m_request;
    HttpReply& m_reply;
    std::string m_url;
    CURL* m_handle = nullptr;
    curl_slist* m_header_list = nullptr;
    UniqueFd m_file;
    std::string m_temporary;
    Sha256 m_hash;
    std::size_t m_received = 0;
    std::size_t m_resumed_at = 0;
    std::uint64_t m_new_bytes = 0;
    std::string m_refusal;
    std::string m_wrong_status_body;
    int m_attempts = 0;
    int m_redirects = 0;
    std::int64_t m_not_before_ms = 0;
    char m_error[CURL_ERROR_SIZE] = {};
};

class CurlClient final : public HttpClient {
 public:
    explicit CurlClient(std::function<bool()> stopped)
        : m_stopped(std::move(stopped)), m_curl(CurlLibrary::get()), m_multi(m_curl.multi_init()) {}
    ~CurlClient() override { m_curl.multi_cleanup(m_multi); }
    CurlClient(const CurlClient&) = delete;
    CurlClient& operator=(const CurlClient&) = delete;

    std::vector<HttpReply> send(const std::vector<HttpRequest>& requests,
                                const std::function<void(std::uint64_t)>& progress) override {
        std::vector<HttpReply> replies(requests.size());
        std::deque<std::unique_ptr<Transfer>> waiting;
        std::vector<std::unique_ptr<Transfer>> running;
        for (std::size_t i = 0; i < requests.size(); ++i) {
            waiting.push_back(std::make_unique<Transfer>(m_curl, requests[i], replies[i]));
        }
        while (!waiting.empty() || !running.empty()) {
            if (m_stopped && m_stopped()) {
                for (auto& transfer : running) {
                    m_curl.multi_remove_handle(m_multi, transfer->handle());
                    transfer->give_up("interrupted");
                }
                for (auto& transfer : waiting) transfer->give_up("interrupted");
                break;
            }
            start(waiting, running);
            int active = 0;
            m_curl.multi_perform(m_multi, &active);
            const bool some_ended = collect(waiting, running);
            if (progress) {
                for (auto& transfer : running) progress(transfer->take_progress());
            }
            // What has ended makes room for the next: no waiting before those are on their way.
            if (!some_ended && (!waiting.empty() || !running.empty()))
                m_curl.multi_poll(m_multi, nullptr, 0, k_poll_ms, nullptr);
        }
        return replies;
    }

 private:
    void start(std::deque<std::unique_ptr<Transfer>>& waiting,
               std::vector<std::unique_ptr<Transfer>>& running) {
        const std::int64_t now = SystemClock().steady().count();
        for (std::size_t looked = waiting.size(); looked > 0 && running.size() < k_parallel;
             --looked) {
            std::unique_ptr<Transfer> transfer = std::move(waiting.front());
            waiting.pop_front();
            if (transfer->not_before_ms() > now) {
                waiting.push_back(std::move(transfer));
            } else if (transfer->begin()) {
                m_curl.multi_add_handle(m_multi, transfer->handle());
                running.push_back(std::move(transfer));
            }
        }
    }

    /// Whether any transfer has ended.
    bool collect(std::deque<std::unique_ptr<Transfer>>& waiting,
                 std::vector<std::unique_ptr<Transfer>>& running) {
        int left = 0;
        bool some_ended = false;
        while (CURLMsg* message = m_curl.multi_info_read(m_multi, &left)) {
            if (message->msg != CURLMSG_DONE) continue;
            CURL* handle = message->easy_handle;
            const CURLcode code = message->data.result;
            const auto found =
                std::find_if(running.begin(), running.end(),
                             [&](const auto& transfer) { return transfer->handle() == handle; });
            std::unique_ptr<Transfer> transfer = std::move(*found);
            running.erase(found);
            m_curl.multi_remove_handle(m_multi, handle);
            const bool settled = transfer->end(code, SystemClock().steady().count());
            if (!settled) waiting.push_back(std::move(transfer));
            some_ended = true;
        }
        return some_ended;
    }

    std::function<bool()> m_stopped;
    const CurlLibrary& m_curl;
    CURLM* m_multi;
};

}  // namespace

std::string url_problem(std::string_view url) {
    if (is_open_http(url))
        return without_credentials(url) +
               " is plain http, which is accepted for loopback addresses only";
    if (starts_with_any(origin_of(url), {"http://", "https://"})) return {};
    return "'" + without_credentials(url) + "' is no https address";
}

std::optional<std::int64_t> retry_delay_ms(const HttpReply& reply, int attempt,
                                           std::int64_t now_s) {
    const auto number = [&](const char* name) -> std::optional<std::int64_t> {
        const auto found = reply.headers.find(name);
        std::int64_t value = 0;
        if (found == reply.headers.end()) return std::nullopt;
        const auto [end, status] = std::from_chars(
            found->second.data(), found->second.data() + found->second.size(), value);
        return status == std::errc() ? std::optional(value) : std::nullopt;
    };
    const std::int64_t backoff = 250LL << std::min(attempt - 1, 8);
    const bool limited =
        reply.status == 429 ||
        (reply.status == 403 && (number("retry-after") || number("x-ratelimit-remaining") == 0));
    std::int64_t delay = backoff;
    if (limited) {
        delay = 60'000;
        if (const auto after = number("retry-after")) {
            delay = *after * 1000;
        } else if (const auto reset = number("x-ratelimit-reset");
                   reset && number("x-ratelimit-remaining") == 0) {
            delay = std::max<std::int64_t>(0, *reset - now_s) * 1000 + 1000;
        }
    } else if (reply.status != 0 && reply.status < 500 && reply.status != 408 &&
               reply.status >= 300) {
        return std::nullopt;
    }
    if (delay > k_max_wait_ms) return std::nullopt;
    return std::max(delay, backoff);
}

std::unique_ptr<HttpClient> make_http_client(std::function<bool()> stopped) {
    return std::make_unique<CurlClient>(std::move(stopped));
}

}  // namespace runner

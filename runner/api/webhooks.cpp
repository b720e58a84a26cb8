// SPDX-License-Identifier: Apache-2.0
#include "api/webhooks.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <set>

#include "ledger/beside.hpp"
#include "model/error.hpp"
#include "releases/curl_client.hpp"
#include "support/file.hpp"
#include "support/log.hpp"
#include "support/read.hpp"
#include "support/secret_memory.hpp"
#include "support/sha256.hpp"
#include "support/text.hpp"
#include "support/url.hpp"

namespace runner {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds k_first_pause{std::chrono::seconds(1)};
constexpr std::chrono::milliseconds k_longest_pause{std::chrono::hours(1)};
constexpr std::chrono::milliseconds k_shortest_sleep{10};
constexpr std::chrono::milliseconds k_longest_sleep{std::chrono::minutes(1)};
constexpr std::chrono::milliseconds k_lifetime{std::chrono::hours(24)};
constexpr std::size_t k_max_reply = 64U << 10U;
constexpr std::int64_t k_many_attempts = 1'000'000;
constexpr const char* k_secret_prefix = "whsec_";

/// As it is when it is no base64.
std::string decoded(const std::string& text) {
    std::string bytes(text.size(), '\0');
    const int length = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                       reinterpret_cast<const unsigned char*>(text.data()),
                                       static_cast<int>(text.size()));
    if (length < 0) return text;
    const auto padding = std::count(text.begin(), text.end(), '=');
    bytes.resize(static_cast<std::size_t>(length) - static_cast<std::size_t>(padding));
    return bytes;
}

struct Message {
    std::string id;
    std::string url;
    std::string body;
    std::chrono::milliseconds created_at{};  ///< wall clock
    int attempts = 0;
};

std::string text_of(const Message& message) {
    return dump_json({{"schemaVersion", 1},
                      {"id", message.id},
                      {"url", message.url},
                      {"createdAt", format_time(message.created_at)},
                      {"attempts", message.attempts},
                      {"body", message.body}}) +
           '\n';
}

/// Nothing when it is none, or damaged.
std::optional<Message> message_in(const std::string& text) {
    try {
        const Json document = parse_json(text, "a message");
        const JsonObject object(document, "a message");
        const std::int64_t attempts = object.integer_or("attempts", 0);
        return Message{object.string("id"), object.string("url"), object.string("body"),
                       parse_time(object.string("createdAt")),
                       static_cast<int>(std::clamp<std::int64_t>(attempts, 0, k_many_attempts))};
    } catch (const Error&) {
        return std::nullopt;
    }
}

bool is_waiting(const fs::path& folder, const std::string& id) {
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(folder, none)) {
        if (entry.path().filename().string().ends_with('-' + id + ".json")) return true;
    }
    return false;
}

}  // namespace

std::string webhook_signature(const Secret& secret, const std::string& id,
                              const std::string& timestamp, const std::string& body) {
    const std::string prefix = k_secret_prefix;
    const std::string key = secret.reveal().rfind(prefix, 0) == 0
                                ? decoded(secret.reveal().substr(prefix.size()))
                                : secret.reveal();
    const std::string text = id + '.' + timestamp + '.' + body;
    const Digest mac = hmac_sha256(key, text);
    return "v1," + base64({reinterpret_cast<const char*>(mac.bytes.data()), mac.bytes.size()});
}

std::chrono::milliseconds webhook_pause(int attempts) {
    auto pause = k_first_pause;
    for (int i = 1; i < attempts && pause < k_longest_pause; ++i) pause *= 2;
    return std::min(pause, k_longest_pause);
}

Webhooks::Webhooks(Clusters& clusters, const Clock& clock, std::function<bool()> stopped)
    : m_clusters(clusters),
      m_clock(clock),
      m_stopped(std::move(stopped)),
      m_thread([this] { work(); }) {}

Webhooks::~Webhooks() {
    {
        const std::lock_guard lock(m_mutex);
        m_stop = true;
    }
    m_wake.notify_all();
    m_thread.join();
}

void Webhooks::announce(const ClusterConfig& config, const std::string& event,
                        const std::string& subject, const Json& data) {
    if (config.webhooks.empty()) return;
    for (const WebhookConfig& webhook : config.webhooks) {
        const auto& wanted = webhook.events;
        if (std::find(wanted.begin(), wanted.end(), event) == wanted.end()) continue;
        const std::string id =
            "msg_" +
            sha256(join({config.name, config.account_id, event, subject, webhook.url}, "\n"))
                .to_string()
                .substr(0, 24);
        if (is_waiting(webhooks_beside(config.state), id)) continue;
        const Json body = {{"type", "upgrade." + event},
                           {"timestamp", format_time(m_clock.wall())},
                           {"data", data}};
        const Message message{id, webhook.url, dump_json(body), m_clock.wall()};
        make_folders(webhooks_beside(config.state));
        // Names sort as they were made.
        const std::string name = format_time(message.created_at) + '-' + id + ".json";
        replace_file(webhooks_beside(config.state) / name, text_of(message));
    }
    {
        const std::lock_guard lock(m_mutex);
        m_added = true;
    }
    m_wake.notify_all();
}

void Webhooks::work() {
    std::unique_lock lock(m_mutex);
    while (!m_stop) {
        m_added = false;
        lock.unlock();
        auto pause = k_longest_sleep;
        try {
            pause = send_due();
        } catch (const std::exception& error) {  // it is no reason to end the server
            log_warning(std::string("webhooks: ") + error.what());
        }
        lock.lock();
        m_wake.wait_for(lock, pause, [this] { return m_stop || m_added; });
    }
}

std::chrono::milliseconds Webhooks::send_due() {
    std::set<fs::path> there;
    for (const auto& [name, cluster] : m_clusters.all()) {
        try {
            const auto config = cluster->config();
            if (config->webhooks.empty()) continue;
            std::vector<fs::path> files;
            std::error_code none;
            for (const auto& entry : fs::directory_iterator(webhooks_beside(config->state), none)) {
                if (entry.path().extension() == ".json") files.push_back(entry.path());
            }
            std::sort(files.begin(), files.end());
            there.insert(files.begin(), files.end());
            for (const fs::path& file : files) {
                const auto waits = m_not_before.find(file);
                if (waits != m_not_before.end() && waits->second > m_clock.steady()) continue;
                if (m_stopped()) return k_first_pause;
                send(file, *config);
            }
        } catch (const std::exception& error) {
            log_warning("webhooks of the cluster " + name + ": " + error.what());
        }
    }
    // Nobody waits for a message of a cluster that is served no more.
    std::erase_if(m_not_before, [&](const auto& entry) { return there.count(entry.first) == 0; });
    auto next = m_clock.steady() + k_longest_sleep;
    for (const auto& [file, time] : m_not_before) next = std::min(next, time);
    return std::max(next - m_clock.steady(), k_shortest_sleep);
}

void Webhooks::send(const fs::path& file, const ClusterConfig& config) {
    auto message = message_in(read_file(file));
    const auto forget = [&](const std::string& why) {
        if (!why.empty()) log_warning(why);
        m_not_before.erase(file);
        std::error_code ignored;
        fs::remove(file, ignored);
    };
    if (!message) return forget(file.string() + " is no message; it was removed");
    const std::string where = without_credentials(message->url);
    const auto webhook =
        std::find_if(config.webhooks.begin(), config.webhooks.end(),
                     [&](const WebhookConfig& one) { return one.url == message->url; });
    const std::string dropped = "a webhook message to " + where + " was dropped: ";
    if (webhook == config.webhooks.end())
        return forget(dropped + "the config no longer has that address");
    if (m_clock.wall() - message->created_at > k_lifetime)
        return forget(dropped + "nobody has taken it for a day");
    const auto secret = secret_variable(webhook->secret_variable);
    std::string problem;
    if (!secret) {
        problem = "the environment variable " + webhook->secret_variable +
                  " is not set, and nothing goes out unsigned";
    } else {
        const std::string timestamp = std::to_string(m_clock.wall().count() / 1000);
        HttpRequest request;
        request.url = message->url;
        request.size_limit = k_max_reply;
        request.posted = message->body;
        request.headers = {"Content-Type: application/json", "webhook-id: " + message->id,
                           "webhook-timestamp: " + timestamp,
                           "webhook-signature: " +
                               webhook_signature(*secret, message->id, timestamp, message->body)};
        problem = make_http_client(m_stopped)->send({request}, {}).front().problem;
        if (problem.empty()) return forget("");
    }
    ++message->attempts;
    m_not_before[file] = m_clock.steady() + webhook_pause(message->attempts);
    replace_file(file, text_of(*message), Durability::replaceable);
    log_warning("webhook " + where + ", try " + std::to_string(message->attempts) + ": " + problem);
}

}  // namespace runner

// SPDX-License-Identifier: Apache-2.0
#include "api/streams.hpp"

#include "api/file_follower.hpp"
#include "api/path_mask.hpp"
#include "model/error.hpp"
#include "model/harmless.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

constexpr std::chrono::milliseconds k_look_interval{500};
constexpr std::chrono::milliseconds k_keep_alive{std::chrono::seconds(15)};
constexpr std::size_t k_piece = 64U << 10U;

/// What both kinds of streams do: whole lines as they come, signs of life, an end.
class Stream {
 public:
    Stream(Api& api, const JobView& job, const std::filesystem::path& file,
           std::shared_ptr<LongPlace> place)
        : m_api(api),
          m_id(job.record.id),
          m_folder(job.folder),
          m_mask(*job.config),
          m_follower(file),
          m_place(std::move(place)),
          m_last_sent(api.clock().steady()) {}
    virtual ~Stream() = default;
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    /// Sends what there is; waits a little when there is nothing. False: the client has gone.
    bool advance(httplib::DataSink& sink) {
        std::string text = std::exchange(m_first, {});
        // Looked at before reading: what was written before the end is read after it.
        const bool over = m_at_end && is_over();
        const std::string bytes = m_follower.read(k_piece);
        m_at_end = bytes.empty();
        m_lines.push(bytes, [&](std::string_view line) { text += shown(std::string(line)); });
        if (bytes.empty() && over) {
            m_lines.flush([&](std::string_view line) { text += shown(std::string(line)); });
            text += last_words();
        }
        const auto now = m_api.clock().steady();
        if (text.empty() && bytes.empty() && !over) {
            if (now - m_last_sent >= k_keep_alive) text = sign_of_life();
            if (HttpServer::client_gone()) return false;
        }
        if (!text.empty()) {
            m_last_sent = now;
            if (!sink.write(text.data(), text.size())) return false;
        }
        if (bytes.empty() && over) {
            sink.done();
            return true;
        }
        if (bytes.empty() && m_api.server().stopping()) return false;
        if (bytes.empty()) m_follower.wait(k_look_interval);
        return true;
    }

 protected:
    virtual bool is_over() = 0;
    virtual std::string shown(const std::string& line) = 0;
    virtual std::string last_words() { return {}; }
    virtual std::string sign_of_life() { return {}; }
    [[nodiscard]] std::optional<JobView> job() const { return m_api.jobs().find(m_id); }
    [[nodiscard]] bool alive() const { return m_api.jobs().is_alive(m_folder); }
    [[nodiscard]] const Clock& clock() const { return m_api.clock(); }
    [[nodiscard]] const PathMask& mask() const { return m_mask; }
    void begin_with(const std::string& text) { m_first = text; }

 private:
    Api& m_api;
    std::string m_id;
    std::filesystem::path m_folder;
    PathMask m_mask;
    FileFollower m_follower;
    std::shared_ptr<LongPlace> m_place;
    LineBuffer m_lines;
    std::string m_first;
    std::chrono::milliseconds m_last_sent;
    bool m_at_end = false;
};

/// Without the server's paths and what is for admins.
std::string shown_event(Json event, const PathMask& mask) {
    if (const auto result = event.find("result"); result != event.end() && result->is_object()) {
        result->erase("ledgerCopy");
        if (const auto error = result->find("error"); error != result->end() && error->is_object())
            error->erase("escapeHatch");
    }
    return mask.mask(dump_json(event));
}

class EventStream final : public Stream {
 public:
    EventStream(Api& api, const JobView& job, std::uint64_t last_id,
                std::shared_ptr<LongPlace> place)
        : Stream(api, job, events_of(job.folder), std::move(place)), m_last_id(last_id) {
        begin_with("retry: 2000\n\n");
    }

 private:
    bool is_over() override { return !alive(); }
    std::string shown(const std::string& line) override {
        try {
            const Json event = parse_json(line, "event");
            const JsonObject object(event, "event");
            const std::int64_t id = object.integer("seq");
            if (static_cast<std::uint64_t>(id) <= m_last_id) return {};
            m_last_id = static_cast<std::uint64_t>(id);
            return "id: " + std::to_string(id) + "\nevent: " + object.string("event") +
                   "\ndata: " + shown_event(event, mask()) + "\n\n";
        } catch (const Error&) {  // torn by a full disk, say
            return {};
        }
    }
    /// Also of a job that died, whose events have no end of their own.
    std::string last_words() override {
        const auto now = job();
        if (!now) return {};
        return "event: over\ndata: " +
               dump_json({{"state", to_string(now->state)}, {"progress", now->progress}}) + "\n\n";
    }
    std::string sign_of_life() override { return ": still there\n\n"; }

    std::uint64_t m_last_id;
};

class LogStream final : public Stream {
 public:
    LogStream(Api& api, const JobView& job, std::string version, const std::filesystem::path& log,
              std::shared_ptr<LongPlace> place)
        : Stream(api, job, log, std::move(place)), m_version(std::move(version)) {}

 private:
    /// Asks the ledger now and then only: while a run writes it, looking means copying it.
    bool is_over() override {
        if (clock().steady() < m_next_look) return false;
        m_next_look = clock().steady() + k_look_interval;
        const auto now = job();
        if (!now || now->over || !now->run) return !now || now->over;
        for (const AttemptRecord& attempt : now->run->attempts) {
            if (attempt.version == m_version && !attempt.outcome.empty()) return true;
        }
        return false;
    }
    std::string shown(const std::string& line) override {
        return harmless(mask().mask(line), Tabs::kept) + '\n';
    }

    std::string m_version;
    std::chrono::milliseconds m_next_look{};
};

void start(Call& call, const char* type, const std::shared_ptr<Stream>& stream) {
    call.response.status = 200;
    call.response.set_chunked_content_provider(
        type, [stream](std::size_t, httplib::DataSink& sink) { return stream->advance(sink); });
}

std::shared_ptr<LongPlace> place_for(Api& api) {
    auto place = api.server().take_long_place();
    if (!place) throw Problem{Trouble::busy};
    return place;
}

}  // namespace

void stream_events(Api& api, Call& call, const JobView& job, std::uint64_t last_id) {
    start(call, "text/event-stream",
          std::make_shared<EventStream>(api, job, last_id, place_for(api)));
}

void stream_log(Api& api, Call& call, const JobView& job, const std::string& version,
                const std::filesystem::path& log) {
    start(call, "text/plain; charset=utf-8",
          std::make_shared<LogStream>(api, job, version, log, place_for(api)));
}

}  // namespace runner

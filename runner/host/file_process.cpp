// SPDX-License-Identifier: Apache-2.0
#include "host/file_process.hpp"

#include <unistd.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "host/message.hpp"
#include "host/sandbox.hpp"
#include "model/json.hpp"
#include "services/files.hpp"
#include "support/read.hpp"
#include "support/sha256.hpp"

namespace runner {
namespace {

namespace services = upgrade::services;

/// Changes that are recorded together, in one message.
constexpr std::size_t k_piece = 500;
/// So many of the things that could not be kept are told.
constexpr std::size_t k_max_not_kept = 20;

/// The first of these texts, and how many more there are.
std::vector<std::string> bounded(std::vector<std::string> texts) {
    if (texts.size() <= k_max_not_kept) return texts;
    const std::size_t more = texts.size() - k_max_not_kept;
    texts.resize(k_max_not_kept);
    texts.push_back("and " + std::to_string(more) + " more");
    return texts;
}

/// Serves the commits of one phase, in order.
class Committer {
 public:
    Committer(FrameChannel& channel, const Json& start)
        : m_channel(channel),
          m_files(start.at("repository").get<std::string>(), {}),
          m_write_paths(texts_at(start, "writePaths")),
          m_protected_paths(texts_at(start, "protectedPaths")),
          m_originals(start.at("backupFolder").get<std::string>()),
          m_commits(start.at("commitsBefore").get<std::size_t>()) {}

    /// One commit; false when the supervisor is gone.
    bool commit(Frame& frame) {
        const std::string step = text_at(frame.message, "step");
        std::vector<std::string> not_kept;
        try {
            take_changes(frame);
            const std::set<std::string> rendered = take_rendered(frame);
            not_kept = m_files.commit(m_originals + '/' + std::to_string(m_commits++),
                                      [&](const std::vector<services::PreparedChange>& changes) {
                                          record(step, changes, rendered);
                                      });
        } catch (const Gone&) {
            return false;
        } catch (const std::exception& error) {
            m_files.forget_pending();
            return m_channel.send({{"type", "refused"}, {"message", error.what()}});
        }
        return m_channel.send({{"type", "committed"}, {"notKept", bounded(not_kept)}});
    }

 private:
    /// The other end is closed: what is not recorded is not done.
    struct Gone {};

    static std::set<std::string> take_rendered(Frame& frame) {
        const UniqueFd file = take_descriptor(frame, "renderedDescriptor");
        if (!file) return {};
        const std::string what = "the names of rendered files";
        return parse_json(read_all(file.get(), k_max_overlay, what), what)
            .get<std::set<std::string>>();
    }

    void take_changes(Frame& frame) {
        const UniqueFd content = take_descriptor(frame, "changesDescriptor");
        services::FileChanges changes =
            services::decode(read_all(content.get(), k_max_overlay, "the new content of files"));
        for (const auto& [path, change] : changes) {
            services::check_may_write(path, m_write_paths, m_protected_paths);
            // What it takes from there (owner, mode) is worth as much as what it writes.
            if (!change.moved_from.empty())
                services::check_may_write(change.moved_from, m_write_paths, m_protected_paths);
        }
        m_files.set_pending(std::move(changes));
    }

    void record(const std::string& step, const std::vector<services::PreparedChange>& changes,
                const std::set<std::string>& rendered) {
        for (std::size_t begin = 0; begin < changes.size(); begin += k_piece) {
            Json list = Json::array();
            for (std::size_t i = begin; i < std::min(changes.size(), begin + k_piece); ++i) {
                const services::PreparedChange& change = changes[i];
                list.push_back(
                    {change.path, change.temporary, change.backup,
                     change.content == nullptr ? "" : sha256(*change.content).to_string(),
                     change.content != nullptr && rendered.count(change.path) != 0,
                     change.mode ? Json(*change.mode) : Json(), change.made_folders});
            }
            wait_until_recorded({{"type", "files"}, {"step", step}, {"changes", std::move(list)}});
        }
    }

    void wait_until_recorded(const Json& message) {
        if (!m_channel.send(message)) throw Gone();
        Frame answer;
        while (!m_channel.next(answer)) {
            if (!m_channel.receive(true)) throw Gone();
        }
        if (answer.type() != "ok")
            throw services::Refusal(UPGRADE_FAILED, text_at(answer.message, "message"));
    }

    FrameChannel& m_channel;
    services::RepositoryFiles m_files;
    std::vector<std::string> m_write_paths;
    std::vector<std::string> m_protected_paths;
    std::string m_originals;
    std::size_t
        m_commits;  ///< of the phase so far: each keeps its originals in a folder of its own
};

/// It needs no program, no network, and no other files.
void close_the_sandbox(const Json& start) {
    if (!start.value("sandbox", true)) return;
    const std::string originals = start.at("backupFolder").get<std::string>();
    services::make_folders(originals);
    SandboxRules rules;
    rules.write = {start.at("repository").get<std::string>(), originals};
    rules.execute.emplace();
    rules.network = false;
    enter_sandbox(rules);
}

}  // namespace

int file_process(FrameChannel& channel, Frame& start) {
    close_the_sandbox(start.message);
    Committer committer(channel, start.message);
    while (true) {
        Frame frame;
        while (!channel.next(frame)) {
            if (!channel.receive(true)) return 0;
        }
        if (!committer.commit(frame)) return 1;
    }
}

}  // namespace runner

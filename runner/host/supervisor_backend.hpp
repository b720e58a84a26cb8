// SPDX-License-Identifier: Apache-2.0
// A plugin process's side of the conversation with its supervisor: what the services tell and ask.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "host/frame.hpp"
#include "host/message.hpp"
#include "services/service_error.hpp"
#include "services/session.hpp"
#include "support/memory_file.hpp"
#include "support/read.hpp"
#include "support/sha256.hpp"
#include "upgrade/abi.h"

namespace runner {

namespace services = upgrade::services;

/// Ends the process: the supervisor is gone, and nobody is left to answer to.
[[noreturn]] inline void orphaned() {
    ::_exit(1);
}

/// The services' backend that asks the supervisor.
class SupervisorBackend final : public services::Backend {
 public:
    SupervisorBackend(FrameChannel& channel, const Json& start) : m_channel(channel) {
        for (const Json& step : start.at("finishedSteps"))
            m_finished.insert(step.get<std::string>());
    }

    void log(std::int32_t level, std::string_view text) override {
        show({{"type", "log"}, {"level", level}, {"text", told_text(text)}});
    }

    void progress(std::uint64_t done, std::uint64_t total, std::string_view message) override {
        show({{"type", "progress"},
              {"done", done},
              {"total", total},
              {"message", told_text(message)}});
    }

    bool confirm(std::string_view question) override {
        const Json answer =
            ask({{"type", "confirm"}, {"question", told_text(question.substr(0, k_max_text))}});
        return answer.value("yes", false);
    }

    void command_shown(const std::vector<std::string>& arguments, std::string_view input) override {
        show({{"type", "command"},
              {"arguments", told_texts(told_command(arguments))},
              {"input", told_text(input.substr(0, k_max_told_input))},
              {"inputBytes", input.size()}});
    }

    void command_begun(const std::vector<std::string>& arguments,
                       const std::vector<services::TextRanges>& learned) override {
        std::fflush(stdout);
        const std::vector<std::string> told = told_command(arguments);
        Json message = {{"type", "commandBegun"}, {"arguments", told_texts(told)}};
        const bool any = std::any_of(learned.begin(), learned.end(),
                                     [](const auto& ranges) { return !ranges.empty(); });
        // Of a command that was cut nothing is known but that it is the same.
        if (any && told == arguments) message["learned"] = to_json(learned);
        if (dump_json(message).size() > k_max_frame) message.erase("learned");
        ask(message);
    }

    /// Only what was read first counts: it is what all that follows was made from.
    void found(const std::string& path, services::PathKind kind,
               const std::string* content) override {
        FoundFile& file = found_place(path, kind);
        const bool unread = file.kind == services::PathKind::file && !file.digest;
        if (content != nullptr && unread) file.digest = sha256(*content);
    }

    void listed(const std::string& pattern, const std::vector<std::string>& paths) override {
        if (m_found.lists.count(pattern) != 0) return;
        check_found_count();
        m_found.lists.emplace(pattern, digest_of_list(paths));
    }

    /// What a simulation was made from.
    [[nodiscard]] const FoundInRepository& found() const { return m_found; }

    bool step_is_finished(const std::string& id) override { return m_finished.count(id) != 0; }

    void step_begun(const std::string& id, std::string_view description) override {
        show({{"type", "stepBegun"}, {"id", id}, {"description", told_text(description)}});
    }

    void commit(const std::string& step, services::RepositoryFiles& files,
                const std::set<std::string>& rendered) override {
        Json message = {{"type", "commit"}, {"step", step}};
        std::vector<UniqueFd> content;
        attach(message, content, "changesDescriptor", services::encode(files.pending()));
        if (!rendered.empty())
            attach(message, content, "renderedDescriptor", dump_json(Json(rendered)));
        ask(message, descriptors_of(content));
        files.forget_pending();
    }

    void files_shown(const std::string& step,
                     const std::vector<services::ShownFile>& changes) override {
        if (m_shown.size() + changes.size() > k_max_shown)
            throw services::Refusal(UPGRADE_FAILED, "more than " + std::to_string(k_max_shown) +
                                                        " file changes in one upgrade");
        for (const services::ShownFile& change : changes) {
            m_shown.push_back({step, change.path,
                               change.content == nullptr ? std::nullopt
                                                         : std::optional(sha256(*change.content))});
        }
    }

    /// What a simulation has shown so far.
    [[nodiscard]] const std::vector<ShownChange>& shown() const { return m_shown; }

    void step_finished(const std::string& id, const services::StateValues& values) override {
        ask({{"type", "stepFinished"}, {"id", id}, {"values", values_to_json(values)}});
        m_finished.insert(id);
    }

    services::FileChanges step_undone(const std::string& id,
                                      const services::StateValues& values) override {
        ask({{"type", "stepUndone"}, {"id", id}, {"values", values_to_json(values)}});
        m_finished.erase(id);
        const UniqueFd put_back = take_descriptor(m_answer, "changesDescriptor");
        if (!put_back) return {};
        return services::decode(
            read_all(put_back.get(), k_max_overlay, "the files that would be put back"));
    }

    std::optional<std::string> state(std::int32_t scope, const std::string& key) override {
        const Json answer = ask({{"type", "state"}, {"scope", scope}, {"key", key}});
        const auto value = answer.find("value");
        if (value == answer.end() || !value->is_string()) return std::nullopt;
        return value->get<std::string>();
    }

    bool cancelled() override {
        if (!m_channel.receive(false)) orphaned();
        take_frames();
        return m_cancelled;
    }

    int wake_descriptor() override { return m_channel.descriptor(); }

    static Json values_to_json(const services::StateValues& values) {
        Json list = Json::array();
        for (const auto& [key, value] : values) list.push_back({key.first, key.second, value});
        return list;
    }

 private:
    void check_found_count() const {
        if (m_found.files.size() + m_found.lists.size() >= k_max_shown)
            throw services::Refusal(UPGRADE_FAILED, "one upgrade looks at more than " +
                                                        std::to_string(k_max_shown) + " files");
    }

    FoundFile& found_place(const std::string& path, services::PathKind kind) {
        const auto known = m_found.files.find(path);
        if (known != m_found.files.end()) return known->second;
        check_found_count();
        return m_found.files.emplace(path, FoundFile{kind, std::nullopt}).first->second;
    }

    /// What is only shown goes the way of the upgrade's own output, so that both keep their order.
    static void show(const Json& message) {
        std::fflush(stdout);
        write_all(STDOUT_FILENO, k_record_separator + dump_json(message) + '\n', "the output");
    }

    void take_frames() {
        Frame frame;
        while (m_channel.next(frame)) {
            if (frame.type() == "cancel") {
                m_cancelled = true;
            } else {
                m_answer = std::move(frame);
            }
        }
    }

    Json ask(const Json& message, const std::vector<int>& descriptors = {}) {
        m_answer = Frame();
        if (!m_channel.send(message, descriptors)) orphaned();
        take_frames();
        while (m_answer.message.is_null()) {
            if (!m_channel.receive(true)) orphaned();
            take_frames();
        }
        if (m_answer.type() == "refused") {
            throw services::Refusal(UPGRADE_FAILED, m_answer.message.value("message", "refused"));
        }
        return m_answer.message;
    }

    FrameChannel& m_channel;
    std::set<std::string> m_finished;
    std::vector<ShownChange> m_shown;
    FoundInRepository m_found;
    Frame m_answer;
    bool m_cancelled = false;
};

}  // namespace runner

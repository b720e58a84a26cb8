// SPDX-License-Identifier: Apache-2.0
#include "host/file_commits.hpp"

#include <signal.h>

#include "host/file_process.hpp"
#include "host/message.hpp"

namespace runner {
namespace {

Json refused(const std::string& message) {
    return Json::object({{"type", "refused"}, {"message", message}});
}

}  // namespace

void FileCommits::start() {
    m_child = m_make_child();
    m_child->channel.send({{"type", "start"},
                           {"form", k_file_process_form},
                           {"repository", m_request.repository.string()},
                           {"backupFolder", m_request.backup_folder.string()},
                           {"writePaths", m_request.write_paths},
                           {"protectedPaths", m_request.protected_paths},
                           {"sandbox", m_request.sandbox}});
}

void FileCommits::begin(Frame& frame) {
    if (m_under_way) throw ProtocolError("a commit was asked for while another was under way");
    if (!m_child) start();
    const UniqueFd content = take_descriptor(frame, "changesDescriptor");
    Json message = {{"type", "commit"},
                    {"step", text_at(frame.message, "step")},
                    {"rendered", texts_at(frame.message, "rendered")}};
    std::vector<int> descriptors;
    if (content) {
        message["changesDescriptor"] = 0;
        descriptors.push_back(content.get());
    }
    m_child->channel.send(message, descriptors);  // when it is gone, its end is told
    m_under_way = true;
}

std::optional<Json> FileCommits::receive() {
    std::optional<Json> answer;
    const bool open = m_child->channel.receive(false);
    Frame frame;
    while (m_child->channel.next(frame)) serve(frame, answer);
    if (!open) m_child->channel.close();
    return answer;
}

void FileCommits::serve(Frame& frame, std::optional<Json>& answer) {
    if (frame.type() == "files") {
        m_events.record_files(text_at(frame.message, "step"), changes_at(frame.message));
        m_child->channel.send({{"type", "ok"}});
        return;
    }
    m_under_way = false;
    const bool done = frame.type() == "committed";  // else it was refused, or could not begin
    answer = done ? Json::object({{"type", "ok"}}) : refused(text_at(frame.message, "message"));
}

void FileCommits::kill() {
    if (m_child) m_zygote.signal(m_child->id, SIGKILL);
}

std::optional<Json> FileCommits::ended() {
    m_child.reset();
    if (!m_under_way) return std::nullopt;
    m_under_way = false;
    return refused("the process that changes files has died");
}

void FileCommits::close() {
    if (m_child) m_child->channel.close();
}

}  // namespace runner

// SPDX-License-Identifier: Apache-2.0
#include "host/file_commits.hpp"

#include <signal.h>

#include "host/file_process.hpp"
#include "host/message.hpp"
#include "model/error.hpp"
#include "upgrade/abi.h"

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
                           {"commitsBefore", m_count},
                           {"writePaths", m_request.write_paths},
                           {"protectedPaths", m_request.protected_paths},
                           {"sandbox", m_request.sandbox}});
}

void FileCommits::begin(const Frame& frame) {
    if (!m_child) start();
    // When it is gone, its end is told.
    m_child->channel.send(frame.message, descriptors_of(frame.descriptors));
    m_under_way = true;
    ++m_count;
}

std::optional<Json> FileCommits::receive() {
    std::optional<Json> answer;
    try {
        const bool open = m_child->channel.receive(false);
        Frame frame;
        while (m_child->channel.next(frame)) serve(frame, answer);
        if (!open) m_child->channel.close();
    } catch (...) {
        m_child->channel.close();
        throw;
    }
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
    for (const std::string& what : texts_at(frame.message, "notKept"))
        m_events.on_log(UPGRADE_LOG_WARNING, "not kept: " + what);
    answer = done ? Json::object({{"type", "ok"}}) : refused(text_at(frame.message, "message"));
}

void FileCommits::kill() {
    if (m_child) m_zygote.signal(m_child->id, SIGKILL);
}

std::optional<Json> FileCommits::ended(const ChildEvent& event) {
    m_child.reset();
    if (!m_under_way) return std::nullopt;
    m_under_way = false;
    if (event.kind == ChildEvent::Kind::failed)
        return refused(
            system_error("the process that changes files cannot be made", event.wait_status)
                .what());
    return refused("the process that changes files has died");
}

void FileCommits::close() {
    if (m_child) m_child->channel.close();
}

}  // namespace runner

// SPDX-License-Identifier: Apache-2.0
#include "host/plugin_output.hpp"

#include <optional>
#include <utility>

#include "host/frame.hpp"
#include "host/message.hpp"
#include "model/error.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

/// What was printed, as a message; nothing when it is none.
std::optional<Json> message_in(const std::string& text) {
    try {
        Json message = parse_json(text, "a message");
        if (message.is_object()) return message;
    } catch (const Error&) {  // an upgrade may print the separator, too
    }
    return std::nullopt;
}

}  // namespace

void PluginOutput::take(std::string_view bytes) {
    while (!bytes.empty()) {
        if (m_in_message) {
            const std::size_t end = bytes.find('\n');
            m_message += bytes.substr(0, end);
            if (end == std::string_view::npos) return;
            bytes.remove_prefix(end + 1);
            m_in_message = false;
            show(std::exchange(m_message, {}));
        } else {
            const std::size_t begin = bytes.find(k_record_separator);
            if (begin != 0) m_events.on_output(bytes.substr(0, begin));
            if (begin == std::string_view::npos) return;
            bytes.remove_prefix(begin + 1);
            m_in_message = true;
        }
    }
}

/// Anything that is no message is shown as the output that it is.
void PluginOutput::show(const std::string& text) {
    const auto message = message_in(text);
    try {
        const std::string type = message ? text_at(*message, "type") : "";
        if (type == "log") {
            m_events.on_log(static_cast<std::int32_t>(number_at(*message, "level")),
                            text_at(*message, "text"));
        } else if (type == "progress") {
            m_events.on_progress(static_cast<std::uint64_t>(number_at(*message, "done")),
                                 static_cast<std::uint64_t>(number_at(*message, "total")),
                                 text_at(*message, "message"));
        } else if (type == "command") {
            m_events.on_command_shown(
                texts_at(*message, "arguments"),
                {text_at(*message, "input"),
                 static_cast<std::uint64_t>(number_at(*message, "inputBytes"))});
        } else if (type == "stepBegun") {
            m_events.on_step_begun(text_at(*message, "id"), text_at(*message, "description"));
        } else {
            m_events.on_output(text + '\n');
        }
    } catch (const ProtocolError&) {
        m_events.on_output(text + '\n');
    }
}

}  // namespace runner

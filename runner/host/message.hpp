// SPDX-License-Identifier: Apache-2.0
// Reading the messages of a plugin process, each of which is taken for hostile: wrong types throw
// ProtocolError. Texts come whole, as far as a frame and the limit of the output go: they are cut
// where they are shown, after secrets were masked in them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "host/frame.hpp"
#include "host/host.hpp"
#include "model/json.hpp"

namespace runner {

/// The most that is sent of a text that comes in a frame. More is read than is shown of any.
constexpr std::size_t k_max_text = 64U << 10U;
/// The same of what a command reads.
constexpr std::size_t k_max_told_input = 256U << 10U;

/// A text in a message, whatever bytes it has; the functions below read it.
Json told_text(std::string_view text);
Json told_texts(const std::vector<std::string>& texts);

/// Empty when it is not there.
std::string text_at(const Json& message, const char* key);
/// 0 when it is not there.
std::int64_t number_at(const Json& message, const char* key);
std::vector<std::string> texts_at(const Json& message, const char* key);
/// The state values of a message.
HostValues values_at(const Json& message);
/// The file changes of a message.
std::vector<HostFileChange> changes_at(const Json& message);

/// The command of a message, which is about to begin.
BegunCommand begun_command_at(const Json& message);
/// The same in a message.
Json to_json(const std::vector<upgrade::services::TextRanges>& learned);

/// The bounds of a list of shown changes, and of what was found: both sides keep to them.
constexpr std::size_t k_max_shown = 500'000;
constexpr std::size_t k_max_shown_bytes = 128U << 20U;

/// The list as it travels in a file in memory: too long for a message, one change on a line.
std::string encode_shown(const std::vector<ShownChange>& shown);
/// Reads what encode_shown wrote. Throws ProtocolError when the bytes are anything else.
std::vector<ShownChange> decode_shown(std::string_view bytes);
/// The same from the file.
std::vector<ShownChange> read_shown(int file);

/// What a simulation was made from, as it travels in a file in memory.
std::string encode_found(const FoundInRepository& found);
/// Reads what encode_found wrote. Throws ProtocolError when the bytes are anything else.
FoundInRepository decode_found(std::string_view bytes);
/// The same from the file.
FoundInRepository read_found(int file);
/// The digest by which a list of paths is known.
Digest digest_of_list(const std::vector<std::string>& paths);

/// The most that is told of one argument of a command that is too long for a message.
constexpr std::size_t k_told_argument = 4096;
/// A command as it is told: when it is too long for a message, its beginning and a digest of all of
/// it.
std::vector<std::string> told_command(std::vector<std::string> arguments);

/// What is too long for a message goes beside it: puts `bytes` into a file in memory, which joins
/// `files`, and its place among them under `key`. Does nothing with no bytes.
void attach(Json& message, std::vector<UniqueFd>& files, const char* key, const std::string& bytes);
std::vector<int> descriptors_of(const std::vector<UniqueFd>& files);

/// The descriptor that the message brings under this key; an empty one when it brings none.
UniqueFd take_descriptor(Frame& frame, const char* key);

}  // namespace runner

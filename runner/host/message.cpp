// SPDX-License-Identifier: Apache-2.0
#include "host/message.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "model/error.hpp"
#include "model/harmless.hpp"
#include "services/files.hpp"
#include "support/memory_file.hpp"
#include "support/read.hpp"
#include "support/sha256.hpp"

namespace runner {
namespace {

constexpr std::size_t k_max_shown_line = 64U << 10U;

/// A line of three texts, the first or second of which is a path, and what is left of the text.
using Line = std::array<std::string, 3>;

Line texts_of(std::string_view line) {
    try {
        const Json item = parse_json(line, "a line of a list");
        Line texts;
        bool good = item.is_array() && item.size() == texts.size();
        for (std::size_t i = 0; good && i < texts.size(); ++i) {
            good = item[i].is_string();
            if (good) texts[i] = item[i].get<std::string>();
        }
        if (!good) throw ProtocolError("a line of a list is malformed");
        return texts;
    } catch (const Error& error) {
        throw ProtocolError(error.what());
    }
}

void check_told_path(const std::string& path) {
    try {
        upgrade::services::check_path(path);
    } catch (const upgrade::services::Refusal& refusal) {
        throw ProtocolError(refusal.what());
    }
}

/// Nothing where there is no text.
std::optional<Digest> digest_in(const std::string& text) {
    auto digest = text.empty() ? std::nullopt : Digest::parse(text);
    if (digest.has_value() == text.empty())
        throw ProtocolError("a line of a list has something else than a digest");
    return digest;
}

/// Takes the lines of a list one by one.
template <typename Take>
void for_each_line(std::string_view bytes, const Take& take) {
    for (std::size_t count = 0; !bytes.empty(); ++count) {
        const std::size_t end = bytes.find('\n');
        if (end == std::string_view::npos || end > k_max_shown_line)
            throw ProtocolError("a line of a list is cut short, or too long");
        if (count == k_max_shown) throw ProtocolError("it shows too many changes or files");
        take(texts_of(bytes.substr(0, end)));
        bytes.remove_prefix(end + 1);
    }
}

std::string list_in(int file) {
    try {
        return read_all(file, k_max_shown_bytes, "a list of what was shown");
    } catch (const Error& error) {
        throw ProtocolError(error.what());
    }
}

using upgrade::services::PathKind;

/// In the order of PathKind, and a list at the end.
constexpr std::array<const char*, 6> k_found_words{"none", "file",  "folder",
                                                   "link", "other", "list"};
constexpr std::size_t k_list_word = 5;

std::size_t found_word(const std::string& word) {
    const auto* const found = std::find(k_found_words.begin(), k_found_words.end(), word);
    if (found == k_found_words.end()) throw ProtocolError("it has found something unheard of");
    return static_cast<std::size_t>(found - k_found_words.begin());
}

/// What is told of a text that is no UTF-8, which JSON has to be: a character for each byte.
constexpr const char* k_bytes = "bytes";

/// Nothing when it is no text.
std::optional<std::string> text_in(const Json& value) {
    if (value.is_string()) return value.get<std::string>();
    const auto found = value.is_object() ? value.find(k_bytes) : value.end();
    if (found == value.end() || !found->is_string()) return std::nullopt;
    const auto characters = found->get<std::string>();
    std::string text;
    for (std::string_view rest = characters; !rest.empty();) {
        const Character character = first_character(rest);
        if (!character.valid || character.code_point > 0xFF) return std::nullopt;
        text += static_cast<char>(character.code_point);
        rest.remove_prefix(character.length);
    }
    return text;
}

}  // namespace

Json told_text(std::string_view text) {
    bool valid = true;
    for (std::string_view rest = text; valid && !rest.empty();) {
        const Character character = first_character(rest);
        valid = character.valid;
        rest.remove_prefix(character.length);
    }
    if (valid) return std::string(text);
    std::string bytes;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x80) bytes += static_cast<char>(0xC0U | byte >> 6U);
        bytes += byte < 0x80 ? c : static_cast<char>(0x80U | (byte & 0x3FU));
    }
    return {{k_bytes, bytes}};
}

Json told_texts(const std::vector<std::string>& texts) {
    Json list = Json::array();
    for (const std::string& text : texts) list.push_back(told_text(text));
    return list;
}

std::string text_at(const Json& message, const char* key) {
    const auto found = message.find(key);
    if (found == message.end()) return {};
    auto text = text_in(*found);
    if (!text) throw ProtocolError(std::string("'") + key + "' of a message is no text");
    return std::move(*text);
}

std::int64_t number_at(const Json& message, const char* key) {
    const auto found = message.find(key);
    if (found == message.end()) return 0;
    if (!found->is_number_integer())
        throw ProtocolError(std::string("'") + key + "' of a message is no number");
    return found->get<std::int64_t>();
}

std::vector<std::string> texts_at(const Json& message, const char* key) {
    std::vector<std::string> texts;
    const auto found = message.find(key);
    if (found == message.end()) return texts;
    if (!found->is_array())
        throw ProtocolError(std::string("'") + key + "' of a message is no list");
    for (const Json& item : *found) {
        auto text = text_in(item);
        if (!text)
            throw ProtocolError(std::string("'") + key +
                                "' of a message holds something else than texts");
        texts.push_back(std::move(*text));
    }
    return texts;
}

HostValues values_at(const Json& message) {
    HostValues values;
    const auto found = message.find("values");
    if (found == message.end()) return values;
    for (const Json& item : *found) {
        if (!item.is_array() || item.size() != 3 || !item[0].is_number_integer() ||
            !item[1].is_string() || !item[2].is_string()) {
            throw ProtocolError("a state value of a message is malformed");
        }
        values[{item[0].get<std::int32_t>(), item[1].get<std::string>()}] =
            item[2].get<std::string>();
    }
    return values;
}

std::vector<HostFileChange> changes_at(const Json& message) {
    std::vector<HostFileChange> changes;
    const auto found = message.find("changes");
    if (found == message.end() || !found->is_array())
        throw ProtocolError("'changes' of a message is no list");
    for (const Json& item : *found) {
        bool well_formed = item.is_array() && item.size() == 7 && item[4].is_boolean() &&
                           (item[5].is_null() || item[5].is_number_unsigned()) &&
                           item[6].is_number_unsigned();
        for (std::size_t i = 0; well_formed && i < 4; ++i) well_formed = item[i].is_string();
        if (!well_formed) throw ProtocolError("a file change of a message is malformed");
        HostFileChange change;
        change.path = item[0].get<std::string>();
        change.temporary = item[1].get<std::string>();
        change.backup = item[2].get<std::string>();
        change.digest = item[3].get<std::string>();
        change.rendered = item[4].get<bool>();
        if (!item[5].is_null()) change.mode = item[5].get<unsigned>();
        change.made_folders = item[6].get<std::size_t>();
        changes.push_back(std::move(change));
    }
    return changes;
}

std::string encode_shown(const std::vector<ShownChange>& shown) {
    std::string bytes;
    for (const ShownChange& change : shown) {
        const std::string digest = change.digest ? change.digest->to_string() : "";
        bytes += dump_json(Json::array({change.step, change.path, digest})) + '\n';
    }
    return bytes;
}

std::vector<ShownChange> decode_shown(std::string_view bytes) {
    std::vector<ShownChange> shown;
    for_each_line(bytes, [&](const Line& line) {
        check_told_path(line[1]);
        shown.push_back({line[0], line[1], digest_in(line[2])});
    });
    return shown;
}

std::vector<ShownChange> read_shown(int file) {
    return decode_shown(list_in(file));
}

std::string encode_found(const FoundInRepository& found) {
    std::string bytes;
    const auto add = [&](std::size_t word, const std::string& name,
                         const std::optional<Digest>& digest) {
        bytes += dump_json(Json::array(
                     {k_found_words.at(word), name, digest ? digest->to_string() : ""})) +
                 '\n';
    };
    for (const auto& [path, file] : found.files)
        add(static_cast<std::size_t>(file.kind), path, file.digest);
    for (const auto& [pattern, digest] : found.lists) add(k_list_word, pattern, digest);
    return bytes;
}

FoundInRepository decode_found(std::string_view bytes) {
    FoundInRepository found;
    for_each_line(bytes, [&](const Line& line) {
        const std::size_t word = found_word(line[0]);
        const auto digest = digest_in(line[2]);
        check_told_path(line[1]);
        const bool is_list = word == k_list_word;
        const bool is_file = !is_list && static_cast<PathKind>(word) == PathKind::file;
        if (is_list != digest.has_value() && !is_file)
            throw ProtocolError("what it has found has a digest too many, or none");
        if (is_list) {
            found.lists[line[1]] = *digest;
        } else {
            found.files[line[1]] = {static_cast<PathKind>(word), digest};
        }
    });
    return found;
}

FoundInRepository read_found(int file) {
    return decode_found(list_in(file));
}

Digest digest_of_list(const std::vector<std::string>& paths) {
    std::string bytes;
    for (const std::string& path : paths) bytes += path + '\n';
    return sha256(bytes);
}

BegunCommand begun_command_at(const Json& message) {
    BegunCommand command{texts_at(message, "arguments"), {}};
    const auto learned = message.find("learned");
    if (command.arguments.empty()) throw ProtocolError("a command of a message has no program");
    command.learned.resize(command.arguments.size());
    if (learned == message.end()) return command;
    if (!learned->is_array() || learned->size() != command.arguments.size())
        throw ProtocolError("'learned' of a message does not fit its command");
    for (std::size_t i = 0; i < learned->size(); ++i) {
        std::size_t last = 0;
        for (const Json& range : (*learned)[i]) {
            const bool good = range.is_array() && range.size() == 2 &&
                              range[0].is_number_unsigned() && range[1].is_number_unsigned();
            if (!good) throw ProtocolError("a range of a message is malformed");
            const auto begin = range[0].get<std::size_t>();
            const auto end = range[1].get<std::size_t>();
            if (begin < last || end <= begin || end > command.arguments[i].size())
                throw ProtocolError("a range of a message does not fit its argument");
            command.learned[i].emplace_back(begin, end);
            last = end;
        }
    }
    return command;
}

Json to_json(const std::vector<upgrade::services::TextRanges>& learned) {
    Json list = Json::array();
    for (const upgrade::services::TextRanges& ranges : learned) {
        list.push_back(Json::array());
        for (const auto& [begin, end] : ranges) list.back().push_back(Json::array({begin, end}));
    }
    return list;
}

std::vector<std::string> told_command(std::vector<std::string> arguments) {
    constexpr std::size_t k_told_arguments = 32;
    if (dump_json(told_texts(arguments)).size() <= k_max_frame / 2) return arguments;
    std::string all;
    for (const std::string& argument : arguments) all += argument + '\0';
    if (arguments.size() > k_told_arguments) arguments.resize(k_told_arguments);
    for (std::string& argument : arguments)
        argument.resize(std::min(argument.size(), k_told_argument));
    arguments.push_back("[cut: sha256 " + sha256(all).to_string() + "]");
    return arguments;
}

void attach(Json& message, std::vector<UniqueFd>& files, const char* key,
            const std::string& bytes) {
    if (bytes.empty()) return;
    message[key] = files.size();
    files.push_back(make_memory_file(key));
    write_all(files.back().get(), bytes, key);
}

std::vector<int> descriptors_of(const std::vector<UniqueFd>& files) {
    std::vector<int> descriptors;
    for (const UniqueFd& file : files) descriptors.push_back(file.get());
    return descriptors;
}

UniqueFd take_descriptor(Frame& frame, const char* key) {
    if (!frame.message.contains(key)) return {};
    const std::int64_t number = number_at(frame.message, key);
    if (number < 0 || static_cast<std::size_t>(number) >= frame.descriptors.size())
        throw ProtocolError("a message names a descriptor that it does not bring");
    return std::move(frame.descriptors[static_cast<std::size_t>(number)]);
}

}  // namespace runner

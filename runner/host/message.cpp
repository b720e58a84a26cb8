// SPDX-License-Identifier: Apache-2.0
#include "host/message.hpp"

#include <utility>

#include "model/error.hpp"
#include "services/files.hpp"
#include "support/memory_file.hpp"

namespace runner {
namespace {

constexpr std::size_t k_max_text = 64U << 10U;
constexpr std::size_t k_max_shown_line = 64U << 10U;

ShownChange shown_from(std::string_view line) {
    try {
        const Json item = parse_json(line, "a shown change");
        bool texts = item.is_array() && item.size() == 3;
        for (std::size_t i = 0; texts && i < item.size(); ++i) texts = item[i].is_string();
        if (!texts) throw ProtocolError("a shown change is malformed");
        ShownChange change{item[0].get<std::string>(), item[1].get<std::string>(), std::nullopt};
        upgrade::services::check_path(change.path);
        const auto digest = item[2].get<std::string>();
        if (!digest.empty()) change.digest = Digest::parse(digest);
        if (change.digest.has_value() == digest.empty())
            throw ProtocolError("a shown change has something else than a digest");
        return change;
    } catch (const Error& error) {
        throw ProtocolError(error.what());
    } catch (const upgrade::services::Refusal& refusal) {
        throw ProtocolError(refusal.what());
    }
}

}  // namespace

std::string text_at(const Json& message, const char* key) {
    const auto found = message.find(key);
    if (found == message.end()) return {};
    if (!found->is_string())
        throw ProtocolError(std::string("'") + key + "' of a message is no text");
    return found->get<std::string>().substr(0, k_max_text);
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
        if (!item.is_string())
            throw ProtocolError(std::string("'") + key +
                                "' of a message holds something else than texts");
        texts.push_back(item.get<std::string>());
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
        bool well_formed = item.is_array() && item.size() == 5 && item[4].is_boolean();
        for (std::size_t i = 0; well_formed && i < 4; ++i) well_formed = item[i].is_string();
        if (!well_formed) throw ProtocolError("a file change of a message is malformed");
        changes.push_back({item[0].get<std::string>(), item[1].get<std::string>(),
                           item[2].get<std::string>(), item[3].get<std::string>(),
                           item[4].get<bool>()});
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
    while (!bytes.empty()) {
        const std::size_t end = bytes.find('\n');
        if (end == std::string_view::npos || end > k_max_shown_line)
            throw ProtocolError("a shown change is cut short, or too long");
        if (shown.size() == k_max_shown) throw ProtocolError("it shows too many changes");
        shown.push_back(shown_from(bytes.substr(0, end)));
        bytes.remove_prefix(end + 1);
    }
    return shown;
}

std::vector<ShownChange> read_shown(int file) {
    std::string bytes;
    try {
        bytes = read_all(file, k_max_shown_bytes, "the list of shown changes");
    } catch (const Error& error) {
        throw ProtocolError(error.what());
    }
    return decode_shown(bytes);
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

// SPDX-License-Identifier: Apache-2.0
#include "host/message.hpp"

#include "host/frame.hpp"

namespace runner {
namespace {

constexpr std::size_t k_max_text = 64U << 10U;

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
        bool texts = item.is_array() && item.size() == 4;
        for (std::size_t i = 0; texts && i < item.size(); ++i) texts = item[i].is_string();
        if (!texts) throw ProtocolError("a file change of a message is malformed");
        changes.push_back({item[0].get<std::string>(), item[1].get<std::string>(),
                           item[2].get<std::string>(), item[3].get<std::string>()});
    }
    return changes;
}

}  // namespace runner

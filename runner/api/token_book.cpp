// SPDX-License-Identifier: Apache-2.0
#include "api/token_book.hpp"

namespace runner {

TokenBook::TokenBook(std::filesystem::path file, const Clock& clock)
    : m_file(std::move(file)), m_clock(clock) {}

void TokenBook::refresh() {
    const FileStamp stamp(m_file);
    if (stamp.proves_same(m_stamp)) return;
    m_stamp.reset();
    m_tokens.clear();
    m_tokens = read_tokens(m_file);
    m_stamp = stamp;
}

std::optional<Token> TokenBook::find(std::string_view presented) {
    const std::lock_guard lock(m_mutex);
    refresh();
    return find_token(m_tokens, presented, m_clock.wall());
}

std::size_t TokenBook::count() {
    const std::lock_guard lock(m_mutex);
    refresh();
    return m_tokens.size();
}

}  // namespace runner

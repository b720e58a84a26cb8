// SPDX-License-Identifier: Apache-2.0
#include "api/token_book.hpp"

namespace runner {
namespace {

constexpr auto k_racy = std::chrono::milliseconds(100);

}  // namespace

TokenBook::TokenBook(std::filesystem::path file, const Clock& clock)
    : m_file(std::move(file)), m_clock(clock) {}

void TokenBook::refresh() {
    std::error_code none;
    const std::pair stamp{std::filesystem::last_write_time(m_file, none),
                          std::filesystem::file_size(m_file, none)};
    if (m_stamp == stamp) return;
    m_stamp.reset();
    m_tokens.clear();
    m_tokens = read_tokens(m_file);
    // What was written this shortly ago may be written again without a difference in its time.
    if (std::filesystem::file_time_type::clock::now() - stamp.first >= k_racy) m_stamp = stamp;
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

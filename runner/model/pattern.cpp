// SPDX-License-Identifier: Apache-2.0
#include "model/pattern.hpp"

#include <re2/re2.h>

#include "model/error.hpp"

namespace runner {
namespace {

constexpr std::size_t k_max_quoted = 200;  ///< bytes of a pattern in a message

re2::StringPiece piece(std::string_view text) {
    return {text.data(), text.size()};
}

}  // namespace

Pattern::Pattern(std::string_view pattern) {
    re2::RE2::Options options;
    options.set_log_errors(false);
    m_compiled = std::make_unique<re2::RE2>(piece(pattern), options);
    if (m_compiled->ok()) return;
    throw Error(Failure::preparation, "'" + std::string(pattern.substr(0, k_max_quoted)) +
                                          "' is no regular expression in the syntax of RE2: " +
                                          m_compiled->error().substr(0, k_max_quoted));
}

Pattern::~Pattern() = default;
Pattern::Pattern(Pattern&& other) noexcept = default;

bool Pattern::matches(std::string_view text) const {
    return re2::RE2::FullMatch(piece(text), *m_compiled);
}

}  // namespace runner

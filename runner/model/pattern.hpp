// SPDX-License-Identifier: Apache-2.0
// Regular expressions: the only place that knows the library
// (docs/adr/0010-regular-expressions.md).
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace re2 {
class RE2;
}

namespace runner {

/// A regular expression in the syntax of RE2 (https://github.com/google/re2/wiki/Syntax), over
/// UTF-8. Matching takes time in proportion to the text, and a fixed amount of stack and memory,
/// whatever the pattern and the text are. Can be used by several threads.
class Pattern {
 public:
    /// Throws Error{preparation} that quotes `pattern` and says what RE2 does not take in it.
    explicit Pattern(std::string_view pattern);
    ~Pattern();
    Pattern(Pattern&& other) noexcept;
    Pattern(const Pattern&) = delete;
    Pattern& operator=(const Pattern&) = delete;
    Pattern& operator=(Pattern&&) = delete;

    /// Whether the whole of `text` matches. Bytes that are no UTF-8 are matched
    /// by `\C` alone.
    [[nodiscard]] bool matches(std::string_view text) const;

 private:
    std::unique_ptr<re2::RE2> m_compiled;
};

}  // namespace runner

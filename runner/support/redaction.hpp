// SPDX-License-Identifier: Apache-2.0
// Secrets kept out of everything that is shown or stored: as they are, in base64, in URLs and in
// JSON, also when they are broken over lines.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace runner {

class Redactor {
 public:
    /// A shorter secret would be found by chance in ordinary text.
    static constexpr std::size_t k_min_secret = 4;

    /// Throws Error{usage} when it is too short; the message does not hold it.
    void add(std::string_view secret);
    [[nodiscard]] bool empty() const { return m_forms.empty(); }
    /// The text with three asterisks for each secret in it.
    [[nodiscard]] std::string mask(std::string_view text) const;
    [[nodiscard]] bool finds_in(std::string_view text) const;
    /// Whether a secret may begin at the end of the text and go on in the next line.
    [[nodiscard]] bool may_go_on(std::string_view text) const;

 private:
    void add_form(std::string form);

    std::vector<std::string> m_forms;
};

/// Masks a stream of lines; holds lines back while a secret may go on in the next one.
class LineRedactor {
 public:
    /// A line and its log level.
    using Line = std::pair<std::int32_t, std::string>;

    explicit LineRedactor(const Redactor& redactor) : m_redactor(redactor) {}
    /// The lines that can be shown by now.
    std::vector<Line> push(std::int32_t level, const std::string& line);
    /// All that was held back.
    std::vector<Line> flush();

 private:
    const Redactor& m_redactor;
    std::vector<Line> m_held;
};

}  // namespace runner

// SPDX-License-Identifier: Apache-2.0
// Secrets kept out of everything that is shown or stored. What is looked at is taken out of its
// encodings first (support/decoding.hpp), several deep; blanks and line breaks are not looked at.
#pragma once

#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/json.hpp"

namespace runner {

/// Whether a text goes on after what is there of it.
enum class TextEnd {
    whole,
    cut,  ///< what may be the beginning of a secret at its end is masked, too
};

/// What is hidden of a text, and where a secret may begin that goes on after it.
struct Hidden {
    std::vector<bool> bytes;        ///< of the text
    std::size_t beginning = 0;      ///< of the first secret that may go on, by four bytes or more
    std::size_t any_beginning = 0;  ///< by one byte or more
};

class Redactor {
 public:
    /// A shorter secret would be found by chance in ordinary text. Blanks do not count.
    static constexpr std::size_t k_min_secret = 4;

    Redactor() = default;
    Redactor(Redactor&&) = default;
    Redactor& operator=(Redactor&&) = default;
    Redactor(const Redactor&) = delete;
    Redactor& operator=(const Redactor&) = delete;
    /// What was added is wiped.
    ~Redactor();

    /// From now on `secret` is masked, and each of its lines of k_min_secret bytes or more by
    /// itself; and each 32 bytes of a longer one. Throws Error{usage} when it is too short; the
    /// message names `name` and does not hold the secret.
    void add(const std::string& name, std::string_view secret);
    /// The same; one that is too short is left alone, and shown.
    void add_if_long_enough(std::string_view secret);
    [[nodiscard]] bool empty() const { return m_patterns.empty(); }
    /// The text with three asterisks for each secret in it. Line breaks stay.
    [[nodiscard]] std::string mask(std::string_view text, TextEnd end = TextEnd::whole) const;
    /// The document with the texts in it masked, the names of its fields as they are.
    [[nodiscard]] Json mask_texts(Json document) const;
    [[nodiscard]] bool finds_in(std::string_view text) const;
    /// What mask hides. Takes time in proportion to the text.
    [[nodiscard]] Hidden look(std::string_view text) const;

 private:
    friend class SecretSearch;

    void add_text(std::string_view secret);
    void add_pattern(std::string_view pattern);
    void prepare();
    /// The length of the longest pattern with which `text` begins; 0: none.
    [[nodiscard]] std::size_t match(std::string_view text) const;
    /// Whether `text` is the beginning of a pattern, and shorter.
    [[nodiscard]] bool is_beginning(std::string_view text) const;

    std::vector<std::string> m_patterns;  ///< without blanks, in order
    std::vector<int> m_shorter;  ///< the longest other pattern with which each begins; -1: none
    std::bitset<1U << 16U> m_beginnings;  ///< hashes of the first four bytes
};

/// Masks a stream of lines; holds lines back while a secret may go on in the next one, up to a
/// limit: what may be a secret is masked then.
class LineRedactor {
 public:
    /// A line and its log level.
    using Line = std::pair<std::int32_t, std::string>;

    explicit LineRedactor(const Redactor& redactor) : m_redactor(redactor) {}
    /// The lines that can be shown by now.
    std::vector<Line> push(std::int32_t level, const std::string& line);
    /// All that was held back; what may be the beginning of a secret is masked in it.
    std::vector<Line> flush();

 private:
    struct Held {
        std::int32_t level = 0;
        std::size_t begin = 0;  ///< in the window
        std::size_t end = 0;    ///< its line break
    };

    /// The lines that end before `place`; they are held no longer.
    std::vector<Line> take_until(std::size_t place);
    void forget_what_is_settled();

    const Redactor& m_redactor;
    std::string m_window;        ///< what is held, after what was shown of a secret that may go on
    std::vector<bool> m_hidden;  ///< of the window
    std::vector<Held> m_held;
    std::size_t m_looked_until = 0;  ///< what stands before in the window needs no other look
    std::size_t m_beginning = 0;     ///< of a secret that may go on after the window
};

}  // namespace runner

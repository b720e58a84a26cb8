// SPDX-License-Identifier: Apache-2.0
#include "support/terminal.hpp"

#include <fcntl.h>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "support/hidden_echo.hpp"
#include "support/output.hpp"
#include "support/unique_fd.hpp"

namespace runner {

OutputStyle OutputStyle::of(int descriptor) {
    OutputStyle style;
    style.terminal = ::isatty(descriptor) == 1;
    const char* no_color = std::getenv("NO_COLOR");
    const char* term = std::getenv("TERM");
    const bool dumb = term != nullptr && std::string_view(term) == "dumb";
    style.colour = style.terminal && !dumb && (no_color == nullptr || *no_color == '\0');
    return style;
}

void forget_what_was_typed() {
    ::tcflush(STDIN_FILENO, TCIFLUSH);
}

bool means_yes(const std::optional<std::string>& answer) {
    return answer && (*answer == "y" || *answer == "Y" || *answer == "yes");
}

namespace {

/// Where questions are shown: standard output, or, where that leads elsewhere, the terminal of this
/// process.
class Question {
 public:
    Question() {
        if (::isatty(STDOUT_FILENO) == 1) return;
        m_terminal.reset(::open("/dev/tty", O_WRONLY | O_NOCTTY | O_CLOEXEC));
        m_shown = m_terminal.get();
    }
    [[nodiscard]] bool can_be_shown() const { return m_shown >= 0; }
    void show(std::string_view text) const { (void)!::write(m_shown, text.data(), text.size()); }
    [[nodiscard]] std::size_t width() const { return width_of_terminal(m_shown); }

 private:
    UniqueFd m_terminal;
    int m_shown = STDOUT_FILENO;
};

}  // namespace

bool ProcessTerminal::interactive() const {
    return m_allowed && ::isatty(STDIN_FILENO) == 1 && Question().can_be_shown();
}

std::optional<std::string> ProcessTerminal::ask(const std::string& prompt) {
    return ask(prompt, nullptr);
}

std::optional<std::string> ProcessTerminal::ask(const std::string& prompt,
                                                const HiddenEcho* hidden) {
    const Question question;
    clear_progress();
    std::fflush(stdout);
    std::string text;
    for (const std::string& row : rows_of(harmless(masked_for_output(prompt)), question.width()))
        text += (text.empty() ? "" : "\n") + row;
    forget_what_was_typed();
    question.show(text);
    std::string line;
    while (m_signals.count() == 0) {
        if (hidden != nullptr) hidden->hide();
        std::array<pollfd, 2> waits{
            {{STDIN_FILENO, POLLIN, 0}, {m_signals.descriptor(), POLLIN, 0}}};
        if (::poll(waits.data(), waits.size(), -1) < 0) continue;
        if (waits[0].revents == 0) continue;
        char c = 0;
        const ssize_t count = ::read(STDIN_FILENO, &c, 1);
        if (count < 0 && errno == EINTR) continue;  // such as a stop and its end, in background
        if (count <= 0) break;
        if (c == '\n') return line;
        line += c;
    }
    question.show("\n");
    return std::nullopt;
}

std::optional<std::string> ProcessTerminal::ask_secret(const std::string& prompt) {
    std::optional<std::string> answer;
    {
        const HiddenEcho hidden;
        answer = ask(prompt, &hidden);  // returns at a stop signal, too
    }
    if (answer) Question().show("\n");
    return answer;
}

}  // namespace runner

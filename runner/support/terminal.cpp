// SPDX-License-Identifier: Apache-2.0
#include "support/terminal.hpp"

#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string_view>

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

bool means_yes(const std::optional<std::string>& answer) {
    return answer && (*answer == "y" || *answer == "Y" || *answer == "yes");
}

bool ProcessTerminal::interactive() const {
    return m_allowed && ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1;
}

std::optional<std::string> ProcessTerminal::ask(const std::string& prompt) {
    std::fputs(prompt.c_str(), stdout);
    std::fflush(stdout);
    std::string line;
    while (m_signals.count() == 0) {
        std::array<pollfd, 2> waits{
            {{STDIN_FILENO, POLLIN, 0}, {m_signals.descriptor(), POLLIN, 0}}};
        if (::poll(waits.data(), waits.size(), -1) < 0) continue;
        if (waits[0].revents == 0) continue;
        char c = 0;
        const ssize_t count = ::read(STDIN_FILENO, &c, 1);
        if (count <= 0) break;
        if (c == '\n') return line;
        line += c;
    }
    std::fputs("\n", stdout);
    return std::nullopt;
}

std::optional<std::string> ProcessTerminal::ask_secret(const std::string& prompt) {
    termios shown{};
    const bool terminal = ::tcgetattr(STDIN_FILENO, &shown) == 0;
    if (terminal) {
        termios hidden = shown;
        hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    }
    auto answer = ask(prompt);  // returns at a signal too: the terminal is always restored
    if (terminal) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
    if (answer) std::fputs("\n", stdout);
    return answer;
}

}  // namespace runner

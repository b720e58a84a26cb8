// SPDX-License-Identifier: Apache-2.0
// The person at the other end: whether there is one, colour, questions.
#pragma once

#include <optional>
#include <string>

#include "support/stop_signals.hpp"

namespace runner {

class HiddenEcho;

class Terminal {
 public:
    virtual ~Terminal() = default;
    /// Whether questions can be asked and answered.
    [[nodiscard]] virtual bool interactive() const = 0;
    /// One line typed by the user after `prompt` was shown, without its newline; nothing at end of
    /// input or when a stop signal came first.
    virtual std::optional<std::string> ask(const std::string& prompt) = 0;
    /// The same without showing what is typed.
    virtual std::optional<std::string> ask_secret(const std::string& prompt) { return ask(prompt); }
};

/// What was typed at standard input until now is no answer to a question that comes now. Nothing
/// when it is no terminal: what a pipe holds was meant to be read.
void forget_what_was_typed();

/// Whether this answer to a question means yes: y, Y or yes; anything else, or none, is no.
bool means_yes(const std::optional<std::string>& answer);

/// What standard output or error can show.
struct OutputStyle {
    bool terminal = false;
    bool colour = false;

    /// For a descriptor: colour only on a terminal that is not `dumb`, and never with NO_COLOR set
    /// (no-color.org).
    static OutputStyle of(int descriptor);
};

/// The terminal at standard input. Questions are shown on it also when standard output leads
/// elsewhere (`runner upgrade | tee log`).
class ProcessTerminal final : public Terminal {
 public:
    /// `allowed` false: never interactive, whatever the descriptors are. `signals` must outlive
    /// this object.
    ProcessTerminal(bool allowed, const StopSignals& signals)
        : m_allowed(allowed), m_signals(signals) {}
    [[nodiscard]] bool interactive() const override;
    std::optional<std::string> ask(const std::string& prompt) override;
    std::optional<std::string> ask_secret(const std::string& prompt) override;

 private:
    std::optional<std::string> ask(const std::string& prompt, const HiddenEcho* hidden);

    bool m_allowed;
    const StopSignals& m_signals;
};

}  // namespace runner

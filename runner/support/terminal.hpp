// SPDX-License-Identifier: Apache-2.0
// The person at the other end: whether there is one, colour, questions.
#pragma once

#include <optional>
#include <string>

#include "support/stop_signals.hpp"

namespace runner {

class Terminal {
 public:
    virtual ~Terminal() = default;
    /// Whether questions can be asked and answered.
    [[nodiscard]] virtual bool interactive() const = 0;
    /// One line typed by the user after `prompt`, without its newline; nothing at end of input or
    /// when a stop signal came first.
    virtual std::optional<std::string> ask(const std::string& prompt) = 0;
    /// The same without showing what is typed.
    virtual std::optional<std::string> ask_secret(const std::string& prompt) { return ask(prompt); }
};

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

/// Standard input and output of the process.
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
    bool m_allowed;
    const StopSignals& m_signals;
};

}  // namespace runner

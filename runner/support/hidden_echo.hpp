// SPDX-License-Identifier: Apache-2.0
// A terminal that does not show what is typed, and shows it again whatever happens.
#pragma once

namespace runner {

/// While this lives, the terminal on standard input does not show what is typed. A signal that ends
/// or stops the process meanwhile first puts the terminal back; what goes on after a stop hides
/// again. Signals that have a handler, or are ignored, are left to that. One object at a time;
/// where standard input is no terminal it does nothing.
class HiddenEcho {
 public:
    HiddenEcho();
    ~HiddenEcho();
    HiddenEcho(const HiddenEcho&) = delete;
    HiddenEcho& operator=(const HiddenEcho&) = delete;

    /// To be called before each wait for input: what was continued in the background is stopped
    /// here, so that nothing is typed in sight once it is in the foreground.
    void hide() const;

 private:
    bool m_terminal = false;
};

}  // namespace runner

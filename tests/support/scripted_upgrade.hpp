// SPDX-License-Identifier: Apache-2.0
// Upgrades as data: what a phase of each would do, played by a host that starts no process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "host/host.hpp"
#include "model/manifest.hpp"

namespace test {

/// What upgrades change: the repository's files, and everything else.
struct Surroundings {
    std::map<std::string, std::string> files;
    std::map<std::string, std::string> outside;
    bool operator==(const Surroundings&) const = default;
};

/// A line that is added to the end of a file; or the file is removed.
struct FileEdit {
    std::string path;
    std::string line{};
    bool rendered = false;                 ///< the new bytes are the output of a RENDER command
    std::optional<std::string> really{};   ///< for real this line is added, not the one shown
    std::optional<std::string> instead{};  ///< for real this file is changed, not the one shown
    bool removes = false;
};

/// `set KEY VALUE`: changes something that is no file.
struct ScriptedCommand {
    std::string key;
    std::string value;
    std::optional<std::string> really{};  ///< for real it is set to this, and not to what is shown
    /// For real it is set to what this key is then: an earlier command has told it.
    std::optional<std::string> learned_from{};
    bool only_real = false;  ///< it is not shown
    [[nodiscard]] std::string text() const { return "set " + key + ' ' + value; }
};

/// Its commands run first, then its files are changed, as the SDK's services do it.
struct ScriptedStep {
    std::string id;  ///< empty: outside of steps
    std::vector<FileEdit> edits{};
    std::vector<ScriptedCommand> commands{};
    std::vector<ScriptedCommand> undo{};
    std::map<std::string, std::string> values{};  ///< state values of the upgrade
    std::string question{};
    std::vector<std::string> reads{};     ///< files that its work depends on
    std::vector<std::string> lists{};     ///< patterns of files that it depends on
    std::vector<std::string> asks_for{};  ///< paths of which it only asks what is there
};

/// What a phase sees: the files as they are for it, and the rest as it is.
struct SeenWorld {
    std::function<std::optional<std::string>(const std::string& path)> file;
    std::function<std::string(const std::string& key)> outside;
};

struct Judgement {
    runner::PhaseEnd end = runner::PhaseEnd::ok;
    std::string message{};
    std::string remedy{};
};
using Judge = std::function<Judgement(const SeenWorld&)>;

/// Always good.
Judge good();
/// Always this.
Judge bad(runner::PhaseEnd end, const std::string& message);
/// Good the first `times` times, then this.
Judge good_for(int times, runner::PhaseEnd end, const std::string& message);

/// Ends a phase at its nth action: begin, step, command, intent, file, end of a step.
struct PhaseFault {
    runner::HostPhase phase = runner::HostPhase::apply;
    std::size_t at = 0;
    runner::PhaseEnd end = runner::PhaseEnd::failed;
    int times = 1;
};

struct ScriptedUpgrade {
    std::string version;
    runner::Manifest manifest;
    runner::UpgradeForm form = runner::UpgradeForm::plugin;
    std::vector<ScriptedStep> steps;
    Judge preflight;  ///< empty: it has none
    Judge verify;     ///< empty: it has none
    std::vector<PhaseFault> faults;
    std::string content = "1";  ///< of its library: another content is another digest
    bool with_manifest = true;
    std::string prints;            ///< by each of its phases, a line
    std::uint32_t strays = 0;      ///< processes that each of its phases leaves behind
    bool strange_archive = false;  ///< its archive holds no upgrade

    [[nodiscard]] std::string tag() const;

    // For making them.
    /// With a manifest that allows everything that the steps do.
    static ScriptedUpgrade of(const std::string& version);
    /// Adds the upgrade's version as a line to this file, in a step of its own.
    ScriptedUpgrade& edits(const std::string& path);
    /// Sets this in a step of its own, and undoes it to `before`.
    ScriptedUpgrade& sets(const std::string& key, const std::string& value,
                          const std::string& before = "");
    ScriptedUpgrade& step(ScriptedStep step);
    ScriptedUpgrade& reversible();
    ScriptedUpgrade& executable();
    ScriptedUpgrade& fails(runner::HostPhase phase, std::size_t at,
                           runner::PhaseEnd end = runner::PhaseEnd::failed, int times = 1);
    /// Blocked until `key` is `value`.
    ScriptedUpgrade& needs(const std::string& key, const std::string& value);
};

}  // namespace test

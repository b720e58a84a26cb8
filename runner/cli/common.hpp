// SPDX-License-Identifier: Apache-2.0
// What several commands share: options, the parts of the engine, error output.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/cluster_config.hpp"
#include "engine/kinds/upgrade_kind.hpp"
#include "engine/parameters.hpp"
#include "model/error.hpp"
#include "model/json.hpp"
#include "model/secret.hpp"
#include "releases/source.hpp"
#include "support/clock.hpp"
#include "support/redaction.hpp"
#include "support/stop_signals.hpp"
#include "support/terminal.hpp"

namespace CLI {
class App;
}

namespace runner {

struct CommonOptions {
    std::string cluster;
    std::string output = "text";
    bool debug = false;
    [[nodiscard]] bool json() const { return output == "json"; }
};

/// Adds -c, --output and --debug.
void add_common_options(CLI::App& app, CommonOptions& options);
/// --events.
void add_events_option(CLI::App& app, std::string& file);
/// --run-id.
void add_run_id_option(CLI::App& app, std::string& id);
void add_cluster_option(CLI::App& app, CommonOptions& options);
void add_selection_options(CLI::App& app, Selection& selection);

struct OptionShape {
    std::vector<std::string> names;  ///< with their dashes; none: a positional argument
    std::string summary;
    bool takes_value = false;
    std::vector<std::string> values;  ///< all that it takes, where that is a list
};

/// What a command says of itself: for shell completion.
struct CommandShape {
    std::string name;
    std::string summary;
    std::vector<OptionShape> options;
    std::vector<CommandShape> subcommands;
};

/// As a command's only argument: it throws its CommandShape instead of working.
inline constexpr const char* k_describe_option = "--describe-options";

/// --env and --secret.
struct ParameterOptions {
    std::vector<std::string> values;
    std::vector<std::string> secrets;
    /// The values, secrets read from where they are. Throws Error{usage}.
    [[nodiscard]] GivenParameters read() const;
};
void add_parameter_options(CLI::App& app, ParameterOptions& options);

/// Parses; returns the exit code when the command is over already (help), else -1. Throws
/// Error{usage}.
int parse_arguments(CLI::App& app, int argc, char** argv);

/// -c, else $RUNNER_CLUSTER, else cluster.yaml.
std::string cluster_file(const std::string& named);

/// "K=V" into a map. Throws Error{usage} naming `option`.
std::map<std::string, std::string> parse_assignments(const std::vector<std::string>& texts,
                                                     const std::string& option);

/// A version given as an argument, in its usual form. Throws Error{usage}.
std::string parse_upgrade_argument(const std::string& text);

/// Changes the ledger by hand: with the lease held, so that no run is under way. `work` gets the
/// ledger and who changes it.
void write_ledger(const ClusterConfig& config, const Clock& clock,
                  const std::function<void(Ledger&, const std::string& actor)>& work);

/// Identity and original version, where the ledger is new.
void start_if_new(Ledger& ledger, const ClusterConfig& config);

/// "30s" of an option; none: nothing. Throws Error{usage}.
std::chrono::milliseconds parse_duration_option(const std::string& text, const std::string& option);

/// Goes on as the program that speaks HTTP. Throws Error{preparation} when it is not there.
[[noreturn]] void become_http_program(const std::vector<std::string>& arguments);

/// --tokens, else $RUNNER_TOKENS, else tokens.json.
std::string token_file(const std::string& named);

/// Message and next step on standard error.
void print_error(const Error& error);

/// One document on standard output.
void print_json(const Json& document);

/// The width of a column of upgrades' versions.
constexpr std::size_t k_version_width = 32;

/// `text` with spaces up to this width.
std::string padded(std::string text, std::size_t width);

/// Left-aligned columns, the first row being the heading.
void print_table(const std::vector<std::vector<std::string>>& rows);

/// Everything the engine works with, over the real outside world.
class Composition {
 public:
    /// `may_ask` false: it is never interactive. `yes`: no consent is asked for, so that nothing
    /// that is written into a pipe can be taken for the question.
    Composition(const CommonOptions& options, bool may_ask, bool yes = false);

    /// `reporter` hears what the engine tells; so does the file of `events`, unless that is empty.
    EngineParts parts(Reporter& reporter, const std::string& events = {});
    ClusterConfig config;
    ProcessStopSignals signals;
    SystemClock clock;
    ProcessTerminal terminal;

    ReleaseSource& source();

 private:
    void keep_secrets_of_config();

    std::shared_ptr<Redactor> m_redactor = std::make_shared<Redactor>();
    std::optional<Secret> m_token;  ///< of the releases
    std::unique_ptr<ReleaseSource> m_source;
    std::unique_ptr<Reporter> m_events;
    std::unique_ptr<LedgerStore> m_ledgers;
    DiskRunFolder m_folder;
    DiskWorkTree m_work_tree;
    SystemProcesses m_processes;
};

}  // namespace runner

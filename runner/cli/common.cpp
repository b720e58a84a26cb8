// SPDX-License-Identifier: Apache-2.0
#include "cli/common.hpp"

#include <unistd.h>
#include <CLI/CLI.hpp>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "cli/event_reporter.hpp"
#include "ledger/sqlite_ledger.hpp"
#include "releases/cache.hpp"
#include "releases/git_workspace.hpp"
#include "releases/open_source.hpp"
#include "support/log.hpp"
#include "support/output.hpp"
#include "support/secret_memory.hpp"
#include "support/text.hpp"

namespace runner {

void add_cluster_option(CLI::App& app, CommonOptions& options) {
    app.add_option("-c,--cluster", options.cluster,
                   "the cluster config (default: $RUNNER_CLUSTER, else cluster.yaml)");
}

void add_common_options(CLI::App& app, CommonOptions& options) {
    add_cluster_option(app, options);
    app.add_option("-o,--output", options.output, "text or json")
        ->check(CLI::IsMember({"text", "json"}));
    app.add_flag("--debug", options.debug, "more output");
}

void add_events_option(CLI::App& app, std::string& file) {
    app.add_option("--events", file, "append what happens to this file, as JSON lines");
}

void add_run_id_option(CLI::App& app, std::string& id) {
    app.add_option("--run-id", id,
                   "record the run under this id, up to 64 letters, digits and '-'; for programs "
                   "that start runs");
}

void add_selection_options(CLI::App& app, Selection& selection) {
    app.add_option("--to", selection.target,
                   "the target: latest, stable or a version (default: the config's)");
    app.add_option("--only", selection.only, "only these upgrades")->delimiter(',');
    app.add_option("--skip", selection.skip, "leave these out this time")->delimiter(',');
}

namespace {

CommandShape describe(const CLI::App& app) {
    CommandShape shape;
    shape.name = app.get_name();
    shape.summary = app.get_description();
    for (const CLI::Option* option : app.get_options({})) {
        OptionShape described;
        for (const std::string& name : option->get_snames()) described.names.push_back('-' + name);
        for (const std::string& name : option->get_lnames()) described.names.push_back("--" + name);
        described.summary = option->get_description();
        described.takes_value = option->get_items_expected_max() > 0;
        // A list of values stands in the type's name: TEXT:{text,json}.
        const std::string type = option->get_type_name();
        const std::size_t begin = type.find('{');
        if (begin != std::string::npos)
            described.values = split(type.substr(begin + 1, type.find('}') - begin - 1), ',');
        shape.options.push_back(std::move(described));
    }
    for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; }))
        shape.subcommands.push_back(describe(*sub));
    return shape;
}

}  // namespace

int parse_arguments(CLI::App& app, int argc, char** argv) {
    const std::string name = app.get_name();
    if (argc == 2 && std::string_view(argv[1]) == k_describe_option) throw describe(app);
    app.name("runner " + name);
    try {
        app.parse(argc, argv);
        return -1;
    } catch (const CLI::CallForHelp&) {
        print_document(app.help());
        return 0;
    } catch (const CLI::ParseError& error) {
        throw Error(Failure::usage, error.what(), "'runner " + name + " --help' shows the options");
    }
}

std::string cluster_file(const std::string& named) {
    if (!named.empty()) return named;
    const char* variable = std::getenv("RUNNER_CLUSTER");
    return variable != nullptr && *variable != '\0' ? variable : "cluster.yaml";
}

std::map<std::string, std::string> parse_assignments(const std::vector<std::string>& texts,
                                                     const std::string& option) {
    std::map<std::string, std::string> values;
    for (const std::string& text : texts) {
        const std::size_t equals = text.find('=');
        if (equals == 0 || equals == std::string::npos) {
            throw Error(Failure::usage, option + " '" + text + "': expected NAME=VALUE");
        }
        values[text.substr(0, equals)] = text.substr(equals + 1);
    }
    return values;
}

void add_parameter_options(CLI::App& app, ParameterOptions& options) {
    app.add_option("-e,--env", options.values, "a parameter's value, NAME=VALUE; may be repeated");
    app.add_option("--secret", options.secrets,
                   "where a secret parameter's value is: NAME=env:VARIABLE, NAME=file:PATH or "
                   "NAME=fd:NUMBER; may be repeated");
}

GivenParameters ParameterOptions::read() const {
    GivenParameters given;
    given.values = parse_assignments(values, "--env");
    for (const std::string& text : secrets) {
        // What stands there may be the secret itself: an error does not repeat it.
        const std::size_t equals = text.find('=');
        if (equals == 0 || equals == std::string::npos)
            throw Error(Failure::usage,
                        "--secret: expected NAME=env:VARIABLE, NAME=file:PATH or "
                        "NAME=fd:NUMBER");
        const std::string name = text.substr(0, equals);
        given.secrets[name] = read_secret(name, text.substr(equals + 1));
    }
    if (!given.secrets.empty()) keep_memory_to_itself();
    return given;
}

std::string parse_upgrade_argument(const std::string& text) {
    try {
        return UpgradeVersion::parse(text).to_string();
    } catch (const Error& error) {
        throw error.as(Failure::usage);
    }
}

void write_ledger(const ClusterConfig& config, const Clock& clock,
                  const std::function<void(Ledger&, const std::string& actor)>& work) {
    const auto ledger = open_ledger(config.state, clock);
    check_identity(config, ledger->facts());
    const LeaseInfo owner = make_lease_owner("state-" + make_run_id(clock));
    ledger->acquire_lease(owner);
    try {
        work(*ledger, owner.actor);
    } catch (...) {
        ledger->release_lease();
        throw;
    }
    ledger->release_lease();
}

void start_if_new(Ledger& ledger, const ClusterConfig& config) {
    start_if_new(ledger, ledger.facts(), config, config.original_version);
}

std::chrono::milliseconds parse_duration_option(const std::string& text,
                                                const std::string& option) {
    try {
        return text.empty() ? std::chrono::milliseconds(0) : parse_duration(text, option);
    } catch (const Error& error) {
        throw error.as(Failure::usage);
    }
}

void become_http_program(const std::vector<std::string>& arguments) {
    const std::filesystem::path own = std::filesystem::read_symlink("/proc/self/exe");
    const std::string program = (own.parent_path() / "runner-http").string();
    std::vector<char*> argv{const_cast<char*>(program.c_str())};
    for (const std::string& argument : arguments)
        argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    ::execv(program.c_str(), argv.data());
    throw system_error("cannot start " + program + ", which belongs beside runner", errno);
}

void print_error(const Error& error) {
    log_failure(error.what(), error.next());
}

void print_json(const Json& document) {
    print_json_document(document);
}

std::string padded(std::string text, std::size_t width) {
    text.resize(std::max(text.size(), width), ' ');
    return text;
}

void print_table(const std::vector<std::vector<std::string>>& rows) {
    std::vector<std::size_t> widths;
    for (const auto& row : rows) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    }
    for (const auto& row : rows) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i) {
            line += i + 1 < row.size() ? padded(row[i], widths[i] + 2) : row[i];
        }
        while (!line.empty() && line.back() == ' ') line.pop_back();
        print_line(line);
    }
}

Composition::Composition(const CommonOptions& options, bool may_ask, bool yes)
    : config(ClusterConfig::load(cluster_file(options.cluster))),
      terminal(may_ask, signals),
      m_ledgers(make_sqlite_store(config.state, clock)),
      m_folder(config.state, config.releases.prefix),
      m_work_tree(config.repository_directory, config.state,
                  {config.file, Cache::default_folder()}) {
    start_log(options.debug);
    if (!yes && terminal.interactive()) expect_pipes_to_a_terminal();
    keep_secrets_of_config();
    mask_output(m_redactor);
}

/// The variables that the config names are read once, and nobody else gets them.
void Composition::keep_secrets_of_config() {
    m_token = take_secret_variable(config.releases.token_variable);
    if (m_token) m_redactor->add("releases.tokenEnv", m_token->reveal());
    for (const WebhookConfig& webhook : config.webhooks) {
        if (const auto secret = take_secret_variable(webhook.secret_variable))
            m_redactor->add_if_long_enough(secret->reveal());
    }
    m_redactor->add_if_long_enough(GitRemote::parse(config.releases.url).password());
    if (!m_redactor->empty()) keep_memory_to_itself();
}

ReleaseSource& Composition::source() {
    if (!m_source) m_source = open_source(config, m_token, [this] { return signals.count() > 0; });
    return *m_source;
}

EngineParts Composition::parts(Reporter& reporter, const std::string& events) {
    if (!events.empty())
        m_events = std::make_unique<EventReporter>(events, reporter, *m_redactor, clock);
    return {config,
            source(),
            *m_ledgers,
            m_folder,
            m_work_tree,
            m_processes,
            m_events ? *m_events : reporter,
            terminal,
            signals,
            clock,
            *m_redactor};
}

}  // namespace runner

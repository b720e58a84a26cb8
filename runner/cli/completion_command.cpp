// SPDX-License-Identifier: Apache-2.0
// Scripts that complete commands, subcommands, options and their values in a shell, made from what
// the commands say of themselves.
#include <CLI/CLI.hpp>
#include <algorithm>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "support/output.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

std::vector<CommandShape> shapes() {
    std::vector<CommandShape> all;
    for (const Command& command : all_commands()) {
        std::string name(command.name);
        std::string describe = k_describe_option;
        char* argv[] = {name.data(), describe.data(), nullptr};
        try {
            command.run(2, argv);
        } catch (CommandShape& shape) {
            shape.name = name;
            shape.summary = command.summary;
            all.push_back(std::move(shape));
        }
    }
    return all;
}

/// A subcommand takes the options of its command, too.
CommandShape with_options_of(CommandShape sub, const CommandShape& command) {
    for (const OptionShape& option : command.options) {
        const bool known =
            std::any_of(sub.options.begin(), sub.options.end(),
                        [&](const OptionShape& own) { return own.names == option.names; });
        if (!known) sub.options.push_back(option);
    }
    return sub;
}

std::vector<std::string> names_of(const std::vector<CommandShape>& commands) {
    std::vector<std::string> names;
    names.reserve(commands.size());
    for (const CommandShape& command : commands) names.push_back(command.name);
    return names;
}

/// What may stand as its first argument: subcommands, or the values of a positional one.
std::vector<std::string> first_words(const CommandShape& command) {
    std::vector<std::string> words = names_of(command.subcommands);
    for (const OptionShape& option : command.options) {
        if (option.names.empty())
            words.insert(words.end(), option.values.begin(), option.values.end());
    }
    return words;
}

std::string replaced(std::string text, std::string_view characters, const std::string& before) {
    for (std::size_t at = 0; (at = text.find_first_of(characters, at)) != std::string::npos;
         at += before.size() + 1)
        text.insert(at, before);
    return text;
}

// ---- bash

/// The cases of one command or subcommand: its options' values, then its options.
void bash_cases(const std::string& key, const CommandShape& shape, std::string& values,
                std::string& words) {
    std::vector<std::string> options;
    for (const OptionShape& option : shape.options) {
        options.insert(options.end(), option.names.begin(), option.names.end());
        if (!option.takes_value || option.names.empty()) continue;
        std::vector<std::string> patterns;
        for (const std::string& name : option.names)
            patterns.push_back('"' + key + ' ' + name + '"');
        values +=
            "        " + join(patterns, " | ") + ") " +
            (option.values.empty() ? "return" : "words=\"" + join(option.values, " ") + "\"") +
            " ;;\n";
    }
    words += "        \"option of " + key + "\") options=\"" + join(options, " ") + "\"; words=\"" +
             join(first_words(shape), " ") + "\" ;;\n";
}

std::string bash_script(const std::vector<CommandShape>& commands) {
    std::string values;
    std::string words;
    std::vector<std::string> keys;
    for (const CommandShape& command : commands) {
        bash_cases(command.name, command, values, words);
        for (const CommandShape& sub : command.subcommands) {
            const std::string key = command.name + ' ' + sub.name;
            keys.push_back('"' + key + '"');
            bash_cases(key, with_options_of(sub, command), values, words);
        }
    }
    return "# bash completion for runner, written by 'runner completion bash'\n"
           "_runner() {\n"
           "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} "
           "key=${COMP_WORDS[1]} i\n"
           "    local words=\"\" options=\"\"\n"
           "    COMPREPLY=()\n"
           "    if [[ $COMP_CWORD -eq 1 ]]; then\n"
           "        mapfile -t COMPREPLY < <(compgen -W \"" +
           join(names_of(commands), " ") +
           " --help --version\" -- \"$word\")\n"
           "        return\n"
           "    fi\n"
           "    for ((i = 2; i < COMP_CWORD; i++)); do\n"
           "        case \"${COMP_WORDS[1]} ${COMP_WORDS[i]}\" in\n"
           "        " +
           join(keys, " | ") +
           ") key=\"${COMP_WORDS[1]} ${COMP_WORDS[i]}\" ;;\n"
           "        esac\n"
           "    done\n"
           "    case \"$key $before\" in\n" +
           values +
           "        *) key=\"option of $key\" ;;\n"
           "    esac\n"
           "    case \"$key\" in\n" +
           words +
           "    esac\n"
           "    if [[ $word == -* ]]; then words=$options; fi\n"
           "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
           "}\n"
           "complete -o default -F _runner runner\n";
}

// ---- zsh

std::string zsh_option(const OptionShape& option, const std::string& name) {
    std::string spec = option.names.size() > 1 ? '(' + join(option.names, " ") + ')' : "";
    spec += name + '[' + replaced(option.summary, "[]:\\", "\\") + ']';
    if (option.takes_value) {
        spec += ":value:";
        spec += option.values.empty() ? "_files" : '(' + join(option.values, " ") + ')';
    }
    return shell_quoted(spec);
}

void zsh_arguments(const CommandShape& shape, const std::string& indent, std::string& script) {
    script += indent + "_arguments -S";
    for (const OptionShape& option : shape.options) {
        for (const std::string& name : option.names)
            script += " \\\n" + indent + "    " + zsh_option(option, name);
    }
    if (const auto words = first_words(shape); shape.subcommands.empty() && !words.empty())
        script += " \\\n" + indent + "    " + shell_quoted("1:what:(" + join(words, " ") + ')');
    if (!shape.subcommands.empty()) {
        std::vector<std::string> subs;
        for (const CommandShape& sub : shape.subcommands)
            subs.push_back(sub.name + "\\:\"" + replaced(sub.summary, ":\"\\", "\\") + '"');
        script += " \\\n" + indent + "    " + shell_quoted("1:what:((" + join(subs, " ") + "))");
    }
    script += " \\\n" + indent + "    '*:file:_files'\n";
}

std::string zsh_script(const std::vector<CommandShape>& commands) {
    std::string script =
        "#compdef runner\n# zsh completion for runner, written by 'runner completion zsh'\n"
        "_runner() {\n    local -a commands=(\n";
    for (const CommandShape& command : commands)
        script += "        " + shell_quoted(command.name + ':' + command.summary) + '\n';
    script +=
        "    )\n    if (( CURRENT == 2 )); then\n        _describe command commands\n"
        "        return\n    fi\n    shift words\n    (( CURRENT-- ))\n    case \"$words[1] "
        "$words[2]\" in\n";
    for (const CommandShape& command : commands) {
        for (const CommandShape& sub : command.subcommands) {
            script += "    " + shell_quoted(command.name + ' ' + sub.name) + ")\n";
            script +=
                "        if (( CURRENT > 2 )); then\n            shift words\n"
                "            (( CURRENT-- ))\n        fi\n";
            zsh_arguments(with_options_of(sub, command), "        ", script);
            script += "        ;;\n";
        }
        script += "    " + shell_quoted(command.name + ' ') + "*)\n";
        zsh_arguments(command, "        ", script);
        script += "        ;;\n";
    }
    return script + "    esac\n}\n_runner \"$@\"\n";
}

// ---- fish

std::string fish_quoted(const std::string& text) {
    return '\'' + replaced(text, "'\\", "\\") + '\'';
}

void fish_options(const CommandShape& shape, const std::string& condition, std::string& script) {
    for (const OptionShape& option : shape.options) {
        if (option.names.empty()) continue;
        script += "complete -c runner -n " + fish_quoted(condition);
        for (const std::string& name : option.names)
            script += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
        if (option.takes_value && option.values.empty()) script += " -r";
        if (!option.values.empty()) script += " -x -a " + fish_quoted(join(option.values, " "));
        script += " -d " + fish_quoted(option.summary) + '\n';
    }
}

std::string fish_script(const std::vector<CommandShape>& commands) {
    std::string script = "# fish completion for runner, written by 'runner completion fish'\n";
    for (const CommandShape& command : commands) {
        script += "complete -c runner -f -n __fish_use_subcommand -a " + command.name + " -d " +
                  fish_quoted(command.summary) + '\n';
        const std::string seen = "__fish_seen_subcommand_from " + command.name;
        fish_options(command, seen, script);
        if (const auto words = first_words(command);
            command.subcommands.empty() && !words.empty()) {
            script += "complete -c runner -f -n " + fish_quoted(seen) + " -a " +
                      fish_quoted(join(words, " ")) + '\n';
        }
        const std::string subs = join(names_of(command.subcommands), " ");
        for (const CommandShape& sub : command.subcommands) {
            script += "complete -c runner -f -n " +
                      fish_quoted(seen + "; and not __fish_seen_subcommand_from " + subs) + " -a " +
                      sub.name + " -d " + fish_quoted(sub.summary) + '\n';
            fish_options(sub, seen + "; and __fish_seen_subcommand_from " + sub.name, script);
        }
    }
    return script;
}

}  // namespace

int completion_command(int argc, char** argv) {
    std::string shell;
    CLI::App app("A script that completes commands, options and their values in a shell.",
                 "completion");
    app.add_option("shell", shell, "bash, zsh or fish")
        ->required()
        ->check(CLI::IsMember({"bash", "zsh", "fish"}));
    app.footer(
        "Examples:\n"
        "  runner completion bash > ~/.local/share/bash-completion/completions/runner\n"
        "  runner completion zsh > \"${fpath[1]}/_runner\"\n"
        "  runner completion fish > ~/.config/fish/completions/runner.fish");
    if (const int code = parse_arguments(app, argc, argv); code >= 0) return code;
    const std::vector<CommandShape> commands = shapes();
    const std::string script = shell == "bash"  ? bash_script(commands)
                               : shell == "zsh" ? zsh_script(commands)
                                                : fish_script(commands);
    print_document(script);
    return 0;
}

}  // namespace runner

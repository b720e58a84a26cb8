// SPDX-License-Identifier: Apache-2.0
// A sandbox with something outside of the repository's files, which upgrades read and change by a
// command (tests/plugins/worldly.cpp).
#pragma once

#include <sys/stat.h>

#include <string>

#include "support/sandbox.hpp"

namespace test {

class WorldlySandbox : public Sandbox {
 public:
    WorldlySandbox() {
        write("tools/world",
              "#!/bin/sh\n"
              "case $1 in\n"
              "get) value=nothing\n"
              "  if [ -e \"$WORLD/$2\" ]; then read -r value < \"$WORLD/$2\"; fi\n"
              "  printf %s \"$value\" ;;\n"
              "set) if [ -e \"$WORLD/broken\" ]; then echo 'the world is broken'; exit 1; fi\n"
              "  echo \"$3\" > \"$WORLD/$2\" ;;\n"
              "esac\n");
        ::chmod((path() / "tools/world").c_str(), 0755);
        configure();
        set("image", "v1");
        set("mood", "good");
    }

    /// Writes cluster.yaml, with more in it.
    void configure(const std::string& more = {}) const {
        config("0.1.0", {},
               "environment: {PATH: '" + (path() / "tools").string() + ":/usr/bin:/bin', WORLD: '" +
                   (repository() / "world").string() + "'}\n" + more);
    }
    /// This happens after the question was answered, and before anything is changed.
    void after_the_question(const std::string& script) const {
        write("meanwhile.sh", "#!/bin/sh\n" + script);
        ::chmod((path() / "meanwhile.sh").c_str(), 0755);
        configure("hooks: {before: {command: [./meanwhile.sh]}}\n");
    }

    void set(const std::string& key, const std::string& value) const {
        write("repository/world/" + key, value + "\n");
    }
    [[nodiscard]] std::string get(const std::string& key) const {
        const std::string line = read("repository/world/" + key);
        return line.substr(0, line.find('\n'));
    }
    /// Changing it by its command fails, or no longer.
    void break_it() const { write("repository/world/broken", ""); }
    void mend_it() const { std::filesystem::remove(repository() / "world/broken"); }

    /// "VERSION FROM TO ELSE [HOW]" lines, with a release for each.
    void wish(const std::string& lines, const std::string& plugin = "worldly") {
        for (std::size_t at = 0; at < lines.size(); at = lines.find('\n', at) + 1)
            release_plugin(plugin, lines.substr(at, lines.find(' ', at) - at));
        m_wishes += lines;
        write("repository/worldly", m_wishes);
    }

    [[nodiscard]] runner::Json state() { return run({"state", "show", "-o", "json"}).json(); }
    /// The newest run in the history.
    [[nodiscard]] runner::Json last_run() {
        return run({"history", "-o", "json"}).json()["runs"][0];
    }

 private:
    std::string m_wishes;
};

}  // namespace test

// SPDX-License-Identifier: Apache-2.0
// Files of the cluster's repository, and single values in its YAML files.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "upgrade/services.hpp"

namespace upgrade {

/// Files below the repository directory. Paths are relative to it. In a simulation nothing reaches
/// the disk; for real, what a step wrote is made visible all at once when the step is finished.
/// Since 1.0.
class Files {
 public:
    /// Made by Context; `services` must outlive it.
    explicit Files(const detail::Services& services) : m_services(services) {}

    /// Whether a regular file is at `path`.
    bool exists(std::string_view path) const { return kind(path) == UPGRADE_FILE_REGULAR; }
    /// Whether a folder is at `path`.
    bool is_folder(std::string_view path) const { return kind(path) == UPGRADE_FILE_FOLDER; }

    /// The whole file. Throws ServiceError when there is none.
    std::string read(std::string_view path) const {
        detail::Collector content;
        detail::check(service().read(m_services.context(), detail::to_abi(path), content.sink()),
                      "read " + std::string(path));
        return content.first();
    }

    /// Replaces or makes the file, and the folders above it. A file that was there keeps its owner,
    /// mode and extended attributes, where that is permitted.
    void write(std::string_view path, std::string_view content) const {
        detail::check(
            service().write(m_services.context(), detail::to_abi(path), detail::to_abi(content)),
            "write " + std::string(path));
    }

    /// Reads, lets `change` make new text of it, and writes that when it differs.
    template <typename Change>
    void edit(std::string_view path, Change&& change) const {
        const std::string before = read(path);
        const std::string after = change(before);
        if (after != before) write(path, after);
    }

    /// Removes the file. Throws ServiceError when there is none.
    void remove(std::string_view path) const {
        detail::check(service().remove(m_services.context(), detail::to_abi(path)),
                      "remove " + std::string(path));
    }

    /// Moves one file. Throws ServiceError when there is none, or when `to` is taken.
    void move(std::string_view from, std::string_view to) const {
        detail::check(
            service().move(m_services.context(), detail::to_abi(from), detail::to_abi(to)),
            "move " + std::string(from) + " to " + std::string(to));
    }

    /// Every file whose path matches, sorted: '*' and '?' within one folder, '**' over any number
    /// of folders.
    std::vector<std::string> glob(std::string_view pattern) const {
        detail::Collector paths;
        detail::check(service().glob(m_services.context(), detail::to_abi(pattern), paths.sink()),
                      "list " + std::string(pattern));
        return std::move(paths.results());
    }

 private:
    const upgrade_files_service& service() const {
        return detail::Services::need(m_services.files, UPGRADE_SERVICE_FILES);
    }
    std::int32_t kind(std::string_view path) const {
        std::int32_t kind = UPGRADE_FILE_NONE;
        detail::check(service().kind(m_services.context(), detail::to_abi(path), &kind),
                      "look at " + std::string(path));
        return kind;
    }
    const detail::Services& m_services;
};

/// One YAML file. Each change keeps every other byte, comments included. Selectors: see abi.h,
/// UPGRADE_SERVICE_YAML. Since 1.0.
class YamlFile {
 public:
    /// Made by Context; `services` must outlive it.
    YamlFile(const detail::Services& services, std::string_view path)
        : m_services(services), m_path(path) {}

    /// The scalar at `selector`. Throws ServiceError when there is none.
    std::string get(std::string_view selector) const {
        auto value = find(selector);
        if (!value)
            throw ServiceError(UPGRADE_NOT_FOUND, m_path + ": nothing at " + std::string(selector));
        return *value;
    }

    /// The scalar at `selector`, or nothing.
    std::optional<std::string> find(std::string_view selector) const {
        const std::string text = Files(m_services).read(m_path);
        detail::Collector value;
        const std::int32_t status = service().get(m_services.context(), detail::to_abi(text),
                                                  detail::to_abi(selector), value.sink());
        if (status == UPGRADE_NOT_FOUND) return std::nullopt;
        detail::check(status, m_path + ": get " + std::string(selector));
        return value.first();
    }

    /// Sets one value; a last key that is missing is added to its mapping.
    void set(std::string_view selector, std::string_view value) const {
        Files(m_services).edit(m_path, [&](const std::string& text) {
            detail::Collector changed;
            detail::check(
                service().set(m_services.context(), detail::to_abi(text), detail::to_abi(selector),
                              detail::to_abi(value), changed.sink()),
                m_path + ": set " + std::string(selector));
            return changed.first();
        });
    }

    /// Removes one entry of a mapping or a list, if it is there.
    void remove(std::string_view selector) const {
        Files(m_services).edit(m_path, [&](const std::string& text) {
            detail::Collector changed;
            const std::int32_t status = service().remove(m_services.context(), detail::to_abi(text),
                                                         detail::to_abi(selector), changed.sink());
            if (status == UPGRADE_NOT_FOUND) return text;
            detail::check(status, m_path + ": remove " + std::string(selector));
            return changed.first();
        });
    }

 private:
    const upgrade_yaml_service& service() const {
        return detail::Services::need(m_services.yaml, UPGRADE_SERVICE_YAML);
    }
    const detail::Services& m_services;
    std::string m_path;
};

}  // namespace upgrade

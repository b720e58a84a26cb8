// SPDX-License-Identifier: Apache-2.0
// A value that nobody is to see: a secret parameter, a token, a password. It cannot be printed,
// formatted, compared, concatenated or put into JSON by mistake, but only by reveal().
#pragma once

#include <string>
#include <utility>

namespace runner {

class Secret {
 public:
    Secret() = default;
    explicit Secret(std::string value) : m_value(std::move(value)) {}
    Secret(const Secret&) = default;
    Secret(Secret&& other) noexcept { m_value.swap(other.m_value); }
    Secret& operator=(Secret other) noexcept {
        m_value.swap(other.m_value);
        return *this;
    }
    /// The memory is overwritten. Copies that a string has made of it elsewhere are not.
    ~Secret();

    [[nodiscard]] bool empty() const { return m_value.empty(); }
    /// The value itself, for where it has to go. Valid as long as this object.
    [[nodiscard]] const std::string& reveal() const& { return m_value; }
    const std::string& reveal() const&& = delete;

    template <typename Other>
    friend bool operator==(const Secret&, const Other&) = delete;
    template <typename Other>
    friend bool operator<(const Secret&, const Other&) = delete;
    template <typename Stream>
    friend Stream& operator<<(Stream&, const Secret&) = delete;

 private:
    std::string m_value;
};

}  // namespace runner

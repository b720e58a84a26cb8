// SPDX-License-Identifier: Apache-2.0
#include "model/run_state.hpp"

#include <array>
#include <initializer_list>
#include <utility>

namespace runner {
namespace {

using S = RunState;

constexpr std::array<std::pair<RunState, const char*>, 17> k_states{{
    {S::queued, "queued"},
    {S::fetching, "fetching"},
    {S::building, "building"},
    {S::simulating, "simulating"},
    {S::awaiting_confirmation, "awaiting_confirmation"},
    {S::applying, "applying"},
    {S::verifying, "verifying"},
    {S::soaking, "soaking"},
    {S::succeeded, "succeeded"},
    {S::aborted, "aborted"},
    {S::failed_pre, "failed_pre"},
    {S::failed, "failed"},
    {S::rolling_back, "rolling_back"},
    {S::rolled_back, "rolled_back"},
    {S::rollback_failed, "rollback_failed"},
    {S::cancelled, "cancelled"},
    {S::interrupted, "interrupted"},
}};

constexpr std::array<std::pair<Outcome, const char*>, 10> k_outcomes{{
    {Outcome::succeeded, "succeeded"},
    {Outcome::nothing_to_do, "nothing_to_do"},
    {Outcome::failed, "failed"},
    {Outcome::rolled_back, "rolled_back"},
    {Outcome::rollback_failed, "rollback_failed"},
    {Outcome::cancelled, "cancelled"},
    {Outcome::interrupted, "interrupted"},
    {Outcome::aborted, "aborted"},
    {Outcome::blocked, "blocked"},
    {Outcome::skipped, "skipped"},
}};

template <typename Value, std::size_t Size>
const char* word_of(const std::array<std::pair<Value, const char*>, Size>& words, Value value) {
    for (const auto& [candidate, word] : words) {
        if (candidate == value) return word;
    }
    return "unknown";
}

template <typename Value, std::size_t Size>
std::optional<Value> value_of(const std::array<std::pair<Value, const char*>, Size>& words,
                              std::string_view word) {
    for (const auto& [value, candidate] : words) {
        if (word == candidate) return value;
    }
    return std::nullopt;
}

bool is_one_of(RunState state, std::initializer_list<RunState> states) {
    for (const RunState candidate : states) {
        if (candidate == state) return true;
    }
    return false;
}

}  // namespace

const char* to_string(RunState state) {
    return word_of(k_states, state);
}
std::optional<RunState> run_state_from(std::string_view word) {
    return value_of(k_states, word);
}
const char* to_string(Outcome outcome) {
    return word_of(k_outcomes, outcome);
}
std::optional<Outcome> outcome_from(std::string_view word) {
    return value_of(k_outcomes, word);
}

bool is_end(RunState state) {
    return is_one_of(state, {S::succeeded, S::aborted, S::failed_pre, S::failed, S::rolled_back,
                             S::rollback_failed, S::cancelled, S::interrupted});
}

bool has_succeeded(RunState state, std::string_view command) {
    return state == S::succeeded ||
           (state == S::rolled_back && command.substr(0, command.find(' ')) == "rollback");
}

bool may_move(RunState from, RunState to) {
    if (is_end(from)) return false;
    if (to == S::interrupted) return true;
    switch (from) {
        case S::queued:
            return is_one_of(to, {S::fetching, S::failed_pre, S::succeeded});
        case S::fetching:
            return is_one_of(to, {S::building, S::simulating, S::failed_pre, S::cancelled});
        case S::building:
            return is_one_of(to, {S::simulating, S::failed_pre, S::cancelled});
        case S::simulating:
            return is_one_of(to, {S::awaiting_confirmation, S::failed_pre, S::cancelled});
        case S::awaiting_confirmation:
            return is_one_of(
                to, {S::applying, S::rolling_back, S::aborted, S::cancelled, S::failed_pre});
        case S::applying:
            return is_one_of(to, {S::verifying, S::soaking, S::succeeded, S::failed,
                                  S::rolling_back, S::cancelled});
        case S::verifying:
            return is_one_of(to, {S::applying, S::soaking, S::succeeded, S::failed, S::rolling_back,
                                  S::cancelled});
        case S::soaking:
            return is_one_of(to, {S::succeeded, S::failed, S::rolling_back, S::cancelled});
        case S::rolling_back:
            return is_one_of(to, {S::rolled_back, S::rollback_failed});
        default:
            return false;
    }
}

}  // namespace runner

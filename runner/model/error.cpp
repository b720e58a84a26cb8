// SPDX-License-Identifier: Apache-2.0
#include "model/error.hpp"

#include <system_error>
#include <utility>

#include "model/harmless.hpp"

namespace runner {

int exit_code(Failure failure) {
    switch (failure) {
        case Failure::usage:
            return 2;
        case Failure::preparation:
            return 3;
        case Failure::declined:
            return 4;
        case Failure::lease_held:
            return 5;
        case Failure::refused:
            return 6;
        case Failure::apply_failed:
            return 1;
        case Failure::rolled_back:
            return 8;
    }
    return 1;
}

int exit_code_of_signal(int signal) {
    return 128 + signal;
}

const char* to_string(Failure failure) {
    switch (failure) {
        case Failure::usage:
            return "usage";
        case Failure::preparation:
            return "preparation";
        case Failure::declined:
            return "declined";
        case Failure::lease_held:
            return "lease_held";
        case Failure::refused:
            return "refused";
        case Failure::apply_failed:
            return "apply_failed";
        case Failure::rolled_back:
            return "rolled_back";
    }
    return "unknown";
}

Error::Error(Failure failure, const std::string& message, const std::string& next)
    : Error(AsItIs(), failure, harmless(message), harmless(next)) {}

Error::Error(AsItIs, Failure failure, const std::string& message, std::string next)
    : std::runtime_error(message), m_failure(failure), m_next(std::move(next)) {}

Error Error::of_lines(Failure failure, const std::vector<std::string>& problems,
                      const std::string& next) {
    std::string message;
    for (const std::string& problem : problems)
        message += (message.empty() ? "" : "\n") + harmless(problem);
    return {AsItIs(), failure, message, harmless(next)};
}

Error Error::as(Failure failure) const {
    return {AsItIs(), failure, what(), m_next};
}

Error Error::within(const std::string& context) const {
    return {AsItIs(), m_failure, harmless(context) + ": " + what(), m_next};
}

Error Error::followed_by(const std::string& more, const std::string& next) const {
    return {AsItIs(), m_failure, what() + ("; " + harmless(more)), harmless(next)};
}

Error system_error(const std::string& operation, int error_number) {
    return {Failure::preparation, operation + ": " + std::generic_category().message(error_number)};
}

}  // namespace runner

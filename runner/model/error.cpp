// SPDX-License-Identifier: Apache-2.0
#include "model/error.hpp"

#include <system_error>
#include <utility>

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

Error::Error(Failure failure, const std::string& message, std::string next)
    : std::runtime_error(message), m_failure(failure), m_next(std::move(next)) {}

Error system_error(const std::string& operation, int error_number) {
    return {Failure::preparation, operation + ": " + std::generic_category().message(error_number)};
}

}  // namespace runner

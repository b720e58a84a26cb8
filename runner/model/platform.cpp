// SPDX-License-Identifier: Apache-2.0
#include "model/platform.hpp"

namespace runner {

Platform Platform::current() {
    Platform platform;
#if defined(__APPLE__)
    platform.os = "Darwin";
#else
    platform.os = "Linux";
#endif
#if defined(__aarch64__) || defined(__arm64__)
    platform.arch = "arm64";
#else
    platform.arch = "amd64";
#endif
    return platform;
}

}  // namespace runner

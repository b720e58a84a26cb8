// SPDX-License-Identifier: Apache-2.0
#include "support/unique_fd.hpp"

#include <unistd.h>

namespace runner {

void UniqueFd::reset(int fd) {
    if (m_fd >= 0) ::close(m_fd);
    m_fd = fd;
}

}  // namespace runner

// SPDX-License-Identifier: Apache-2.0
#include "model/secret.hpp"

#include <string.h>

namespace runner {

Secret::~Secret() {
    m_value.resize(m_value.capacity());
    ::explicit_bzero(m_value.data(), m_value.size());
}

}  // namespace runner

// SPDX-License-Identifier: Apache-2.0
// Everything that an upgrade needs: #include <upgrade/sdk.hpp>.
#pragma once

#include "upgrade/abi.h"
#include "upgrade/context.hpp"
#include "upgrade/errors.hpp"
#include "upgrade/exec.hpp"
#include "upgrade/files.hpp"
#include "upgrade/plugin.hpp"
#include "upgrade/services.hpp"

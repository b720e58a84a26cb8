// SPDX-License-Identifier: Apache-2.0
#include "upgrade.hpp"

UPGRADE_PLUGIN(CloseGrafana)

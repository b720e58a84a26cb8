#include "upgrade.hpp"

UPGRADE_PLUGIN(@CLASS@)

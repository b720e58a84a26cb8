# SPDX-License-Identifier: Apache-2.0
include(${CMAKE_CURRENT_LIST_DIR}/UpgradeSdkTargets.cmake)
set(UPGRADE_SDK_VERSION ${UpgradeSdk_VERSION})
include(${CMAKE_CURRENT_LIST_DIR}/UpgradePlugin.cmake)

# SPDX-License-Identifier: Apache-2.0
# find_package(UpgradeSdk): UpgradeSdk::sdk, UpgradeSdk::testing, upgrade_plugin(), upgrade_test(), upgrade_folders().
include(CMakeFindDependencyMacro)
find_dependency(yaml-cpp)
include(${CMAKE_CURRENT_LIST_DIR}/UpgradeSdkTargets.cmake)
set_property(TARGET UpgradeSdk::services APPEND PROPERTY INTERFACE_LINK_LIBRARIES yaml-cpp)
set(UPGRADE_SDK_VERSION ${UpgradeSdk_VERSION})
include(${CMAKE_CURRENT_LIST_DIR}/UpgradePlugin.cmake)

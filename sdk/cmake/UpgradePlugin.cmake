# SPDX-License-Identifier: Apache-2.0
# upgrade_plugin(<version> SOURCES <file>... [DESCRIPTION <upgrade.json>] [PREFIX <prefix>] [TARGET <name>])
#
# Builds one upgrade as <prefix>_<version>.so: hidden visibility, one exported symbol, no undefined ones, and on Linux its
# own C++ runtime, so that it needs nothing but libc. Beside it <prefix>_<version>.json says what it says of itself, for
# packaging on another platform. The description (default: upgrade.json) holds the author's part of
# the manifest; version, ABI, SDK and compiler are added here. PREFIX defaults to `upgrade`.

# json_set(<variable holding an object> <key> <JSON value>)
macro(_upgrade_json_set object key value)
  string(JSON ${object} SET "${${object}}" ${key} "${value}")
endmacro()

function(upgrade_plugin version)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "DESCRIPTION;PREFIX;TARGET" "SOURCES")
  if(NOT arg_DESCRIPTION)
    set(arg_DESCRIPTION upgrade.json)
  endif()
  if(NOT arg_PREFIX)
    set(arg_PREFIX upgrade)
  endif()
  if(NOT arg_TARGET)
    string(MAKE_C_IDENTIFIER "upgrade_${version}" arg_TARGET)
  endif()
  set(digits "(0|[1-9][0-9]*)")
  if(NOT version MATCHES "^${digits}\\.${digits}\\.${digits}(-[A-Za-z0-9-]+)?(\\.[A-Za-z0-9-]+)?$")
    message(FATAL_ERROR "upgrade_plugin: '${version}' is not an upgrade version such as 0.0.65.loki-persistence")
  endif()

  cmake_path(ABSOLUTE_PATH arg_DESCRIPTION BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
  file(READ ${arg_DESCRIPTION} upgrade_description)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${arg_DESCRIPTION})
  string(JSON type ERROR_VARIABLE error TYPE "${upgrade_description}")
  if(error OR NOT type STREQUAL OBJECT)
    message(FATAL_ERROR "upgrade_plugin: ${arg_DESCRIPTION} is not a JSON object: ${error}")
  endif()
  _upgrade_json_set(upgrade_description schema 1)
  _upgrade_json_set(upgrade_description version "\"${version}\"")
  _upgrade_json_set(upgrade_description abi 1)
  string(JSON services ERROR_VARIABLE absent GET "${upgrade_description}" services)
  if(absent)
    set(services "[\"error/1\",\"log/1\",\"info/1\",\"parameters/1\",\"state/1\",\"progress/1\",\"prompt/1\",")
    string(APPEND services "\"cancel/1\",\"steps/1\",\"walk/1\",\"files/1\",\"yaml/1\",\"exec/1\"]")
    _upgrade_json_set(upgrade_description services "${services}")
  endif()
  _upgrade_json_set(upgrade_description sdkVersion "\"${UPGRADE_SDK_VERSION}\"")
  _upgrade_json_set(upgrade_description compiler "\"${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}\"")

  set(generated ${CMAKE_CURRENT_BINARY_DIR}/${arg_TARGET}_description.cpp)
  set(upgrade_version ${version})
  configure_file(${CMAKE_CURRENT_FUNCTION_LIST_DIR}/description.cpp.in ${generated} @ONLY)

  file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/plugins)
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/plugins/${arg_PREFIX}_${version}.json CONTENT "@upgrade_description@\n" @ONLY)

  set(suffix .so)
  if(APPLE)
    set(suffix .dylib)
  endif()
  add_library(${arg_TARGET} MODULE ${arg_SOURCES} ${generated})
  target_link_libraries(${arg_TARGET} PRIVATE UpgradeSdk::sdk)
  set_target_properties(${arg_TARGET} PROPERTIES
    OUTPUT_NAME ${arg_PREFIX}_${version} PREFIX "" SUFFIX ${suffix}
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/plugins
    CXX_VISIBILITY_PRESET hidden C_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON CXX_EXTENSIONS OFF)
  target_compile_options(${arg_TARGET} PRIVATE -ffunction-sections -fdata-sections
    $<$<NOT:$<CONFIG:Debug>>:-Os>)
  if(NOT APPLE)
    target_link_options(${arg_TARGET} PRIVATE
      -static-libstdc++ -static-libgcc -Wl,--exclude-libs,ALL -Wl,-z,relro,-z,now -Wl,-z,defs -Wl,--gc-sections -Wl,--as-needed
      -Wl,--hash-style=gnu -Wl,--version-script=${CMAKE_CURRENT_FUNCTION_LIST_DIR}/plugin.map
      $<$<NOT:$<CONFIG:Debug>>:-s>)
  endif()
endfunction()

# upgrade_test(<version> <source>...): the upgrade's unit tests, on the SDK's harness and Catch2. EXAMPLE_REPOSITORY names
# the folder that they may copy from, where UPGRADE_EXAMPLE_REPOSITORY is set.
function(upgrade_test version)
  if(DEFINED RUNNER_BUILD_TESTS AND NOT RUNNER_BUILD_TESTS)
    return()
  endif()
  string(MAKE_C_IDENTIFIER "test_upgrade_${version}" target)
  add_executable(${target} ${ARGN})
  if(TARGET runner_test_main)
    target_link_libraries(${target} PRIVATE UpgradeSdk::testing runner_test_main runner_warnings)
  else()
    find_package(Catch2 REQUIRED)
    target_link_libraries(${target} PRIVATE UpgradeSdk::testing Catch2::Catch2WithMain)
  endif()
  if(UPGRADE_EXAMPLE_REPOSITORY)
    target_compile_definitions(${target} PRIVATE EXAMPLE_REPOSITORY="${UPGRADE_EXAMPLE_REPOSITORY}")
  endif()
  add_test(NAME upgrade.${version} COMMAND ${target})
  set_tests_properties(upgrade.${version} PROPERTIES LABELS unit)
endfunction()

# upgrade_folders(<folder>): every upgrade in it, one folder each.
function(upgrade_folders folder)
  cmake_path(ABSOLUTE_PATH folder BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
  file(GLOB found CONFIGURE_DEPENDS ${folder}/*/CMakeLists.txt)
  foreach(file IN LISTS found)
    cmake_path(GET file PARENT_PATH upgrade)
    cmake_path(GET upgrade FILENAME name)
    add_subdirectory(${upgrade} ${CMAKE_CURRENT_BINARY_DIR}/${name})
  endforeach()
endfunction()

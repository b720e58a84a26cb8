# SPDX-License-Identifier: Apache-2.0
# Warnings and sanitizers as interface targets, so that each target says what it takes.
option(RUNNER_WARNINGS_AS_ERRORS "Treat warnings as errors (developers and CI)" OFF)

add_library(runner_warnings INTERFACE)
target_compile_options(runner_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow
  $<$<COMPILE_LANGUAGE:CXX>:-Wconversion -Wsign-conversion -Wold-style-cast -Wnon-virtual-dtor>)
if(RUNNER_WARNINGS_AS_ERRORS)
  target_compile_options(runner_warnings INTERFACE -Werror)
endif()

add_library(runner_sanitizers INTERFACE)
if(RUNNER_SANITIZE)
  target_compile_options(runner_sanitizers INTERFACE -fsanitize=${RUNNER_SANITIZE} -fno-omit-frame-pointer
                         -fno-sanitize-recover=all
                         # gcc 12 sees uninitialised values in its own <regex> when it instruments.
                         $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  target_link_options(runner_sanitizers INTERFACE -fsanitize=${RUNNER_SANITIZE})
endif()

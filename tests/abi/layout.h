/* SPDX-License-Identifier: Apache-2.0
 * Compared at compile time, as C11 and as C++, with every compiler that builds this.
 */
#include "upgrade/abi.h"

#ifdef __cplusplus
#define CHECK_ABI(condition, text) static_assert(condition, text)
#else
#define CHECK_ABI(condition, text) _Static_assert(condition, text)
#endif

#define SIZE(type, bytes) CHECK_ABI(sizeof(type) == (bytes), "the size of " #type " is frozen");
#define OFFSET(type, member, bytes) \
    CHECK_ABI(offsetof(type, member) == (bytes), #type "." #member " is frozen");
#define VALUE(name, value) CHECK_ABI((name) == (value), #name " is frozen");
#define TEXT(name, text) \
    CHECK_ABI(sizeof(name) == sizeof(text), #name " is frozen"); /* abi_test.cpp compares them */
#include "layout.inc"

// SPDX-License-Identifier: Apache-2.0
// ABI 1 as a C++ compiler sees it: layouts at compile time, ids when it runs.
#include "../abi/layout.h"

#include <string_view>
#include "support/catch.hpp"

#undef SIZE
#undef OFFSET
#undef VALUE
#undef TEXT

extern "C" int abi_as_c(void);

TEST_CASE("the ABI's names are what was published, and its header is C11 too") {
#define SIZE(type, bytes)
#define OFFSET(type, member, bytes)
#define VALUE(name, value)
#define TEXT(name, text) CHECK(std::string_view(name) == std::string_view(text));
#include "../abi/layout.inc"
    CHECK(abi_as_c() == 1);
}

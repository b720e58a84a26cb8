/* SPDX-License-Identifier: Apache-2.0
 * ABI 1 as a C11 compiler sees it.
 */
#include "layout.h"

int abi_as_c(void);
int abi_as_c(void) { return UPGRADE_ABI_MAJOR; }

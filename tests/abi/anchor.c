/* SPDX-License-Identifier: Apache-2.0
 * One exported function for each public struct, so that abidiff sees them all.
 */
#include "upgrade/abi.h"

#define ANCHOR(type) \
    __attribute__((visibility("default"))) void anchor_##type(const type* value); \
    void anchor_##type(const type* value) { (void)value; }

ANCHOR(upgrade_string)
ANCHOR(upgrade_sink)
ANCHOR(upgrade_host)
ANCHOR(upgrade_plugin)
ANCHOR(upgrade_rollback)
ANCHOR(upgrade_error_service)
ANCHOR(upgrade_log_service)
ANCHOR(upgrade_info_service)
ANCHOR(upgrade_parameters_service)
ANCHOR(upgrade_state_service)
ANCHOR(upgrade_progress_service)
ANCHOR(upgrade_prompt_service)
ANCHOR(upgrade_cancel_service)
ANCHOR(upgrade_steps_service)
ANCHOR(upgrade_walk_service)
ANCHOR(upgrade_files_service)
ANCHOR(upgrade_yaml_service)
ANCHOR(upgrade_command)
ANCHOR(upgrade_exec_service)

__attribute__((visibility("default"))) void anchor_upgrade_entry(upgrade_entry entry);
void anchor_upgrade_entry(upgrade_entry entry) { (void)entry; }

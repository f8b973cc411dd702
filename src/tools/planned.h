/* Commands whose options are known and whose system is missing. */
#ifndef PG_TOOLS_PLANNED_H
#define PG_TOOLS_PLANNED_H

#include "cli/option.h"

extern const pg_command pg_command_surgeon_extract, pg_command_surgeon_sanitize, pg_command_surgeon_insert,
    pg_command_surgeon_prune, pg_command_surgeon_weight_strip, pg_command_surgeon_weight_reconstruct;
extern const pg_command pg_command_debug_build, pg_command_debug_precision, pg_command_debug_reduce,
    pg_command_debug_repeat;
extern const pg_command pg_command_multi_device_shard, pg_command_template_shard_hints,
    pg_command_plugin_autotune;

#endif

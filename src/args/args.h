/* Option groups shared among commands: one file each. A group's struct holds what the user wrote (fields that
 * rows name) and, after the group's `finish`, what it means (the fields below the first comment line). */
#ifndef PG_ARGS_ARGS_H
#define PG_ARGS_ARGS_H

#include "cli/option.h"

typedef struct pg_args_logging {
    int verbose, quiet;
    pg_arg_list verbosity;
    bool silent;
    pg_arg_list log_format;
    const char *log_file;
} pg_args_logging;
/* Its finish sets the logger up. */
extern const pg_group pg_group_logging;

#endif

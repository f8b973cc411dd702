/* Child processes. */
#ifndef PG_BASE_CHILD_H
#define PG_BASE_CHILD_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/status.h"

typedef struct pg_child_result {
    int exit_code;   /* meaningful when signal is 0 */
    int signal;      /* that ended it, or 0 */
    pg_buf out, err; /* captured; caller frees */
} pg_child_result;

/* Runs argv[0] (searched on PATH) to its end with no standard input, capturing both streams. argv ends with
 * NULL. PG_ERR_NOT_FOUND when it cannot be started. A non-zero exit is a result, not an error. */
PG_MUST_USE pg_status pg_child_run(const char *const *argv, pg_child_result *out);
void pg_child_result_deinit(pg_child_result *result);

#endif

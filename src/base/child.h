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

/* Runs `work` in a copy of this process, whose end is a result and not a fault: a crash is PG_ERR_RUNTIME that
 * names `what` and the signal. *out is what `work` appended to its buffer, its status is the result. The child
 * dies with this process, and is killed on Ctrl-C. What `work` changes in memory is lost; files it writes and
 * what it logs stay. Threads of this process do not exist in the child. */
typedef pg_status (*pg_child_work)(void *context, pg_buf *out);
PG_MUST_USE pg_status pg_child_call(const char *what, pg_child_work work, void *context, pg_buf *out);

#endif

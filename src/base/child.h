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

/* A copy of this process that answers questions until it is stopped. A crash is the answer to the question that it
 * crashed on, PG_ERR_RUNTIME with `what` and the signal; further questions then fail the same way. Ctrl-C kills the
 * child and is PG_ERR_INTERRUPTED.
 *
 *     PG_TRY(pg_child_start("the runtime", answer, context, &child));
 *     PG_TRY(pg_child_ask(child, question, &reply));      // reply is appended
 *     pg_child_stop(child); */
typedef struct pg_child pg_child;
typedef pg_status (*pg_child_answer)(void *context, pg_str question, pg_buf *out);
PG_MUST_USE pg_status pg_child_start(const char *what, pg_child_answer answer, void *context, pg_child **out);
PG_MUST_USE pg_status pg_child_ask(pg_child *child, pg_str question, pg_buf *out);
/* Lets the child end by itself, or kills it. NULL is fine. */
void pg_child_stop(pg_child *child);

#endif

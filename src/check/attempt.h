/* One try of a model on a runtime, with all that the runtime says. */
#ifndef PG_CHECK_ATTEMPT_H
#define PG_CHECK_ATTEMPT_H

#include "check/lint.h"

typedef struct pg_attempt {
    pg_feed outputs;
    pg_status status;
    char *runner, *runtime; /* names; the runtime's may be NULL when it failed */
    pg_buf refusal;         /* the first text of ONNX Runtime that came with a failed call */
    PG_VEC(char *) log;     /* its warnings */
} pg_attempt;

/* Fills the zeroed attempt, which must stay where it is until it is ended. Without a feed the model is only
 * loaded. */
void pg_attempt_run(const pg_lint_engine *engine, pg_model *model, bool single, const pg_feed *feed,
                    pg_attempt *out);
void pg_attempt_end(pg_attempt *run);
/* Whether the fault says nothing about the model. */
bool pg_attempt_is_ours(const pg_attempt *run, const pg_lint_engine *engine);
/* The status, which is the caller's from then on. */
PG_MUST_USE pg_status pg_attempt_take(pg_attempt *run);
/* Why it failed, without the names of this one run. */
void pg_attempt_message(const pg_attempt *run, pg_buf *out);

#endif

/* Shared by the runner folder and its backends. */
#ifndef PG_RUNNER_INTERNAL_H
#define PG_RUNNER_INTERNAL_H

#include "runner/runner.h"

/* PG_ERR_INVALID unless the feed has exactly the inputs, each of the stated kind and element type and with a
 * shape that agrees with the fixed dims. The message names what was expected and what was found. */
PG_MUST_USE pg_status pg_feed_check(pg_io_list inputs, const pg_feed *feed);

/* "tensor(float32) of shape (1, 'N', -1)"; a sequence, map or optional names what it holds. */
void pg_type_text(pg_buf *out, const pg_type *type);
/* The same for a value at hand. */
void pg_value_text(pg_buf *out, const pg_value *value);

#endif

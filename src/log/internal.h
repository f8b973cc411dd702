/* Private to log/: names of packages under which scripts know our folders. */
#ifndef PG_LOG_INTERNAL_H
#define PG_LOG_INTERNAL_H

#include <stdbool.h>

#include "base/str.h"

/* Folders and files below src/ that a path of Polygraphy's Python package stands for ("backend/trt",
 * "tools/run/run.py"); NULL-terminated, or NULL when it is none of theirs. */
const char *const *pg_log_aliases(pg_str path);
/* Whether `path` is `prefix` or lies under it. */
bool pg_log_path_covers(pg_str prefix, pg_str path);

#endif

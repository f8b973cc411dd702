/* Shared among the files of `inspect data`. */
#ifndef PG_TOOLS_INSPECT_DATA_H
#define PG_TOOLS_INSPECT_DATA_H

#include "base/buf.h"
#include "base/status.h"

/* The text of a file of accuracy results; `all` iterations or the first of each pair. */
PG_MUST_USE pg_status pg_inspect_accuracy(const char *path, bool all, pg_buf *out);

#endif

/* Shared libraries found at run time, and tables of their functions. */
#ifndef PG_BASE_DYLIB_H
#define PG_BASE_DYLIB_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

typedef struct pg_dylib {
    void *handle;
    char *path; /* owned; what was opened */
} pg_dylib;

/* `path` may be a plain name for the loader's search. PG_ERR_UNAVAILABLE with the loader's own text on
 * failure. */
PG_MUST_USE pg_status pg_dylib_open(pg_dylib *library, const char *path);
void pg_dylib_close(pg_dylib *library);
void *pg_dylib_find(const pg_dylib *library, const char *symbol); /* NULL when missing */

/* A row of a function table: where to store which symbol. */
typedef struct pg_dylib_symbol {
    const char *name;
    size_t offset; /* of the function pointer in the struct handed to pg_dylib_load */
    bool optional;
} pg_dylib_symbol;
/* Fills every row or fails with PG_ERR_UNAVAILABLE naming the first missing symbol. */
PG_MUST_USE pg_status pg_dylib_load(const pg_dylib *library, const pg_dylib_symbol *symbols, size_t count,
                                    void *functions);

/* The first existing file matching a shell pattern in one of the places where Python packages of the active
 * environment are (VIRTUAL_ENV, then the python3 on PATH, then the usual system folders): e.g.
 * "onnxruntime/capi/libonnxruntime.so*". With several matches the highest version sorts first. The caller
 * frees; NULL when there is none. Starts no process. */
char *pg_dylib_find_in_site_packages(const char *pattern);

#endif

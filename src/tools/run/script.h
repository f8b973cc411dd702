/* What both languages of --gen-script share. A program is written into a pg_buf from the finished options. */
#ifndef PG_TOOLS_RUN_SCRIPT_H
#define PG_TOOLS_RUN_SCRIPT_H

#include "tools/run/internal.h"

typedef struct run_language {
    const char *name;    /* as messages call it */
    const char *options; /* a name of each option that can be expressed, separated by blanks */
    /* Fails for an option whose value cannot be expressed. */
    PG_MUST_USE pg_status (*write)(const run_args *args, pg_arena *arena, pg_buf *out);
} run_language;

extern const run_language run_language_python, run_language_c;

#endif

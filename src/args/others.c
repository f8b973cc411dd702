/* Small groups of systems that this version lacks. */
#include "args/args.h"
#include "args/missing.h"

static const pg_option script_rows[] = {
    MISSING_PATH("--gen --gen-script", "script generation",
                 "write a Python script that does the same, and exit"),
};
const pg_group pg_group_script = {"Script", script_rows, PG_COUNT(script_rows)};

#include "args/args.h"

static const pg_option rows[] = {
    {"--gen --gen-script", PG_FIELD(pg_args_script, path), .metavar = "FILE", .flags = PG_OPTION_PATH,
     .help = "write a program that does the same, and exit: a Python script for Polygraphy's package, a C "
             "program "
             "against libpolygraphy when the name ends in '.c', '-' for Python on standard output"},
};
const pg_group pg_group_script = {"Script", rows, PG_COUNT(rows)};

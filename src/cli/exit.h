/* Exit statuses of the program: one table, shown by `polygraphy --help` and by the documentation. */
#ifndef PG_CLI_EXIT_H
#define PG_CLI_EXIT_H

#define PG_EXIT_TABLE(X)                                                                                \
    X(PG_EXIT_PASSED, 0, "the command did its work and every check passed")                             \
    X(PG_EXIT_FAILED, 1, "a comparison or check failed, an option is unknown, or an error was printed") \
    X(PG_EXIT_USAGE, 2, "the command line is incomplete or a value is not allowed")                     \
    X(PG_EXIT_INTERRUPTED, 130, "stopped by Ctrl-C")

typedef enum pg_exit {
#define PG_EXIT_ENUM(name, number, text) name = number,
    PG_EXIT_TABLE(PG_EXIT_ENUM)
#undef PG_EXIT_ENUM
} pg_exit;

#endif

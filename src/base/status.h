/* Errors as values.
 *
 * A `pg_status` is NULL when all went well. Otherwise it owns an error: a code, a message and the context
 * that the callers added on the way up. The one who receives it passes it on (PG_TRY) or ends it
 * (pg_status_drop).
 *
 *     PG_TRY(pg_file_map(path, &map));                               // pass on
 *     PG_TRY_CTX(parse(&map), "while reading '%s'", path);           // pass on, say where
 *     if ((st = probe()) != NULL) { ...; pg_status_drop(st); }       // handle here
 *
 * Messages: lower case, no full stop, what failed first, names in single quotes, then what to do about it. A
 * function that logs an error does not return it as well. Input, environment and device faults are statuses;
 * a broken invariant is PG_BUG(), which ends the process.
 */
#ifndef PG_BASE_STATUS_H
#define PG_BASE_STATUS_H

#include <stdarg.h>
#include <stddef.h>

#define PG_MUST_USE __attribute__((warn_unused_result))
#define PG_PRINTF(format_index, first_arg) __attribute__((format(printf, format_index, first_arg)))
#define PG_NORETURN __attribute__((noreturn))

typedef enum pg_code {
    PG_OK = 0,
    PG_ERR_INVALID,     /* the user's input, file or model is wrong */
    PG_ERR_NOT_FOUND,   /* a file, name or key that should exist does not */
    PG_ERR_IO,          /* the system could not read or write */
    PG_ERR_UNAVAILABLE, /* a runtime or library is not installed */
    PG_ERR_UNSUPPORTED, /* understood, but this program or runtime cannot do it */
    PG_ERR_RUNTIME,     /* a runtime refused or failed; the message holds its own words */
    PG_ERR_LIMIT,       /* a documented limit was exceeded (depth, size, time) */
    PG_ERR_NO_MEMORY,   /* memory of tensor size could not be had */
    PG_ERR_INTERRUPTED, /* Ctrl-C */
    PG_ERR_USAGE,       /* a command line that cannot be parsed (exit status 2) */
    PG_ERR_FAILED,      /* the work ran, its check did not pass (already reported) */
} pg_code;

typedef struct pg_error pg_error;
typedef pg_error *pg_status;

#define PG_NEVER_OK \
    __attribute__((returns_nonnull)) /* lets the compiler see that what follows a success is set */

PG_MUST_USE PG_NEVER_OK PG_PRINTF(2, 3) pg_status pg_err(pg_code code, const char *format, ...);
PG_MUST_USE PG_NEVER_OK pg_status pg_err_v(pg_code code, const char *format, va_list args);
/* As pg_err, with ": " and the text of the C library's error number at the end. */
PG_MUST_USE PG_NEVER_OK PG_PRINTF(3, 4) pg_status
    pg_err_errno(pg_code code, int error_number, const char *format, ...);

/* Adds an outer line of context; returns the same status. NULL stays NULL. */
PG_MUST_USE PG_PRINTF(2, 3) pg_status pg_status_context(pg_status status, const char *format, ...);

/* PG_OK for NULL. */
pg_code pg_status_code(pg_status status);
/* "message (context, outer context)"; valid until the status is dropped. "" for NULL. */
const char *pg_status_message(pg_status status);
/* Ends a status; NULL is fine. */
void pg_status_drop(pg_status status);
/* Keeps the first of two errors and drops the second: for clean-up that may fail as well. */
PG_MUST_USE pg_status pg_status_first(pg_status first, pg_status second);

#define PG_TRY(call)                                     \
    do {                                                 \
        pg_status pg_try_status_ = (call);               \
        if (__builtin_expect(pg_try_status_ != NULL, 0)) \
            return pg_try_status_;                       \
    } while (0)

#define PG_TRY_CTX(call, ...)                                      \
    do {                                                           \
        pg_status pg_try_status_ = (call);                         \
        if (__builtin_expect(pg_try_status_ != NULL, 0))           \
            return pg_status_context(pg_try_status_, __VA_ARGS__); \
    } while (0)

/* For functions with a clean-up label: sets `status` and goes to `done`. */
#define PG_TRY_GOTO(status, call)                  \
    do {                                           \
        (status) = (call);                         \
        if (__builtin_expect((status) != NULL, 0)) \
            goto done;                             \
    } while (0)

PG_NORETURN PG_PRINTF(3, 4) void pg_bug(const char *file, int line, const char *format, ...);
#define PG_BUG(...) pg_bug(__FILE__, __LINE__, __VA_ARGS__)
#define PG_ASSERT(condition) ((condition) ? (void)0 : PG_BUG("assertion failed: %s", #condition))

#endif

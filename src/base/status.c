#include "base/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pg_error {
    pg_code code;
    char *message; /* owned; grows with each context line */
};

/* Used when not even the error can be allocated; never freed. */
static char no_memory_text[] = "out of memory";
static pg_error no_memory_error = {PG_ERR_NO_MEMORY, no_memory_text};

static char *format_text(const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (length < 0)
        return NULL;
    char *text = malloc((size_t)length + 1);
    if (text != NULL)
        vsnprintf(text, (size_t)length + 1, format, args);
    return text;
}

/* Takes ownership of `text`. */
static pg_status new_error(pg_code code, char *text)
{
    pg_error *error = text != NULL ? malloc(sizeof *error) : NULL;
    if (error == NULL) {
        free(text);
        return &no_memory_error;
    }
    error->code = code;
    error->message = text;
    return error;
}

pg_status pg_err_v(pg_code code, const char *format, va_list args)
{
    return new_error(code, format_text(format, args));
}

pg_status pg_err(pg_code code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    pg_status status = pg_err_v(code, format, args);
    va_end(args);
    return status;
}

/* Replaces the message by "message<join>extra<close>". */
static void append_text(pg_error *error, const char *join, const char *extra, const char *close)
{
    size_t have = strlen(error->message), a = strlen(join), b = strlen(extra), c = strlen(close);
    char *text = realloc(error->message, have + a + b + c + 1);
    if (text == NULL)
        return; /* the shorter message still stands */
    memcpy(text + have, join, a);
    memcpy(text + have + a, extra, b);
    memcpy(text + have + a + b, close, c + 1);
    error->message = text;
}

pg_status pg_err_errno(pg_code code, int error_number, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    pg_status status = pg_err_v(code, format, args);
    va_end(args);
    if (status != &no_memory_error) {
        char text[256];
        append_text(status, ": ", strerror_r(error_number, text, sizeof text), "");
    }
    return status;
}

pg_status pg_status_context(pg_status status, const char *format, ...)
{
    if (status == NULL || status == &no_memory_error)
        return status;
    va_list args;
    va_start(args, format);
    char *text = format_text(format, args);
    va_end(args);
    if (text != NULL)
        append_text(status, " (", text, ")");
    free(text);
    return status;
}

pg_code pg_status_code(pg_status status)
{
    return status == NULL ? PG_OK : status->code;
}

const char *pg_status_message(pg_status status)
{
    return status == NULL ? "" : status->message;
}

void pg_status_drop(pg_status status)
{
    if (status == NULL || status == &no_memory_error)
        return;
    free(status->message);
    free(status);
}

pg_status pg_status_first(pg_status first, pg_status second)
{
    if (first == NULL)
        return second;
    pg_status_drop(second);
    return first;
}

void pg_bug(const char *file, int line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "polygraphy: internal error at %s:%d: ", file, line);
    vfprintf(stderr, format, args);
    fputs("\nThis is a defect in polygraphy itself; please report it with the command line.\n", stderr);
    va_end(args);
    abort();
}

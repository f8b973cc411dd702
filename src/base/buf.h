/* Growable text or bytes, always followed by a zero byte. A zeroed struct is empty. */
#ifndef PG_BASE_BUF_H
#define PG_BASE_BUF_H

#include <stddef.h>

#include "base/status.h"
#include "base/str.h"

typedef struct pg_buf {
    char *ptr; /* NULL while empty */
    size_t len, cap;
} pg_buf;

void pg_buf_deinit(pg_buf *buf);
void pg_buf_clear(pg_buf *buf); /* keeps the memory */
void pg_buf_reserve(pg_buf *buf, size_t extra);
void pg_buf_add(pg_buf *buf, const void *bytes, size_t length);
void pg_buf_add_str(pg_buf *buf, pg_str text);
void pg_buf_puts(pg_buf *buf, const char *text);
void pg_buf_putc(pg_buf *buf, char c);
void pg_buf_pad(pg_buf *buf, char c, size_t count);
PG_PRINTF(2, 3) void pg_buf_printf(pg_buf *buf, const char *format, ...);
static inline pg_str pg_buf_str(const pg_buf *buf)
{
    return (pg_str){buf->ptr, buf->len};
}
/* Zero-terminated; "" while empty; valid until the next change. */
static inline const char *pg_buf_cstr(const pg_buf *buf)
{
    return buf->ptr != NULL ? buf->ptr : "";
}

#endif

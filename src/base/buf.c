#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"

void pg_buf_deinit(pg_buf *buf)
{
    free(buf->ptr);
    *buf = (pg_buf){0};
}

void pg_buf_clear(pg_buf *buf)
{
    buf->len = 0;
    if (buf->ptr != NULL)
        buf->ptr[0] = '\0';
}

void pg_buf_reserve(pg_buf *buf, size_t extra)
{
    if (buf->cap - buf->len > extra)
        return;
    size_t cap = PG_MAX(buf->len + extra + 1, buf->cap * 2);
    cap = PG_MAX(cap, (size_t)64);
    buf->ptr = pg_realloc(buf->ptr, cap, 1);
    buf->cap = cap;
    buf->ptr[buf->len] = '\0';
}

void pg_buf_add(pg_buf *buf, const void *bytes, size_t length)
{
    pg_buf_reserve(buf, length);
    if (length > 0)
        memcpy(buf->ptr + buf->len, bytes, length);
    buf->len += length;
    buf->ptr[buf->len] = '\0';
}

void pg_buf_add_str(pg_buf *buf, pg_str text)
{
    pg_buf_add(buf, text.ptr, text.len);
}

void pg_buf_puts(pg_buf *buf, const char *text)
{
    pg_buf_add(buf, text, strlen(text));
}

void pg_buf_putc(pg_buf *buf, char c)
{
    pg_buf_add(buf, &c, 1);
}

void pg_buf_pad(pg_buf *buf, char c, size_t count)
{
    pg_buf_reserve(buf, count);
    memset(buf->ptr + buf->len, c, count);
    buf->len += count;
    buf->ptr[buf->len] = '\0';
}

void pg_buf_printf(pg_buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0)
        PG_BUG("format '%s' failed", format);
    pg_buf_reserve(buf, (size_t)length);
    va_start(args, format);
    vsnprintf(buf->ptr + buf->len, (size_t)length + 1, format, args);
    va_end(args);
    buf->len += (size_t)length;
}

/* The streaming writer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "json/base64.h"
#include "json/json.h"

/* One block of bytes and its text stay in the second-level cache together. */
enum { BASE64_BLOCK = 192 * 1024, BASE64_TEXT = BASE64_BLOCK / 3 * 4, PARALLEL_FROM = 4 << 20 };

static void put(pg_json_writer *w, const char *text, size_t size)
{
    if (w->file != NULL)
        pg_writer_add(w->file, text, size);
    else
        pg_buf_add(w->memory, text, size);
}

static void put_c(pg_json_writer *w, const char *text)
{
    put(w, text, strlen(text));
}

void pg_json_to_file(pg_json_writer *w, pg_writer *file, int indent)
{
    *w = (pg_json_writer){.file = file, .indent = indent};
}

void pg_json_to_memory(pg_json_writer *w, pg_buf *memory, int indent)
{
    *w = (pg_json_writer){.memory = memory, .indent = indent};
}

static void new_line(pg_json_writer *w)
{
    static const char blanks[] = "                                                                ";
    if (w->indent < 0)
        return;
    put(w, "\n", 1);
    for (size_t left = (size_t)w->indent * w->depth; left > 0;) {
        size_t some = PG_MIN(left, sizeof blanks - 1);
        put(w, blanks, some);
        left -= some;
    }
}

/* Before a key, or a value that is not a member: the comma and the new line. */
static void start_item(pg_json_writer *w)
{
    if (w->after_key) {
        w->after_key = false;
        return;
    }
    if (w->depth == 0)
        return;
    if (w->has_items[w->depth])
        put_c(w, w->indent < 0 ? ", " : ",");
    w->has_items[w->depth] = true;
    new_line(w);
}

static void begin(pg_json_writer *w, const char *bracket)
{
    start_item(w);
    put(w, bracket, 1);
    if (w->depth >= PG_JSON_MAX_DEPTH)
        PG_BUG("JSON written deeper than it can be read");
    w->has_items[++w->depth] = false;
}

static void end(pg_json_writer *w, const char *bracket)
{
    PG_ASSERT(w->depth > 0 && !w->after_key);
    bool had_items = w->has_items[w->depth--];
    if (had_items)
        new_line(w);
    put(w, bracket, 1);
}

void pg_json_begin_object(pg_json_writer *w)
{
    begin(w, "{");
}

void pg_json_end_object(pg_json_writer *w)
{
    end(w, "}");
}

void pg_json_begin_array(pg_json_writer *w)
{
    begin(w, "[");
}

void pg_json_end_array(pg_json_writer *w)
{
    end(w, "]");
}

static void put_escape(pg_json_writer *w, unsigned code)
{
    static const char plain[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    char text[16];
    const char *known = code < 0x80 && code != 0 ? strchr(plain, (int)code) : NULL;
    if (known != NULL)
        snprintf(text, sizeof text, "\\%c", letters[known - plain]);
    else if (code >= 0x10000)
        snprintf(text, sizeof text, "\\u%04x\\u%04x", 0xd800 + ((code - 0x10000) >> 10),
                 0xdc00 + ((code - 0x10000) & 0x3ff));
    else
        snprintf(text, sizeof text, "\\u%04x", code);
    put_c(w, text);
}

static void put_quoted(pg_json_writer *w, pg_str text)
{
    put(w, "\"", 1);
    for (size_t at = 0; at < text.len;) {
        size_t plain = at;
        while (plain < text.len && text.ptr[plain] >= ' ' && text.ptr[plain] <= '~' &&
               text.ptr[plain] != '"' && text.ptr[plain] != '\\')
            plain++;
        put(w, text.ptr + at, plain - at);
        at = plain;
        if (at < text.len) {
            unsigned code;
            at += pg_str_utf8(text, at, &code);
            put_escape(w, code);
        }
    }
    put(w, "\"", 1);
}

void pg_json_key_str(pg_json_writer *w, pg_str key)
{
    PG_ASSERT(w->depth > 0 && !w->after_key);
    start_item(w);
    put_quoted(w, key);
    put(w, ": ", 2);
    w->after_key = true;
}

void pg_json_key(pg_json_writer *w, const char *key)
{
    pg_json_key_str(w, pg_str_c(key));
}

void pg_json_put_number(pg_json_writer *w, const char *text)
{
    start_item(w);
    put_c(w, text);
}

void pg_json_put_null(pg_json_writer *w)
{
    pg_json_put_number(w, "null");
}

void pg_json_put_bool(pg_json_writer *w, bool value)
{
    pg_json_put_number(w, value ? "true" : "false");
}

void pg_json_put_i64(pg_json_writer *w, int64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)value);
    pg_json_put_number(w, text);
}

void pg_json_put_u64(pg_json_writer *w, uint64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    pg_json_put_number(w, text);
}

void pg_json_put_f64(pg_json_writer *w, double value)
{
    char text[PG_JSON_NUMBER_SIZE];
    pg_json_f64_text(value, text);
    pg_json_put_number(w, text);
}

void pg_json_put_f32(pg_json_writer *w, float value)
{
    char text[PG_JSON_NUMBER_SIZE];
    pg_json_f32_text(value, text);
    pg_json_put_number(w, text);
}

void pg_json_put_str(pg_json_writer *w, pg_str text)
{
    start_item(w);
    put_quoted(w, text);
}

void pg_json_put_cstr(pg_json_writer *w, const char *text)
{
    pg_json_put_str(w, pg_str_c(text));
}

void pg_json_begin_base64(pg_json_writer *w)
{
    start_item(w);
    put(w, "\"", 1);
    w->block = pg_realloc(NULL, BASE64_TEXT, 1);
    w->n_rest = 0;
}

static void encode_piece(void *bytes, uint64_t begin, uint64_t length, char *out)
{
    pg_base64_encode((const uint8_t *)bytes + begin / 4 * 3, length / 4 * 3, out);
}

/* Bytes go out in triples; up to two wait in `rest` for the next piece. Large arrays are encoded and written
 * by several threads. */
void pg_json_add_base64(pg_json_writer *w, const void *bytes, uint64_t size)
{
    const uint8_t *in = bytes;
    while (w->n_rest > 0 && w->n_rest < 3 && size > 0) {
        w->rest[w->n_rest++] = *in++;
        size--;
    }
    if (w->n_rest == 3) {
        pg_base64_encode(w->rest, 3, w->block);
        put(w, w->block, 4);
        w->n_rest = 0;
    }
    if (w->file != NULL && size >= PARALLEL_FROM) {
        pg_writer_add_filled(w->file, size / 3 * 4, BASE64_TEXT, encode_piece, (void *)in);
        in += size / 3 * 3;
        size %= 3;
    }
    for (; size >= 3;) {
        uint64_t some = PG_MIN(size / 3 * 3, (uint64_t)BASE64_BLOCK);
        pg_base64_encode(in, some, w->block);
        put(w, w->block, some / 3 * 4);
        in += some;
        size -= some;
    }
    while (size-- > 0)
        w->rest[w->n_rest++] = *in++;
}

void pg_json_end_base64(pg_json_writer *w)
{
    if (w->n_rest > 0) {
        pg_base64_encode(w->rest, w->n_rest, w->block);
        put(w, w->block, 4);
    }
    put(w, "\"", 1);
    free(w->block);
    w->block = NULL;
    w->n_rest = 0;
}

void pg_json_field_str(pg_json_writer *w, const char *key, pg_str value)
{
    pg_json_key(w, key);
    pg_json_put_str(w, value);
}

void pg_json_field_f64(pg_json_writer *w, const char *key, double value)
{
    pg_json_key(w, key);
    pg_json_put_f64(w, value);
}

void pg_json_field_i64(pg_json_writer *w, const char *key, int64_t value)
{
    pg_json_key(w, key);
    pg_json_put_i64(w, value);
}

void pg_json_field_bool(pg_json_writer *w, const char *key, bool value)
{
    pg_json_key(w, key);
    pg_json_put_bool(w, value);
}

/* Values of a parsed document as text and numbers. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "json/internal.h"

const pg_json *pg_json_find(const pg_json *object, const char *key)
{
    if (object == NULL || object->kind != PG_JSON_OBJECT)
        return NULL;
    for (size_t i = object->count; i-- > 0;)
        if (pg_str_is(object->members[i].key, key))
            return &object->members[i].value;
    return NULL;
}

static unsigned hex4(const char *text)
{
    unsigned value = 0;
    for (int i = 0; i < 4; i++) {
        unsigned char c = (unsigned char)text[i];
        value = value * 16 + (c <= '9' ? c - 48u : (c | 32u) - 'a' + 10u);
    }
    return value;
}

static char *put_utf8(char *out, unsigned code)
{
    if (code < 0x80) {
        *out++ = (char)code;
    } else if (code < 0x800) {
        *out++ = (char)(0xc0 | code >> 6);
        *out++ = (char)(0x80 | (code & 63));
    } else if (code < 0x10000) {
        *out++ = (char)(0xe0 | code >> 12);
        *out++ = (char)(0x80 | (code >> 6 & 63));
        *out++ = (char)(0x80 | (code & 63));
    } else {
        *out++ = (char)(0xf0 | code >> 18);
        *out++ = (char)(0x80 | (code >> 12 & 63));
        *out++ = (char)(0x80 | (code >> 6 & 63));
        *out++ = (char)(0x80 | (code & 63));
    }
    return out;
}

/* At the 'u' of an escape; returns the position after it (and after the low half of a pair). */
static const char *resolve_code(const char *at, const char *end, char **out)
{
    unsigned code = hex4(at + 1);
    at += 5;
    if (code >= 0xd800 && code < 0xdc00 && end - at >= 6 && at[0] == '\\' && at[1] == 'u') {
        unsigned low = hex4(at + 2);
        if (low >= 0xdc00 && low < 0xe000) {
            *out = put_utf8(*out, 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00));
            return at + 6;
        }
    }
    if (code >= 0xdc80 && code <= 0xdcff)
        *(*out)++ = (char)(code & 0xff);
    else
        *out = put_utf8(*out, code);
    return at;
}

pg_str pg_json_unescape(const char *text, size_t size, pg_arena *arena)
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    char *result = pg_arena_alloc(arena, size + 1, 1), *out = result;
    const char *end = text + size;
    while (text < end) {
        const char *slash = memchr(text, '\\', (size_t)(end - text));
        size_t plain = (size_t)((slash != NULL ? slash : end) - text);
        memcpy(out, text, plain);
        out += plain;
        text += plain;
        if (slash == NULL)
            break;
        text++;
        if (*text == 'u') {
            text = resolve_code(text, end, &out);
            continue;
        }
        const char *known = strchr(from, *text);
        *out++ = known != NULL ? to[known - from] : *text;
        text++;
    }
    return (pg_str){result, (size_t)(out - result)};
}

bool pg_json_text(const pg_json *value, pg_arena *arena, pg_str *out)
{
    if (value == NULL || value->kind != PG_JSON_STRING)
        return false;
    *out = value->escaped ? pg_json_unescape(value->text, value->count, arena)
                          : (pg_str){value->text, value->count};
    return true;
}

bool pg_json_is(const pg_json *value, const char *text)
{
    return value != NULL && value->kind == PG_JSON_STRING && !value->escaped &&
           pg_str_is((pg_str){value->text, value->count}, text);
}

/* A number of any length: more digits than base/str.h takes are cut off, far behind what a double can hold.
 */
static bool long_number(pg_str text, double *out)
{
    char copy[400];
    size_t exponent = text.len;
    for (size_t i = 0; i < text.len && exponent == text.len; i++)
        if (text.ptr[i] == 'e' || text.ptr[i] == 'E')
            exponent = i;
    size_t point = pg_str_find(text, '.'), tail = text.len - exponent;
    if (point > 300 || tail > 64)
        return false;
    size_t head = PG_MIN(exponent, sizeof copy - tail);
    memcpy(copy, text.ptr, head);
    memcpy(copy + head, text.ptr + exponent, tail);
    return pg_str_to_f64((pg_str){copy, head + tail}, out);
}

bool pg_json_f64(const pg_json *value, double *out)
{
    if (value == NULL || value->kind != PG_JSON_NUMBER)
        return false;
    pg_str text = {value->text, value->count};
    return text.len < 400 ? pg_str_to_f64(text, out) : long_number(text, out);
}

bool pg_json_i64(const pg_json *value, int64_t *out)
{
    return value != NULL && value->kind == PG_JSON_NUMBER &&
           pg_str_to_i64((pg_str){value->text, value->count}, out);
}

const char *pg_json_kind_name(pg_json_kind kind)
{
    static const char *const names[] = {"null", "a bool", "a number", "a string", "a list", "an object"};
    return names[kind];
}

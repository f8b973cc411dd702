/* The text header of a .npy file: a Python dictionary of three entries. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "npy/internal.h"

static const char magic[] = "\x93NUMPY";

pg_status pg_npy_header_size(const void *bytes, uint64_t available, uint64_t *out)
{
    const uint8_t *in = bytes;
    if (available < 6 || memcmp(in, magic, 6) != 0)
        return pg_err(PG_ERR_INVALID, "not a .npy array: the first bytes are not \"\\x93NUMPY\"");
    if (available < 10)
        return pg_err(PG_ERR_INVALID, "a .npy array is cut short in its header, after %llu bytes",
                      (unsigned long long)available);
    unsigned major = in[6], prefix = major == 1 ? 10 : 12;
    if (major < 1 || major > 3)
        return pg_err(PG_ERR_UNSUPPORTED, "a .npy array of version %u.%u; versions 1 to 3 are known", major,
                      in[7]);
    if (available < prefix)
        return pg_err(PG_ERR_INVALID, "a .npy array is cut short in its header, after %llu bytes",
                      (unsigned long long)available);
    uint64_t length = in[8] | (uint64_t)in[9] << 8;
    if (major > 1)
        length |= (uint64_t)in[10] << 16 | (uint64_t)in[11] << 24;
    if (length > PG_NPY_MAX_HEADER)
        return pg_err(PG_ERR_LIMIT, "a .npy header of %llu bytes; at most %d are read",
                      (unsigned long long)length, PG_NPY_MAX_HEADER);
    *out = prefix + length;
    return NULL;
}

/* A cursor over the dictionary's text; `start` is the file's first byte, for offsets. */
typedef struct cursor {
    const char *start, *at, *end;
} cursor;

static pg_status malformed(const cursor *c, const char *what)
{
    return pg_err(PG_ERR_INVALID, "malformed .npy header: %s at byte %llu", what,
                  (unsigned long long)(c->at - c->start));
}

static void skip_blanks(cursor *c)
{
    while (c->at < c->end && strchr(" \t\r\n", *c->at) != NULL && *c->at != '\0')
        c->at++;
}

static bool take(cursor *c, char wanted)
{
    skip_blanks(c);
    bool found = c->at < c->end && *c->at == wanted;
    c->at += found;
    return found;
}

static bool take_word(cursor *c, const char *word)
{
    size_t length = strlen(word);
    skip_blanks(c);
    bool found = (size_t)(c->end - c->at) >= length && memcmp(c->at, word, length) == 0;
    c->at += found ? length : 0;
    return found;
}

static pg_status take_text(cursor *c, pg_str *out)
{
    skip_blanks(c);
    if (c->at >= c->end || (*c->at != '\'' && *c->at != '"'))
        return malformed(c, "a text in quotes was expected");
    char quote = *c->at++;
    const char *close = memchr(c->at, quote, (size_t)(c->end - c->at));
    if (close == NULL)
        return malformed(c, "a text without its closing quote");
    *out = (pg_str){c->at, (size_t)(close - c->at)};
    c->at = close + 1;
    return NULL;
}

static pg_status take_shape(cursor *c, pg_npy_header *out)
{
    if (!take(c, '('))
        return malformed(c, "the shape was expected as a tuple");
    while (!take(c, ')')) {
        skip_blanks(c);
        const char *digits = c->at;
        while (c->at < c->end && *c->at >= '0' && *c->at <= '9')
            c->at++;
        int64_t dim;
        if (c->at == digits || !pg_str_to_i64((pg_str){digits, (size_t)(c->at - digits)}, &dim))
            return malformed(c, "a dimension was expected");
        (void)take(c, 'L'); /* as Python 2 wrote long integers */
        if (out->rank >= PG_MAX_RANK)
            return pg_err(PG_ERR_LIMIT, "a .npy array has more than %d dimensions", PG_MAX_RANK);
        out->dims[out->rank++] = dim;
        if (!take(c, ',')) {
            if (!take(c, ')'))
                return malformed(c, "',' or ')' was expected");
            break;
        }
    }
    return NULL;
}

/* Element type from kind letter and bytes per element. */
static pg_dtype find_dtype(char kind, uint64_t size)
{
    static const struct {
        char kind;
        uint8_t size, dtype;
    } rows[] = {
        {'f', 2, PG_F16}, {'f', 4, PG_F32},   {'f', 8, PG_F64}, {'i', 1, PG_I8},
        {'i', 2, PG_I16}, {'i', 4, PG_I32},   {'i', 8, PG_I64}, {'u', 1, PG_U8},
        {'u', 2, PG_U16}, {'u', 4, PG_U32},   {'u', 8, PG_U64}, {'b', 1, PG_BOOL},
        {'c', 8, PG_C64}, {'c', 16, PG_C128}, {'V', 1, PG_U8},  {'V', 2, PG_BF16},
    };
    for (size_t i = 0; i < PG_COUNT(rows); i++)
        if (rows[i].kind == kind && rows[i].size == size)
            return (pg_dtype)rows[i].dtype;
    return PG_UNDEFINED;
}

static pg_status unsupported(pg_str descr)
{
    char kind = descr.len > 1 ? descr.ptr[strchr("<>|=", descr.ptr[0]) != NULL] : '\0';
    const char *why = kind == 'O'                  ? "pickled Python objects are never read"
                      : kind == 'M' || kind == 'm' ? "dates and times are not tensor elements"
                      : kind == 'V'                ? "raw bytes of this size name no element type"
                      : kind == 'f' || kind == 'c' ? "extended precision depends on the machine that wrote it"
                                                   : "the type is not known";
    return pg_err(PG_ERR_UNSUPPORTED, "a .npy array of type '%" PG_STR_FMT "' cannot be read: %s",
                  PG_STR_ARG(descr), why);
}

static pg_status parse_descr(pg_str descr, pg_npy_header *out)
{
    pg_str rest = descr;
    char order = '|';
    if (rest.len > 0 && strchr("<>|=", rest.ptr[0]) != NULL && rest.ptr[0] != '\0') {
        order = rest.ptr[0];
        rest = pg_str_sub(rest, 1, rest.len);
    }
    uint64_t size;
    if (rest.len < 2 || !pg_str_to_u64(pg_str_sub(rest, 1, rest.len), &size) || size > INT32_MAX)
        return unsupported(descr);
    out->kind = rest.ptr[0] == 'a' ? 'S' : rest.ptr[0];
    bool text = out->kind == 'U' || out->kind == 'S';
    out->dtype = text ? PG_STRING : find_dtype(out->kind, size);
    if (out->dtype == PG_UNDEFINED)
        return unsupported(descr);
    out->item_size = out->kind == 'U' ? size * 4 : size;
    out->swapped = order == '>' && out->kind != 'V' && out->kind != 'S' && out->item_size > 1;
    return NULL;
}

static pg_status take_descr(cursor *c, pg_npy_header *out)
{
    skip_blanks(c);
    if (c->at < c->end && (*c->at == '[' || *c->at == '(')) {
        size_t length = PG_MIN((size_t)(c->end - c->at), (size_t)60);
        return pg_err(
            PG_ERR_UNSUPPORTED,
            "a .npy array of structured elements cannot be read: %.*s...; save each field as its own array",
            (int)length, c->at);
    }
    pg_str descr;
    PG_TRY(take_text(c, &descr));
    return parse_descr(descr, out);
}

enum { HAS_DESCR = 1, HAS_ORDER = 2, HAS_SHAPE = 4, HAS_ALL = 7 };

static pg_status take_entry(cursor *c, pg_npy_header *out, unsigned *seen)
{
    pg_str key;
    PG_TRY(take_text(c, &key));
    if (!take(c, ':'))
        return malformed(c, "':' was expected");
    unsigned which = pg_str_is(key, "descr")           ? HAS_DESCR
                     : pg_str_is(key, "fortran_order") ? HAS_ORDER
                     : pg_str_is(key, "shape")         ? HAS_SHAPE
                                                       : 0;
    if (which == 0 || (*seen & which) != 0)
        return malformed(c, "an unknown or repeated key");
    *seen |= which;
    if (which == HAS_DESCR)
        return take_descr(c, out);
    if (which == HAS_SHAPE)
        return take_shape(c, out);
    out->fortran = take_word(c, "True");
    return out->fortran || take_word(c, "False") ? NULL : malformed(c, "True or False was expected");
}

/* Sizes from the dims; a column-major array whose elements lie as a row-major one's is called row-major. */
static pg_status measure(pg_npy_header *out)
{
    uint64_t count;
    if (!pg_dims_count(out->rank, out->dims, &count) ||
        pg_mul_overflow(count, out->item_size, &out->data_size) || out->data_size > INT64_MAX)
        return pg_err(PG_ERR_LIMIT, "a .npy array whose size overflows 63 bits");
    if (out->item_size == 0 && count > 1 << 20)
        return pg_err(PG_ERR_LIMIT, "a .npy array of %llu empty texts", (unsigned long long)count);
    unsigned wide = 0;
    for (unsigned i = 0; i < out->rank; i++)
        wide += out->dims[i] != 1;
    if (wide < 2 || count == 0)
        out->fortran = false;
    return NULL;
}

pg_status pg_npy_parse_header(const void *bytes, uint64_t available, pg_npy_header *out)
{
    *out = (pg_npy_header){0};
    PG_TRY(pg_npy_header_size(bytes, available, &out->size));
    if (out->size > available)
        return pg_err(PG_ERR_INVALID,
                      "a .npy array is cut short: its header takes %llu bytes, %llu are there",
                      (unsigned long long)out->size, (unsigned long long)available);
    const char *text = bytes;
    cursor c = {.start = text, .at = text + (text[6] == 1 ? 10 : 12), .end = text + out->size};
    unsigned seen = 0;
    if (!take(&c, '{'))
        return malformed(&c, "'{' was expected");
    while (!take(&c, '}')) {
        PG_TRY(take_entry(&c, out, &seen));
        if (!take(&c, ',')) {
            if (!take(&c, '}'))
                return malformed(&c, "',' or '}' was expected");
            break;
        }
    }
    skip_blanks(&c);
    if (seen != HAS_ALL || c.at < c.end)
        return malformed(&c, seen != HAS_ALL ? "descr, fortran_order or shape is missing" : "more text");
    return measure(out);
}

/* numpy leaves room for the first dimension to grow to 21 digits, then pads to a multiple of 64 and pads a
 * whole block when nothing is missing. */
void pg_npy_header_text(const char *descr, size_t rank, const int64_t *dims, pg_buf *out)
{
    pg_buf text = {0};
    pg_buf_printf(&text, "{'descr': '%s', 'fortran_order': False, 'shape': ", descr);
    pg_shape_text(&text, rank, dims);
    pg_buf_puts(&text, ", }");
    if (rank > 0) {
        char digits[32];
        int length = snprintf(digits, sizeof digits, "%lld", (long long)dims[0]);
        pg_buf_pad(&text, ' ', 21 - (size_t)length);
    }
    pg_buf_pad(&text, ' ', 64 - (10 + text.len + 1) % 64);
    pg_buf_putc(&text, '\n');
    pg_buf_add(out, magic, 6);
    const char version_and_size[] = {1, 0, (char)(text.len & 0xff), (char)(text.len >> 8)};
    pg_buf_add(out, version_and_size, sizeof version_and_size);
    pg_buf_add_str(out, pg_buf_str(&text));
    pg_buf_deinit(&text);
}

#include "json/json.h"

#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "base/vec.h"
#include "json/internal.h"

/* A recursive-descent parser. Children of an open list or object wait on a stack shared by all levels and
 * move to the arena when it closes, so each lies in one block. */
typedef struct parser {
    const char *start, *end;
    const char *at;
    const char *name;
    pg_arena *arena;
    unsigned depth;
    PG_VEC(pg_json) items;
    PG_VEC(pg_json_member) members;
} parser;

uint64_t pg_json_line(const void *bytes, uint64_t size, uint64_t offset)
{
    const char *at = bytes, *end = at + PG_MIN(offset, size);
    uint64_t line = 1;
    while (at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        line++;
        at++;
    }
    return line;
}

static pg_status fail(const parser *p, pg_code code, const char *at, const char *what)
{
    uint64_t offset = (uint64_t)(at - p->start);
    return pg_err(code, "'%s' is not valid JSON: %s at byte %llu (line %llu)%s", p->name, what,
                  (unsigned long long)offset,
                  (unsigned long long)pg_json_line(p->start, (uint64_t)(p->end - p->start), offset),
                  at >= p->end ? ", the end of the file" : "");
}

static pg_status invalid(const parser *p, const char *at, const char *what)
{
    return fail(p, PG_ERR_INVALID, at, what);
}

static void skip_blanks(parser *p)
{
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\n' || *p->at == '\t' || *p->at == '\r'))
        p->at++;
}

/* First byte at or after `at` that is a quote, a backslash or a control character; `end` when there is none.
 */
static const char *scan_string(const char *at, const char *end)
{
#if defined(__SSE2__)
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\'), control = _mm_set1_epi8(0x1f);
    for (; end - at >= 16; at += 16) {
        __m128i c = _mm_loadu_si128((const __m128i *)(const void *)at);
        __m128i hit = _mm_or_si128(_mm_cmpeq_epi8(c, quote), _mm_cmpeq_epi8(c, slash));
        hit = _mm_or_si128(hit, _mm_cmpeq_epi8(_mm_min_epu8(c, control), c));
        int mask = _mm_movemask_epi8(hit);
        if (mask != 0)
            return at + __builtin_ctz((unsigned)mask);
    }
#endif
    while (at < end && *at != '"' && *at != '\\' && (unsigned char)*at > 0x1f)
        at++;
    return at;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Moves past the escape that starts at `at`. */
static pg_status skip_escape(const parser *p, const char **at)
{
    const char *escape = *at;
    if (p->end - escape < 2)
        return invalid(p, p->end, "a string without its closing quote");
    char kind = escape[1];
    *at = escape + 2;
    if (kind != '\0' && strchr("\"\\/bfnrt", kind) != NULL)
        return NULL;
    if (kind != 'u')
        return invalid(p, escape, "an unknown escape in a string");
    for (int i = 0; i < 4; i++, (*at)++)
        if (*at >= p->end || !is_hex(**at))
            return invalid(p, escape, "a \\u escape without four hexadecimal digits");
    return NULL;
}

/* At an opening quote. Leaves the text between the quotes in *out. */
static pg_status parse_string(parser *p, pg_json *out)
{
    const char *begin = p->at + 1, *at = begin;
    for (;;) {
        at = scan_string(at, p->end);
        if (at >= p->end)
            return invalid(p, p->end, "a string without its closing quote");
        if (*at == '"')
            break;
        if (*at != '\\')
            return invalid(p, at, "a control character in a string");
        out->escaped = true;
        PG_TRY(skip_escape(p, &at));
    }
    out->kind = PG_JSON_STRING;
    out->text = begin;
    out->count = (size_t)(at - begin);
    p->at = at + 1;
    return NULL;
}

static const char *skip_digits(const parser *p, const char *at)
{
    while (at < p->end && *at >= '0' && *at <= '9')
        at++;
    return at;
}

static bool take_word(parser *p, const char *word)
{
    size_t length = strlen(word);
    if ((size_t)(p->end - p->at) < length || memcmp(p->at, word, length) != 0)
        return false;
    p->at += length;
    return true;
}

static pg_status parse_number(parser *p, pg_json *out)
{
    const char *begin = p->at, *at = begin;
    out->kind = PG_JSON_NUMBER;
    out->text = begin;
    if (take_word(p, "NaN") || take_word(p, "Infinity") || take_word(p, "-Infinity")) {
        out->count = (size_t)(p->at - begin);
        return NULL;
    }
    at += *at == '-';
    const char *digits = at;
    at = skip_digits(p, at);
    if (at == digits)
        return invalid(p, begin, "a value was expected");
    if (*digits == '0' && at - digits > 1)
        return invalid(p, begin, "a number with a leading zero");
    if (at < p->end && *at == '.') {
        const char *fraction = at + 1;
        at = skip_digits(p, fraction);
        if (at == fraction)
            return invalid(p, at, "a number without digits after its point");
    }
    if (at < p->end && (*at == 'e' || *at == 'E')) {
        at++;
        at += at < p->end && (*at == '+' || *at == '-');
        const char *exponent = at;
        at = skip_digits(p, exponent);
        if (at == exponent)
            return invalid(p, at, "a number without digits in its exponent");
    }
    out->count = (size_t)(at - begin);
    p->at = at;
    return NULL;
}

static pg_status parse_value(parser *p, pg_json *out);

/* After the opening bracket. */
static pg_status parse_array(parser *p, pg_json *out)
{
    size_t first = p->items.len;
    out->kind = PG_JSON_ARRAY;
    skip_blanks(p);
    bool more = p->at >= p->end || *p->at != ']';
    while (more) {
        pg_json item;
        PG_TRY(parse_value(p, &item));
        PG_VEC_PUSH(&p->items, item);
        skip_blanks(p);
        if (p->at >= p->end || (*p->at != ',' && *p->at != ']'))
            return invalid(p, p->at, "',' or ']' was expected");
        more = *p->at == ',';
        p->at += more;
    }
    p->at++;
    out->count = p->items.len - first;
    pg_json *items = PG_ARENA_ARRAY(p->arena, pg_json, out->count);
    if (out->count > 0)
        memcpy(items, p->items.items + first, out->count * sizeof *items);
    out->items = items;
    p->items.len = first;
    return NULL;
}

static pg_status parse_member(parser *p)
{
    pg_json key = {0};
    pg_json_member member;
    skip_blanks(p);
    if (p->at >= p->end || *p->at != '"')
        return invalid(p, p->at, "a key in quotes was expected");
    PG_TRY(parse_string(p, &key));
    skip_blanks(p);
    if (p->at >= p->end || *p->at != ':')
        return invalid(p, p->at, "':' was expected");
    p->at++;
    PG_TRY(parse_value(p, &member.value));
    member.key =
        key.escaped ? pg_json_unescape(key.text, key.count, p->arena) : (pg_str){key.text, key.count};
    PG_VEC_PUSH(&p->members, member);
    return NULL;
}

/* After the opening brace. */
static pg_status parse_object(parser *p, pg_json *out)
{
    size_t first = p->members.len;
    out->kind = PG_JSON_OBJECT;
    skip_blanks(p);
    bool more = p->at >= p->end || *p->at != '}';
    while (more) {
        PG_TRY(parse_member(p));
        skip_blanks(p);
        if (p->at >= p->end || (*p->at != ',' && *p->at != '}'))
            return invalid(p, p->at, "',' or '}' was expected");
        more = *p->at == ',';
        p->at += more;
    }
    p->at++;
    out->count = p->members.len - first;
    pg_json_member *members = PG_ARENA_ARRAY(p->arena, pg_json_member, out->count);
    if (out->count > 0)
        memcpy(members, p->members.items + first, out->count * sizeof *members);
    out->members = members;
    p->members.len = first;
    return NULL;
}

static pg_status parse_nested(parser *p, pg_json *out)
{
    if (p->depth >= PG_JSON_MAX_DEPTH)
        return fail(p, PG_ERR_LIMIT, p->at, "nesting deeper than 128 levels");
    p->depth++;
    bool is_array = *p->at++ == '[';
    PG_TRY(is_array ? parse_array(p, out) : parse_object(p, out));
    p->depth--;
    return NULL;
}

static pg_status parse_value(parser *p, pg_json *out)
{
    skip_blanks(p);
    *out = (pg_json){.offset = (uint64_t)(p->at - p->start)};
    if (p->at >= p->end)
        return invalid(p, p->at, "a value was expected");
    switch (*p->at) {
    case '[':
    case '{':
        return parse_nested(p, out);
    case '"':
        return parse_string(p, out);
    case 't':
    case 'f':
        out->kind = PG_JSON_BOOL;
        out->truth = *p->at == 't';
        return take_word(p, out->truth ? "true" : "false") ? NULL : invalid(p, p->at, "a value was expected");
    case 'n':
        return take_word(p, "null") ? NULL : invalid(p, p->at, "a value was expected");
    default:
        return parse_number(p, out);
    }
}

pg_status pg_json_parse(const void *bytes, uint64_t size, const char *name, pg_arena *arena, pg_json *out)
{
    *out = (pg_json){0};
    if (size == 0)
        return pg_err(PG_ERR_INVALID, "'%s' is empty, JSON was expected", name);
    parser p = {.start = bytes, .end = (const char *)bytes + size, .at = bytes, .name = name, .arena = arena};
    if (size >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0)
        p.at += 3;
    pg_status status = parse_value(&p, out);
    if (status == NULL) {
        skip_blanks(&p);
        if (p.at < p.end)
            status = invalid(&p, p.at, "more text after the document's end");
    }
    PG_VEC_FREE(&p.items);
    PG_VEC_FREE(&p.members);
    if (status != NULL)
        *out = (pg_json){0};
    return status;
}

pg_status pg_json_open(const char *path, pg_json_doc *out)
{
    *out = (pg_json_doc){0};
    PG_TRY(pg_file_map_open(path, &out->map));
    pg_status status = pg_json_parse(out->map.data, out->map.size, path, &out->arena, &out->root);
    if (status != NULL)
        pg_json_close(out);
    return status;
}

void pg_json_close(pg_json_doc *doc)
{
    pg_file_map_close(&doc->map);
    pg_arena_deinit(&doc->arena);
    *doc = (pg_json_doc){0};
}

#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <stdlib.h>

#include "base/alloc.h"

static int fold_case(char c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : (unsigned char)c;
}

bool pg_str_eq_nocase(pg_str a, pg_str b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (fold_case(a.ptr[i]) != fold_case(b.ptr[i]))
            return false;
    return true;
}

int pg_str_cmp(pg_str a, pg_str b)
{
    size_t shared = PG_MIN(a.len, b.len);
    int order = shared > 0 ? memcmp(a.ptr, b.ptr, shared) : 0;
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

bool pg_str_starts(pg_str text, pg_str prefix)
{
    return text.len >= prefix.len && pg_str_eq(pg_str_sub(text, 0, prefix.len), prefix);
}

bool pg_str_ends(pg_str text, pg_str suffix)
{
    return text.len >= suffix.len && pg_str_eq(pg_str_sub(text, text.len - suffix.len, text.len), suffix);
}

bool pg_str_contains(pg_str text, pg_str part)
{
    return part.len == 0 || (text.len > 0 && memmem(text.ptr, text.len, part.ptr, part.len) != NULL);
}

bool pg_str_contains_nocase(pg_str text, pg_str part)
{
    for (size_t i = 0; i + part.len <= text.len; i++)
        if (pg_str_eq_nocase(pg_str_sub(text, i, i + part.len), part))
            return true;
    return false;
}

size_t pg_str_find(pg_str text, char c)
{
    const char *at = text.len > 0 ? memchr(text.ptr, c, text.len) : NULL;
    return at != NULL ? (size_t)(at - text.ptr) : SIZE_MAX;
}

size_t pg_str_rfind(pg_str text, char c)
{
    const char *at = text.len > 0 ? memrchr(text.ptr, c, text.len) : NULL;
    return at != NULL ? (size_t)(at - text.ptr) : SIZE_MAX;
}

pg_str pg_str_sub(pg_str text, size_t begin, size_t end)
{
    end = PG_MIN(end, text.len);
    begin = PG_MIN(begin, end);
    return (pg_str){text.len > 0 ? text.ptr + begin : NULL, end - begin};
}

pg_str pg_str_trim(pg_str text)
{
    while (text.len > 0 && isspace((unsigned char)text.ptr[0]))
        text = pg_str_sub(text, 1, text.len);
    while (text.len > 0 && isspace((unsigned char)text.ptr[text.len - 1]))
        text.len--;
    return text;
}

bool pg_str_split(pg_str *rest, char separator, pg_str *out_part)
{
    if (rest->ptr == NULL)
        return false;
    size_t at = pg_str_find(*rest, separator);
    *out_part = pg_str_sub(*rest, 0, at);
    *rest = at == SIZE_MAX ? PG_STR_EMPTY : (pg_str){rest->ptr + at + 1, rest->len - at - 1};
    return true;
}

static bool parse_digits(pg_str text, uint64_t *out)
{
    uint64_t value = 0;
    if (text.len == 0)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        if (pg_mul_overflow(value, 10, &value) ||
            pg_add_overflow(value, (uint64_t)(text.ptr[i] - '0'), &value))
            return false;
    }
    *out = value;
    return true;
}

bool pg_str_to_u64(pg_str text, uint64_t *out)
{
    text = pg_str_trim(text);
    if (text.len > 0 && text.ptr[0] == '+')
        text = pg_str_sub(text, 1, text.len);
    return parse_digits(text, out);
}

bool pg_str_to_i64(pg_str text, int64_t *out)
{
    text = pg_str_trim(text);
    bool negative = text.len > 0 && text.ptr[0] == '-';
    if (text.len > 0 && (negative || text.ptr[0] == '+'))
        text = pg_str_sub(text, 1, text.len);
    uint64_t magnitude;
    if (!parse_digits(text, &magnitude) || magnitude > (uint64_t)INT64_MAX + negative)
        return false;
    *out = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

bool pg_str_to_f64(pg_str text, double *out)
{
    static locale_t c_locale;
    text = pg_str_trim(text);
    char copy[512];
    if (text.len == 0 || text.len >= sizeof copy)
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    if (strpbrk(copy, "xX") != NULL || memchr(copy, '\0', text.len) != NULL)
        return false;
    if (c_locale == NULL)
        c_locale = newlocale(LC_ALL_MASK, "C", NULL);
    char *end;
    *out = strtod_l(copy, &end, c_locale);
    return end == copy + text.len;
}

/* Matches one "[...]" set at the start of *pattern and moves past it; a '[' without its ']' is a plain
 * character. */
static bool match_set(pg_str *pattern, char c)
{
    size_t i = 1;
    bool negate = i < pattern->len && pattern->ptr[i] == '!';
    i += negate;
    size_t close = i;
    if (close < pattern->len && pattern->ptr[close] == ']')
        close++;
    while (close < pattern->len && pattern->ptr[close] != ']')
        close++;
    if (close >= pattern->len) {
        *pattern = pg_str_sub(*pattern, 1, pattern->len);
        return c == '[';
    }
    bool found = false;
    for (; i < close; i++) {
        if (i + 2 < close && pattern->ptr[i + 1] == '-') {
            found |= (unsigned char)c >= (unsigned char)pattern->ptr[i] &&
                     (unsigned char)c <= (unsigned char)pattern->ptr[i + 2];
            i += 2;
        } else {
            found |= c == pattern->ptr[i];
        }
    }
    *pattern = pg_str_sub(*pattern, close + 1, pattern->len);
    return found != negate;
}

bool pg_str_wildcard(pg_str pattern, pg_str text)
{
    pg_str star_pattern = PG_STR_EMPTY, star_text = PG_STR_EMPTY;
    bool have_star = false;
    for (;;) {
        bool matched = false;
        if (pattern.len > 0 && pattern.ptr[0] == '*') {
            star_pattern = pattern = pg_str_sub(pattern, 1, pattern.len);
            star_text = text;
            have_star = true;
            continue;
        }
        if (text.len == 0)
            return pattern.len == 0;
        if (pattern.len > 0) {
            if (pattern.ptr[0] == '[') {
                matched = match_set(&pattern, text.ptr[0]);
            } else {
                matched = pattern.ptr[0] == '?' || pattern.ptr[0] == text.ptr[0];
                pattern = pg_str_sub(pattern, 1, pattern.len);
            }
        }
        if (matched) {
            text = pg_str_sub(text, 1, text.len);
        } else if (have_star && star_text.len > 0) {
            star_text = text = pg_str_sub(star_text, 1, star_text.len);
            pattern = star_pattern;
        } else {
            return false;
        }
    }
}

size_t pg_str_distance(pg_str a, pg_str b, size_t limit)
{
    enum { LONGEST = 128 };
    if (a.len > LONGEST || b.len > LONGEST)
        return limit + 1;
    size_t rows[3][LONGEST + 1];
    size_t *before = rows[0], *previous = rows[1], *current = rows[2];
    for (size_t j = 0; j <= b.len; j++)
        previous[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        current[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t cost = a.ptr[i - 1] != b.ptr[j - 1];
            size_t best = PG_MIN(PG_MIN(previous[j] + 1, current[j - 1] + 1), previous[j - 1] + cost);
            if (i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] && a.ptr[i - 2] == b.ptr[j - 1])
                best = PG_MIN(best, before[j - 2] + 1);
            current[j] = best;
        }
        size_t *oldest = before;
        before = previous;
        previous = current;
        current = oldest;
    }
    return PG_MIN(previous[b.len], limit + 1);
}

uint64_t pg_str_hash(pg_str text)
{
    uint64_t hash = 0x9e3779b97f4a7c15u ^ text.len;
    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ (unsigned char)text.ptr[i]) * 0x100000001b3u;
    return hash ^ (hash >> 32);
}

size_t pg_str_utf8(pg_str text, size_t at, uint32_t *out_code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t first = (uint8_t)text.ptr[at];
    size_t length = first < 0x80   ? 1
                    : first < 0xc0 ? 0
                    : first < 0xe0 ? 2
                    : first < 0xf0 ? 3
                    : first < 0xf8 ? 4
                                   : 0;
    uint32_t code = length == 1 ? first : length == 0 ? 0 : first & (0xffu >> (length + 1));
    if (length > text.len - at)
        length = 0;
    for (size_t i = 1; i < length; i++) {
        uint8_t next = (uint8_t)text.ptr[at + i];
        if ((next & 0xc0) != 0x80)
            length = 0;
        code = code << 6 | (next & 63u);
    }
    if (length == 0 || code < least[length] || code > 0x10ffff) {
        *out_code = 0xdc00u + first;
        return 1;
    }
    *out_code = code;
    return length;
}

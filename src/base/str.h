/* Borrowed views of text: pointer and length, not zero-terminated, valid as long as what they point into. */
#ifndef PG_BASE_STR_H
#define PG_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct pg_str {
    const char *ptr; /* may be NULL when len is 0 */
    size_t len;
} pg_str;

/* printf("%" PG_STR_FMT, PG_STR_ARG(s)) */
#define PG_STR_FMT ".*s"
#define PG_STR_ARG(s) (int)(s).len, (s).len > 0 ? (s).ptr : ""
#define PG_STR(literal) ((pg_str){"" literal "", sizeof(literal) - 1})
#define PG_STR_EMPTY ((pg_str){NULL, 0})

static inline pg_str pg_str_c(const char *text)
{
    return (pg_str){text, text != NULL ? strlen(text) : 0};
}
static inline bool pg_str_eq(pg_str a, pg_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}
static inline bool pg_str_is(pg_str a, const char *text)
{
    return pg_str_eq(a, pg_str_c(text));
}
bool pg_str_eq_nocase(pg_str a, pg_str b);
int pg_str_cmp(pg_str a, pg_str b); /* bytewise; for qsort */
bool pg_str_starts(pg_str text, pg_str prefix);
bool pg_str_ends(pg_str text, pg_str suffix);
bool pg_str_contains(pg_str text, pg_str part);
bool pg_str_contains_nocase(pg_str text, pg_str part);
/* Byte index or SIZE_MAX. */
size_t pg_str_find(pg_str text, char c);
size_t pg_str_rfind(pg_str text, char c);
/* [begin, end) clipped to the text. */
pg_str pg_str_sub(pg_str text, size_t begin, size_t end);
pg_str pg_str_trim(pg_str text); /* ASCII white space on both sides */
/* Cuts the next part before `separator` off *rest; false when nothing is left. An empty text yields no part.
 */
bool pg_str_split(pg_str *rest, char separator, pg_str *out_part);

/* Whole text must be a number (surrounding blanks allowed); locale-independent. Integers: decimal, optional
 * sign. Floats: as C's strtod in the "C" locale, with inf and nan. False when it is not one or does not fit.
 */
bool pg_str_to_i64(pg_str text, int64_t *out);
bool pg_str_to_u64(pg_str text, uint64_t *out);
bool pg_str_to_f64(pg_str text, double *out);

/* Shell wildcards as Python's fnmatch: * ? [seq] [!seq]; case-sensitive. */
bool pg_str_wildcard(pg_str pattern, pg_str text);
/* Damerau-Levenshtein distance, at most `limit` + 1; for "did you mean". */
size_t pg_str_distance(pg_str a, pg_str b, size_t limit);
uint64_t pg_str_hash(pg_str text);
/* The character of UTF-8 at byte `at` (surrogates included) and its length in bytes. A byte that starts none stands
 * for itself as U+DC00 + byte, as Python's "surrogateescape" has it. */
size_t pg_str_utf8(pg_str text, size_t at, uint32_t *out_code);

#endif

/* String operators. Results are built as views and offsets into one growing buffer, then copied into a
 * tensor. */
#include <locale.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <wctype.h>

#include "base/alloc.h"
#include "base/vec.h"
#include "native/ops/operands.h"

static pg_status need_strings(const pg_op *op, size_t i)
{
    const pg_tensor *x = pg_op_in(op, i);
    if (x == NULL)
        return pg_op_err(op, PG_ERR_INVALID, "input %zu is missing", i);
    return x->dtype == PG_STRING ? NULL : pg_op_bad_type(op, i);
}

/* Output `i` with copies of the texts. */
static pg_status put_strings(pg_op *op, size_t i, size_t rank, const int64_t *dims, const pg_str *texts)
{
    pg_tensor tensor;
    PG_TRY(pg_tensor_alloc_strings(&tensor, rank, dims, texts));
    pg_op_out_value(op, i, pg_value_of_tensor(tensor));
    return NULL;
}

/* ---- StringConcat ---- */

typedef struct concat_job {
    const pg_str *x, *y;
    pg_str *pairs; /* both parts of each result, side by side */
} concat_job;

static void concat_row(void *context, uint64_t at, size_t n, const int64_t *offsets, const int64_t *steps)
{
    const concat_job *job = context;
    for (size_t i = 0; i < n; i++) {
        job->pairs[2 * (at + i)] = job->x[offsets[0] + (int64_t)i * steps[0]];
        job->pairs[2 * (at + i) + 1] = job->y[offsets[1] + (int64_t)i * steps[1]];
    }
}

static pg_status run_string_concat(pg_op *op)
{
    PG_TRY(need_strings(op, 0));
    PG_TRY(need_strings(op, 1));
    const pg_tensor *pair[2] = {pg_op_in(op, 0), pg_op_in(op, 1)};
    pg_operands operands;
    pg_walk walk;
    uint64_t count, total = 0;
    void *parts, *results, *text;
    PG_TRY(pg_operands_join(op, 2, pair, &operands));
    if (!pg_dims_count(operands.rank, operands.dims, &count) || count > INT64_MAX / 64)
        return pg_op_err(op, PG_ERR_LIMIT, "the output's size overflows");
    PG_TRY(pg_op_scratch(op, count * 2 * sizeof(pg_str), &parts));
    PG_TRY(pg_op_scratch(op, count * sizeof(pg_str), &results));
    concat_job job = {operands.items[0].data, operands.items[1].data, parts};
    pg_operands_walk(&operands, &walk);
    pg_walk_run(&walk, 4096, concat_row, &job);
    for (uint64_t i = 0; i < 2 * count; i++)
        total += job.pairs[i].len;
    PG_TRY(pg_op_scratch(op, total, &text));
    char *next = text;
    for (uint64_t i = 0; i < 2 * count; i++) {
        pg_str *result = &((pg_str *)results)[i / 2], part = job.pairs[i];
        if (i % 2 == 0)
            *result = (pg_str){next, 0};
        if (part.len > 0)
            memcpy(next, part.ptr, part.len);
        result->len += part.len;
        next += part.len;
    }
    return put_strings(op, 0, operands.rank, operands.dims, results);
}

/* ---- StringSplit ---- */

typedef PG_VEC(pg_str) text_list;

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static size_t find_text(pg_str text, size_t from, pg_str what)
{
    const char *found = text.len > from ? memmem(text.ptr + from, text.len - from, what.ptr, what.len) : NULL;
    return found != NULL ? (size_t)(found - text.ptr) : SIZE_MAX;
}

/* No delimiter: runs of blanks separate, and those at the ends are dropped. */
static void split_blanks(pg_str text, int64_t most, text_list *out)
{
    size_t at = 0;
    for (int64_t splits = 0;; splits++) {
        while (at < text.len && is_blank(text.ptr[at]))
            at++;
        if (at == text.len)
            return;
        size_t end = at;
        while (end < text.len && !is_blank(text.ptr[end]))
            end++;
        if (splits == most) {
            end = text.len;
            while (end > at && is_blank(text.ptr[end - 1]))
                end--;
        }
        PG_VEC_PUSH(out, ((pg_str){text.ptr + at, end - at}));
        if (splits == most)
            return;
        at = end;
    }
}

static void split_at(pg_str text, pg_str delimiter, int64_t most, text_list *out)
{
    size_t at = 0;
    if (text.len == 0)
        return;
    for (int64_t splits = 0;; splits++) {
        size_t found = splits < most ? find_text(text, at, delimiter) : SIZE_MAX;
        size_t end = found != SIZE_MAX ? found : text.len;
        PG_VEC_PUSH(out, ((pg_str){text.ptr + at, end - at}));
        if (found == SIZE_MAX)
            return;
        at = found + delimiter.len;
    }
}

static pg_status run_string_split(pg_op *op)
{
    PG_TRY(need_strings(op, 0));
    const pg_tensor *x = pg_op_in(op, 0);
    pg_str delimiter;
    int64_t most, longest = 0, dims[PG_MAX_RANK + 1];
    pg_tensor *counts;
    PG_TRY(pg_op_attr_s(op, "delimiter", "", &delimiter));
    PG_TRY(pg_op_attr_i(op, "maxsplit", INT64_MAX, &most));
    if (x->rank == PG_MAX_RANK)
        return pg_op_err(op, PG_ERR_LIMIT, "the output would have %d dimensions", PG_MAX_RANK + 1);
    PG_TRY(pg_op_out(op, 1, PG_I64, x->rank, x->dims, &counts));
    uint64_t count = pg_tensor_count(x);
    text_list parts = {0};
    for (uint64_t i = 0; i < count; i++) {
        size_t before = parts.len;
        pg_str text = ((const pg_str *)x->data)[i];
        if (delimiter.len == 0)
            split_blanks(text, most, &parts);
        else
            split_at(text, delimiter, most, &parts);
        int64_t found = (int64_t)(parts.len - before);
        ((int64_t *)counts->data)[i] = found;
        longest = PG_MAX(longest, found);
    }
    for (size_t i = 0; i < x->rank; i++)
        dims[i] = x->dims[i];
    dims[x->rank] = longest;
    void *scratch = NULL;
    uint64_t total;
    pg_status status = !pg_dims_count(x->rank + 1u, dims, &total) || total > INT64_MAX / 64
                           ? pg_op_err(op, PG_ERR_LIMIT, "the output's size overflows")
                           : pg_op_scratch(op, total * sizeof(pg_str), &scratch);
    pg_str *padded = scratch;
    size_t from = 0;
    for (uint64_t i = 0; status == NULL && i < count; i++)
        for (int64_t k = 0; k < longest; k++)
            padded[i * (uint64_t)longest + (uint64_t)k] =
                k < ((const int64_t *)counts->data)[i] ? parts.items[from++] : PG_STR_EMPTY;
    if (status == NULL)
        status = put_strings(op, 0, x->rank + 1u, dims, padded);
    PG_VEC_FREE(&parts);
    return status;
}

/* ---- StringNormalizer ---- */

typedef enum case_change { CASE_NONE, CASE_LOWER, CASE_UPPER } case_change;

/* Decodes one UTF-8 character; a stray byte stands for itself, and *size is then 1 and the result negative.
 */
static int32_t decode(pg_str text, size_t at, size_t *size)
{
    const uint8_t *p = (const uint8_t *)text.ptr + at;
    size_t left = text.len - at, n = p[0] < 0x80       ? 1
                                     : p[0] >> 5 == 6  ? 2
                                     : p[0] >> 4 == 14 ? 3
                                     : p[0] >> 3 == 30 ? 4
                                                       : 0;
    *size = 1;
    if (n == 0 || n > left)
        return -1;
    if (n == 1)
        return p[0];
    int32_t c = p[0] & (0x7f >> n);
    for (size_t i = 1; i < n; i++) {
        if (p[i] >> 6 != 2)
            return -1;
        c = c << 6 | (p[i] & 0x3f);
    }
    *size = n;
    return c;
}

static void encode(pg_buf *out, uint32_t c)
{
    if (c < 0x80) {
        pg_buf_putc(out, (char)c);
    } else if (c < 0x800) {
        pg_buf_putc(out, (char)(0xc0 | c >> 6));
        pg_buf_putc(out, (char)(0x80 | (c & 0x3f)));
    } else if (c < 0x10000) {
        pg_buf_putc(out, (char)(0xe0 | c >> 12));
        pg_buf_putc(out, (char)(0x80 | (c >> 6 & 0x3f)));
        pg_buf_putc(out, (char)(0x80 | (c & 0x3f)));
    } else {
        pg_buf_putc(out, (char)(0xf0 | c >> 18));
        pg_buf_putc(out, (char)(0x80 | (c >> 12 & 0x3f)));
        pg_buf_putc(out, (char)(0x80 | (c >> 6 & 0x3f)));
        pg_buf_putc(out, (char)(0x80 | (c & 0x3f)));
    }
}

static void change_case(pg_buf *out, pg_str text, case_change change, locale_t locale)
{
    for (size_t at = 0, size; at < text.len; at += size) {
        int32_t c = decode(text, at, &size);
        if (c < 0 || change == CASE_NONE)
            pg_buf_add(out, text.ptr + at, size);
        else
            encode(out, change == CASE_LOWER ? towlower_l((wint_t)c, locale) : towupper_l((wint_t)c, locale));
    }
}

typedef struct normalizer {
    case_change change;
    bool sensitive;
    const pg_str *stopwords;
    size_t n_stopwords;
    locale_t locale;
    pg_buf scratch, word;
} normalizer;

static bool is_stopword(normalizer *n, pg_str text)
{
    pg_buf_clear(&n->word);
    change_case(&n->word, text, n->sensitive ? CASE_NONE : CASE_LOWER, n->locale);
    for (size_t i = 0; i < n->n_stopwords; i++) {
        pg_buf_clear(&n->scratch);
        change_case(&n->scratch, n->stopwords[i], n->sensitive ? CASE_NONE : CASE_LOWER, n->locale);
        if (pg_str_eq(pg_buf_str(&n->scratch), pg_buf_str(&n->word)))
            return true;
    }
    return false;
}

static pg_status read_normalizer(const pg_op *op, normalizer *out)
{
    pg_str action;
    int64_t sensitive;
    const pg_attr *stopwords = pg_node_attr(op->node, "stopwords");
    PG_TRY(pg_op_attr_s(op, "case_change_action", "NONE", &action));
    PG_TRY(pg_op_attr_i(op, "is_case_sensitive", 0, &sensitive));
    out->change = pg_str_is(action, "LOWER")   ? CASE_LOWER
                  : pg_str_is(action, "UPPER") ? CASE_UPPER
                                               : CASE_NONE;
    out->sensitive = sensitive != 0;
    if (out->change == CASE_NONE && !pg_str_is(action, "NONE"))
        return pg_op_err(op, PG_ERR_INVALID, "attribute 'case_change_action' is '%" PG_STR_FMT "'",
                         PG_STR_ARG(action));
    if (stopwords != NULL && stopwords->type != PG_ATTR_STRINGS)
        return pg_op_err(op, PG_ERR_INVALID, "attribute 'stopwords' is no list of strings");
    out->stopwords = stopwords != NULL ? stopwords->strings : NULL;
    out->n_stopwords = stopwords != NULL ? stopwords->count : 0;
    return NULL;
}

static pg_status normalize(pg_op *op, const pg_tensor *x, normalizer *n)
{
    PG_VEC(size_t) ends = {0};
    pg_buf text = {0};
    int64_t length = x->dims[x->rank - 1];
    for (int64_t i = 0; i < length; i++) {
        pg_str word = ((const pg_str *)x->data)[i];
        if (is_stopword(n, word))
            continue;
        change_case(&text, word, n->change, n->locale);
        PG_VEC_PUSH(&ends, text.len);
    }
    if (ends.len == 0) /* nothing is left: one empty string */
        PG_VEC_PUSH(&ends, 0);
    pg_str *texts = pg_calloc(ends.len, sizeof *texts);
    for (size_t i = 0, begin = 0; i < ends.len; begin = ends.items[i++])
        texts[i] = (pg_str){text.ptr != NULL ? text.ptr + begin : NULL, ends.items[i] - begin};
    int64_t dims[2] = {1, 1};
    dims[x->rank - 1] = (int64_t)ends.len;
    pg_status status = put_strings(op, 0, x->rank, dims, texts);
    free(texts);
    PG_VEC_FREE(&ends);
    pg_buf_deinit(&text);
    return status;
}

static pg_status run_string_normalizer(pg_op *op)
{
    PG_TRY(need_strings(op, 0));
    const pg_tensor *x = pg_op_in(op, 0);
    normalizer n = {0};
    PG_TRY(read_normalizer(op, &n));
    if (x->rank != 1 && !(x->rank == 2 && x->dims[0] == 1))
        return pg_op_err(op, PG_ERR_INVALID, "the input must have shape (C,) or (1, C)");
    n.locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    if (n.locale == (locale_t)0)
        return pg_op_err(op, PG_ERR_UNAVAILABLE, "the system has no locale C.UTF-8");
    pg_status status = normalize(op, x, &n);
    freelocale(n.locale);
    pg_buf_deinit(&n.scratch);
    pg_buf_deinit(&n.word);
    return status;
}

/* ---- RegexFullMatch ---- */

static pg_status unsupported_regex(const pg_op *op, pg_str pattern, size_t at)
{
    return pg_op_err(op, PG_ERR_UNSUPPORTED,
                     "pattern '%" PG_STR_FMT "': the expression at byte %zu is not supported",
                     PG_STR_ARG(pattern), at);
}

/* The set behind \d, \w or \s, as it is written inside brackets; NULL for other letters. */
static const char *class_of(char letter)
{
    return letter == 'd' ? "0-9" : letter == 'w' ? "0-9A-Za-z_" : letter == 's' ? " \t\n\v\f\r" : NULL;
}

/* One escape outside brackets. */
static bool translate_escape(char letter, pg_buf *out)
{
    const char *set = class_of(letter), *negated = class_of((char)(letter | 0x20));
    if (set != NULL) {
        pg_buf_printf(out, "[%s]", set);
    } else if (negated != NULL) {
        pg_buf_printf(out, "[^%s]", negated);
    } else if (letter == 'n' || letter == 't' || letter == 'r') {
        pg_buf_putc(out, letter == 'n' ? '\n' : letter == 't' ? '\t' : '\r');
    } else if ((letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'z') ||
               (letter >= 'A' && letter <= 'Z')) {
        return false;
    } else {
        pg_buf_putc(out, '\\');
        pg_buf_putc(out, letter);
    }
    return true;
}

/* A bracket expression: POSIX has no escapes in it, ']' must come first and '-' last. */
static bool translate_set(pg_str p, size_t *at, pg_buf *out)
{
    bool closing = false, minus = false, negated = false;
    pg_buf body = {0};
    size_t i = *at + 1;
    if (i < p.len && p.ptr[i] == '^') {
        negated = true;
        i++;
    }
    for (size_t first = i; i < p.len && (p.ptr[i] != ']' || i == first); i++) {
        char c = p.ptr[i];
        const char *set = NULL;
        if (c == '\\' && i + 1 < p.len) {
            c = p.ptr[++i];
            set = class_of(c);
            if (set == NULL && c >= 'A' && c <= 'z' && c != '[' && c != ']' && c != '\\' && c != '^' &&
                c != '_') {
                pg_buf_deinit(&body);
                return false;
            }
            minus |= set == NULL && c == '-';
            if (set != NULL)
                pg_buf_puts(&body, set);
            if (set != NULL || c == '-')
                continue;
        }
        if (c == ']')
            closing = true;
        else
            pg_buf_putc(&body, c);
    }
    pg_buf_printf(out, "[%s%s%s%s]", negated ? "^" : "", closing ? "]" : "", pg_buf_cstr(&body),
                  minus ? "-" : "");
    pg_buf_deinit(&body);
    *at = i;
    return i < p.len;
}

/* RE2's syntax as POSIX extended: classes, groups without capture, lazy quantifiers (which make no difference
 * to whether a whole text matches). What POSIX cannot say is an error. */
static pg_status translate_regex(const pg_op *op, pg_str p, pg_buf *out, int *flags)
{
    size_t i = 0;
    if (pg_str_starts(p, PG_STR("(?i)"))) {
        *flags |= REG_ICASE;
        i = 4;
    }
    pg_buf_puts(out, "^(");
    for (; i < p.len; i++) {
        char c = p.ptr[i];
        bool after_quantifier =
            i > 0 &&
            (p.ptr[i - 1] == '*' || p.ptr[i - 1] == '+' || p.ptr[i - 1] == '}' || p.ptr[i - 1] == '?') &&
            (i < 2 || p.ptr[i - 2] != '\\');
        if (c == '\0')
            return unsupported_regex(op, p, i);
        if (c == '\\') {
            if (i + 1 >= p.len || !translate_escape(p.ptr[i + 1], out))
                return unsupported_regex(op, p, i);
            i++;
        } else if (c == '[') {
            size_t begin = i;
            if (!translate_set(p, &i, out))
                return unsupported_regex(op, p, begin);
        } else if (c == '(' && i + 1 < p.len && p.ptr[i + 1] == '?') {
            if (i + 2 >= p.len || p.ptr[i + 2] != ':')
                return unsupported_regex(op, p, i);
            pg_buf_putc(out, '(');
            i += 2;
        } else if (c == '?' && after_quantifier) {
            continue;
        } else {
            pg_buf_putc(out, c);
        }
    }
    pg_buf_puts(out, ")$");
    return NULL;
}

static pg_status match_all(pg_op *op, const regex_t *regex)
{
    const pg_tensor *x = pg_op_in(op, 0);
    pg_tensor *y;
    PG_TRY(pg_op_out(op, 0, PG_BOOL, x->rank, x->dims, &y));
    uint64_t count = pg_tensor_count(x);
    for (uint64_t i = 0; i < count; i++) {
        pg_str text = ((const pg_str *)x->data)[i];
        regmatch_t range[1] = {{0, (regoff_t)text.len}};
        bool whole = regexec(regex, text.len > 0 ? text.ptr : "", 1, range, REG_STARTEND) == 0;
        ((uint8_t *)y->data)[i] = whole && range[0].rm_so == 0 && (size_t)range[0].rm_eo == text.len;
    }
    return NULL;
}

static pg_status run_regex_full_match(pg_op *op)
{
    PG_TRY(need_strings(op, 0));
    pg_str pattern;
    pg_buf translated = {0};
    int flags = REG_EXTENDED;
    regex_t regex;
    PG_TRY(pg_op_attr_s(op, "pattern", "", &pattern));
    pg_status status = translate_regex(op, pattern, &translated, &flags);
    locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    locale_t before = utf8 != (locale_t)0 ? uselocale(utf8) : (locale_t)0;
    if (status == NULL && regcomp(&regex, pg_buf_cstr(&translated), flags) != 0)
        status = pg_op_err(op, PG_ERR_INVALID, "pattern '%" PG_STR_FMT "' is no regular expression",
                           PG_STR_ARG(pattern));
    else if (status == NULL) {
        status = match_all(op, &regex);
        regfree(&regex);
    }
    if (utf8 != (locale_t)0) {
        uselocale(before);
        freelocale(utf8);
    }
    pg_buf_deinit(&translated);
    return status;
}

const pg_kernel pg_kernels_strings[] = {
    {"", "RegexFullMatch", 20, 0, run_regex_full_match, NULL, NULL, 0},
    {"", "StringConcat", 20, 0, run_string_concat, NULL, NULL, 0},
    {"", "StringNormalizer", 10, 0, run_string_normalizer, NULL, NULL, 0},
    {"", "StringSplit", 20, 0, run_string_split, NULL, NULL, 0},
    {0},
};

/* Operators on texts: StringNormalizer, StringConcat, StringSplit, RegexFullMatch. */
#include <locale.h>
#include <stdlib.h>
#include <wctype.h>

#include "base/alloc.h"
#include "base/map.h"
#include "base/vec.h"
#include "native/ops/move.h"
#include "native/ops/operands.h"
#include "native/ops/regex.h"
#include "native/ops/simd.h"

static pg_status need_strings(const pg_op *op, size_t count)
{
    PG_TRY(pg_op_need(op, count));
    for (size_t i = 0; i < count; i++)
        if (pg_op_in(op, i)->dtype != PG_STRING)
            return pg_op_bad_type(op, i);
    return NULL;
}

/* The texts are copied: they may live in `arena`, which ends here. */
static pg_status give_texts(pg_op *op, size_t i, size_t rank, const int64_t *dims, const pg_str *texts)
{
    pg_tensor tensor;
    PG_TRY(pg_tensor_alloc_strings(&tensor, rank, dims, texts));
    pg_op_out_value(op, i, pg_value_of_tensor(tensor));
    return NULL;
}

/* ---- StringNormalizer ---- */

typedef struct letter_case {
    const pg_op *op;
    pg_arena arena;
    locale_t locale; /* 0: only ASCII letters can be changed */
} letter_case;

/* The locale asked for when this system has it, else the language-neutral one. */
static void open_case(const pg_op *op, pg_str name, letter_case *out)
{
    char asked[128];
    const char *const choices[] = {asked, "C.UTF-8", "C.utf8", "en_US.UTF-8"};
    *out = (letter_case){.op = op};
    const char *suffix = pg_str_find(name, '.') == SIZE_MAX ? ".UTF-8" : "";
    snprintf(asked, sizeof asked, "%" PG_STR_FMT "%s", PG_STR_ARG(name), suffix);
    for (size_t i = name.len > 0 ? 0 : 1; i < PG_COUNT(choices) && out->locale == (locale_t)0; i++)
        out->locale = newlocale(LC_CTYPE_MASK, choices[i], (locale_t)0);
}

static void close_case(letter_case *changer)
{
    pg_arena_deinit(&changer->arena);
    if (changer->locale != (locale_t)0)
        freelocale(changer->locale);
}

/* One character of UTF-8; false for bytes that are none. */
static bool decode(const uint8_t *p, size_t left, uint32_t *out, size_t *size)
{
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    size_t more = p[0] < 0x80 ? 0 : p[0] < 0xc0 ? 4 : p[0] < 0xe0 ? 1 : p[0] < 0xf0 ? 2 : p[0] < 0xf8 ? 3 : 4;
    if (more == 4 || more >= left)
        return false;
    uint32_t value = more == 0 ? p[0] : p[0] & (0x3fu >> more);
    for (size_t i = 1; i <= more; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return false;
        value = value << 6 | (p[i] & 0x3fu);
    }
    *out = value;
    *size = more + 1;
    return value >= least[more] && value <= 0x10ffff;
}

static size_t encode(uint32_t c, char *out)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const uint32_t lead[] = {0, 0xc0, 0xe0, 0xf0};
    out[0] = (char)(lead[more] | c >> (6 * more));
    for (size_t i = 1; i <= more; i++)
        out[i] = (char)(0x80 | (c >> (6 * (more - i)) & 0x3f));
    return more + 1;
}

static pg_status change_case(letter_case *changer, pg_str text, bool upper, pg_str *out)
{
    char *copy = pg_arena_alloc(&changer->arena, text.len + 1, 4);
    size_t used = 0, size = 0;
    for (size_t at = 0; at < text.len; at += size) {
        uint32_t c;
        if (!decode((const uint8_t *)text.ptr + at, text.len - at, &c, &size))
            return pg_op_err(changer->op, PG_ERR_INVALID, "a text is not UTF-8 at byte %zu", at);
        if (c < 0x80)
            c = upper && c >= 'a' && c <= 'z' ? c - 32 : !upper && c >= 'A' && c <= 'Z' ? c + 32 : c;
        else if (changer->locale == (locale_t)0)
            return pg_op_err(changer->op, PG_ERR_UNSUPPORTED,
                             "this system has no UTF-8 locale to change the case of letters beyond ASCII");
        else
            c = (uint32_t)(upper ? towupper_l((wint_t)c, changer->locale)
                                 : towlower_l((wint_t)c, changer->locale));
        used += encode(c, copy + used);
    }
    *out = (pg_str){copy, used};
    return NULL;
}

typedef struct normalizer {
    letter_case changer;
    bool case_sensitive;
    enum { KEEP_CASE, LOWER_CASE, UPPER_CASE } action;
    pg_map stopwords;
} normalizer;

static pg_status read_stopwords(const pg_op *op, normalizer *n)
{
    const pg_attr *attr = pg_node_attr(op->node, "stopwords");
    if (attr == NULL)
        return NULL;
    if (attr->type != PG_ATTR_STRINGS)
        return pg_op_err(op, PG_ERR_INVALID, "attribute 'stopwords' must be a list of strings");
    for (size_t i = 0; i < attr->count; i++) {
        pg_str word = attr->strings[i];
        if (!n->case_sensitive)
            PG_TRY(change_case(&n->changer, word, false, &word));
        pg_map_put(&n->stopwords, word, NULL);
    }
    return NULL;
}

static pg_status normalize(pg_op *op, normalizer *n)
{
    const pg_tensor *x = pg_op_in(op, 0);
    const uint64_t count = pg_tensor_count(x);
    const pg_str *texts = x->data;
    pg_str *kept = PG_ARENA_ARRAY(&n->changer.arena, pg_str, count + 1);
    size_t used = 0;
    PG_TRY(read_stopwords(op, n));
    for (uint64_t i = 0; i < count; i++) {
        pg_str key = texts[i];
        if (!n->case_sensitive && n->stopwords.len > 0)
            PG_TRY(change_case(&n->changer, key, false, &key));
        if (pg_map_has(&n->stopwords, key))
            continue;
        kept[used] = texts[i];
        if (n->action != KEEP_CASE)
            PG_TRY(change_case(&n->changer, texts[i], n->action == UPPER_CASE, &kept[used]));
        used++;
    }
    /* With nothing kept there is one empty text: kept[0] is zeroed. */
    const int64_t dims[2] = {1, (int64_t)PG_MAX(used, (size_t)1)};
    return give_texts(op, 0, x->rank, x->rank == 2 ? dims : dims + 1, kept);
}

static pg_status run_string_normalizer(pg_op *op)
{
    PG_TRY(need_strings(op, 1));
    const pg_tensor *x = pg_op_in(op, 0);
    if (x->rank != 1 && (x->rank != 2 || x->dims[0] != 1))
        return pg_op_err(op, PG_ERR_INVALID, "the input must have shape [C] or [1, C]");
    pg_str action, locale;
    int64_t case_sensitive;
    normalizer n = {.case_sensitive = false};
    PG_TRY(pg_op_attr_s(op, "case_change_action", "NONE", &action));
    PG_TRY(pg_op_attr_s(op, "locale", "", &locale));
    PG_TRY(pg_op_attr_i(op, "is_case_sensitive", 0, &case_sensitive));
    n.case_sensitive = case_sensitive != 0;
    if (pg_str_is(action, "LOWER"))
        n.action = LOWER_CASE;
    else if (pg_str_is(action, "UPPER"))
        n.action = UPPER_CASE;
    else if (!pg_str_is(action, "NONE"))
        return pg_op_err(op, PG_ERR_INVALID, "case_change_action '%" PG_STR_FMT "' is not known",
                         PG_STR_ARG(action));
    open_case(op, locale, &n.changer);
    pg_status status = normalize(op, &n);
    pg_map_deinit(&n.stopwords);
    close_case(&n.changer);
    return status;
}

/* ---- StringConcat ---- */

typedef struct concat_job {
    const pg_str *x, *y;
    pg_str *z;
    char *room; /* NULL: only lengths are written */
} concat_job;

static void concat_row(void *context, uint64_t at, size_t n, const int64_t *offsets, const int64_t *steps)
{
    concat_job *job = context;
    for (size_t i = 0; i < n; i++) {
        pg_str a = job->x[offsets[0] + (int64_t)i * steps[0]], b = job->y[offsets[1] + (int64_t)i * steps[1]];
        pg_str *z = &job->z[at + i];
        if (job->room == NULL) {
            z->len = a.len + b.len;
            continue;
        }
        char *text = (char *)z->ptr;
        if (a.len > 0)
            memcpy(text, a.ptr, a.len);
        if (b.len > 0)
            memcpy(text + a.len, b.ptr, b.len);
    }
}

static pg_status run_string_concat(pg_op *op)
{
    PG_TRY(need_strings(op, 2));
    const pg_tensor *inputs[2] = {pg_op_in(op, 0), pg_op_in(op, 1)};
    pg_operands operands;
    pg_walk walk;
    void *memory;
    PG_TRY(pg_operands_join(op, 2, inputs, &operands));
    pg_operands_walk(&operands, &walk);
    uint64_t count, total = 0, bytes;
    if (!pg_dims_count(operands.rank, operands.dims, &count) ||
        pg_mul_overflow(count, sizeof(pg_str), &bytes))
        return pg_op_err(op, PG_ERR_LIMIT, "the result has too many elements");
    PG_TRY(pg_op_scratch(op, bytes, &memory));
    pg_str *texts = memory;
    concat_job job = {operands.items[0].data, operands.items[1].data, texts, NULL};
    pg_walk_run(&walk, PG_GRAIN_COSTLY, concat_row, &job);
    for (uint64_t i = 0; i < count; i++)
        if (pg_add_overflow(total, texts[i].len, &total))
            return pg_op_err(op, PG_ERR_LIMIT, "the result is too long");
    PG_TRY(pg_op_scratch(op, total + 1, &memory));
    char *room = memory;
    job.room = room;
    for (uint64_t i = 0; i < count; i++) {
        texts[i].ptr = room;
        room += texts[i].len;
    }
    pg_walk_run(&walk, PG_GRAIN_COSTLY, concat_row, &job);
    return give_texts(op, 0, operands.rank, operands.dims, texts);
}

/* ---- StringSplit ---- */

typedef PG_VEC(pg_str) text_list;

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Words between blanks; after `most` splits the rest is one part. */
static size_t split_blanks(pg_str text, int64_t most, text_list *out)
{
    size_t at = 0, parts = 0;
    for (;; parts++) {
        while (at < text.len && is_blank(text.ptr[at]))
            at++;
        size_t begin = at;
        if (at == text.len)
            return parts;
        while (at < text.len && !is_blank(text.ptr[at]))
            at++;
        if (most >= 0 && parts == (uint64_t)most)
            for (at = text.len; is_blank(text.ptr[at - 1]);)
                at--;
        PG_VEC_PUSH(out, pg_str_sub(text, begin, at));
        if (most >= 0 && parts == (uint64_t)most)
            return parts + 1;
    }
}

static size_t split_at(pg_str text, pg_str delimiter, int64_t most, text_list *out)
{
    size_t begin = 0, parts = 0;
    for (size_t at = 0; at + delimiter.len <= text.len && (most < 0 || parts < (uint64_t)most);) {
        if (memcmp(text.ptr + at, delimiter.ptr, delimiter.len) != 0) {
            at++;
            continue;
        }
        PG_VEC_PUSH(out, pg_str_sub(text, begin, at));
        parts++;
        at += delimiter.len;
        begin = at;
    }
    PG_VEC_PUSH(out, pg_str_sub(text, begin, text.len));
    return parts + 1;
}

static pg_status give_parts(pg_op *op, const text_list *parts, const int64_t *counts)
{
    const pg_tensor *x = pg_op_in(op, 0);
    const uint64_t count = pg_tensor_count(x);
    int64_t dims[PG_MAX_RANK], longest = 0;
    uint64_t bytes;
    void *memory;
    memcpy(dims, x->dims, x->rank * sizeof *dims);
    for (uint64_t i = 0; i < count; i++)
        longest = PG_MAX(longest, counts[i]);
    dims[x->rank] = longest;
    if (pg_mul_overflow(count * sizeof(pg_str), (uint64_t)longest, &bytes))
        return pg_op_err(op, PG_ERR_LIMIT, "the result has too many elements");
    PG_TRY(pg_op_scratch(op, bytes + 1, &memory));
    pg_str *texts = memory;
    const pg_str *next = parts->items;
    for (uint64_t i = 0; i < count; i++)
        for (int64_t k = 0; k < longest; k++)
            texts[i * (uint64_t)longest + (uint64_t)k] = k < counts[i] ? *next++ : PG_STR_EMPTY;
    return give_texts(op, 0, x->rank + 1u, dims, texts);
}

static pg_status run_string_split(pg_op *op)
{
    PG_TRY(need_strings(op, 1));
    const pg_tensor *x = pg_op_in(op, 0);
    pg_str delimiter;
    int64_t most;
    pg_tensor *counts;
    PG_TRY(pg_op_attr_s(op, "delimiter", "", &delimiter));
    PG_TRY(pg_op_attr_i(op, "maxsplit", -1, &most));
    if (x->rank + 1 > PG_MAX_RANK)
        return pg_op_err(op, PG_ERR_LIMIT, "the result's rank is too high");
    PG_TRY(pg_op_out(op, 1, PG_I64, x->rank, x->dims, &counts));
    text_list parts = {0};
    const pg_str *texts = x->data;
    for (uint64_t i = 0, n = pg_tensor_count(x); i < n; i++)
        ((int64_t *)counts->data)[i] =
            (int64_t)(delimiter.len == 0 ? split_blanks(texts[i], most, &parts)
                                         : split_at(texts[i], delimiter, most, &parts));
    pg_status status = give_parts(op, &parts, counts->data);
    PG_VEC_FREE(&parts);
    return status;
}

/* ---- RegexFullMatch ---- */

static pg_status prepare_regex(pg_op *op)
{
    pg_str pattern;
    pg_regex *regex;
    PG_TRY(pg_op_attr_s(op, "pattern", "", &pattern));
    PG_TRY(pg_regex_new(pattern, &regex));
    op->state = regex;
    return NULL;
}

static void release_regex(void *state)
{
    pg_regex_free(state);
}

static pg_status run_regex(pg_op *op)
{
    PG_TRY(need_strings(op, 1));
    const pg_tensor *x = pg_op_in(op, 0);
    pg_tensor *y;
    PG_TRY(pg_op_out(op, 0, PG_BOOL, x->rank, x->dims, &y));
    for (uint64_t i = 0, n = pg_tensor_count(x); i < n; i++)
        ((uint8_t *)y->data)[i] = pg_regex_matches(op->state, ((const pg_str *)x->data)[i]);
    return NULL;
}

const pg_kernel pg_kernels_text[] = {
    {"", "StringNormalizer", 10, 0, run_string_normalizer, NULL, NULL, 0},
    {"", "StringConcat", 20, 0, run_string_concat, NULL, NULL, 0},
    {"", "StringSplit", 20, 0, run_string_split, NULL, NULL, 0},
    {"", "RegexFullMatch", 20, 0, run_regex, prepare_regex, release_regex, 0},
    {0},
};

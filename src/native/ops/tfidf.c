/* TfIdfVectorizer: counts of known n-grams in rows of tokens.
 *
 * Tokens become small numbers first, so an n-gram of any type is a short array of numbers and one map finds
 * it. */
#include "base/alloc.h"
#include "base/map.h"
#include "base/vec.h"
#include "native/ops/ml.h"

typedef struct vectorizer {
    pg_arena arena; /* keys of the maps */
    bool strings;
    pg_map tokens; /* text, or the eight bytes of an integer -> id + 1 */
    pg_map grams;  /* ids -> position in the pool + 1 */
    size_t shortest, longest, n_grams;
    int64_t most_skipped;
    enum { TF, IDF, TFIDF } mode;
    const int64_t *columns; /* of each n-gram */
    size_t n_columns;
    const float *weights; /* per n-gram; NULL: all one */
} vectorizer;

static void release_vectorizer(void *state)
{
    vectorizer *v = state;
    pg_map_deinit(&v->tokens);
    pg_map_deinit(&v->grams);
    pg_arena_deinit(&v->arena);
    free(v);
}

static int32_t token_id(const vectorizer *v, pg_str token)
{
    return (int32_t)((intptr_t)pg_map_find(&v->tokens, token) - 1);
}

static int32_t learn_token(vectorizer *v, const pg_attr *pool, size_t i)
{
    pg_str token = v->strings ? pool->strings[i] : (pg_str){(const char *)&pool->ints[i], sizeof(int64_t)};
    if (!pg_map_has(&v->tokens, token))
        pg_map_put(&v->tokens, token, (void *)(intptr_t)(v->tokens.len + 1));
    return token_id(v, token);
}

/* The n-grams of length n are pool[begin .. end). */
static pg_status learn_grams(const pg_op *op, vectorizer *v, const pg_attr *pool, size_t n, int64_t begin,
                             int64_t end)
{
    if (begin < 0 || end < begin || end > (int64_t)pool->count || (end - begin) % (int64_t)n != 0)
        return pg_op_err(op, PG_ERR_INVALID, "the pool's %zu-grams are said to be from %lld to %lld of %zu",
                         n, (long long)begin, (long long)end, pool->count);
    for (int64_t at = begin; at < end; at += (int64_t)n, v->n_grams++) {
        int32_t *ids = PG_ARENA_ARRAY(&v->arena, int32_t, n);
        for (size_t k = 0; k < n; k++)
            ids[k] = learn_token(v, pool, (size_t)at + k);
        pg_str key = {(const char *)ids, n * sizeof *ids};
        if (n >= v->shortest && n <= v->longest && !pg_map_has(&v->grams, key))
            pg_map_put(&v->grams, key, (void *)(intptr_t)(v->n_grams + 1));
    }
    return NULL;
}

static pg_status read_pool(const pg_op *op, vectorizer *v)
{
    const pg_attr *texts = pg_node_attr(op->node, "pool_strings"),
                  *ints = pg_node_attr(op->node, "pool_int64s");
    const pg_attr *pool = texts != NULL ? texts : ints;
    const int64_t *counts;
    size_t n_counts;
    if (pool == NULL || (texts != NULL && ints != NULL))
        return pg_op_err(op, PG_ERR_INVALID, "one of 'pool_strings' and 'pool_int64s' is needed");
    v->strings = texts != NULL;
    if (pool->type != (v->strings ? PG_ATTR_STRINGS : PG_ATTR_INTS))
        return pg_op_err(op, PG_ERR_INVALID, "the pool has the wrong attribute type");
    PG_TRY(pg_op_attr_is(op, "ngram_counts", &counts, &n_counts));
    if (n_counts < v->longest)
        return pg_op_err(op, PG_ERR_INVALID, "'ngram_counts' has %zu entries, max_gram_length is %zu",
                         n_counts, v->longest);
    for (size_t n = 1; n <= n_counts; n++)
        PG_TRY(learn_grams(op, v, pool, n, counts[n - 1], n < n_counts ? counts[n] : (int64_t)pool->count));
    return NULL;
}

static pg_status read_columns(const pg_op *op, vectorizer *v)
{
    size_t n_columns, n_weights;
    PG_TRY(pg_op_attr_is(op, "ngram_indexes", &v->columns, &n_columns));
    PG_TRY(pg_op_attr_fs(op, "weights", &v->weights, &n_weights));
    if (n_columns != v->n_grams || (v->weights != NULL && n_weights != n_columns))
        return pg_op_err(op, PG_ERR_INVALID, "there are %zu n-grams, %zu indexes and %zu weights", v->n_grams,
                         n_columns, n_weights);
    for (size_t i = 0; i < n_columns; i++) {
        if (v->columns[i] < 0 || v->columns[i] >= ML_MOST_COLUMNS)
            return pg_op_err(op, PG_ERR_INVALID, "index %lld of an n-gram", (long long)v->columns[i]);
        v->n_columns = PG_MAX(v->n_columns, (size_t)v->columns[i] + 1);
    }
    return NULL;
}

static pg_status read_attributes(const pg_op *op, vectorizer *v)
{
    static const char *const modes[] = {"TF", "IDF", "TFIDF"};
    pg_str mode;
    int64_t shortest, longest;
    PG_TRY(pg_op_attr_s(op, "mode", "", &mode));
    PG_TRY(pg_op_attr_i(op, "min_gram_length", 1, &shortest));
    PG_TRY(pg_op_attr_i(op, "max_gram_length", 1, &longest));
    PG_TRY(pg_op_attr_i(op, "max_skip_count", 0, &v->most_skipped));
    size_t m = 0;
    while (m < PG_COUNT(modes) && !pg_str_is(mode, modes[m]))
        m++;
    if (m == PG_COUNT(modes))
        return pg_op_err(op, PG_ERR_INVALID, "mode '%" PG_STR_FMT "' is not known", PG_STR_ARG(mode));
    v->mode = m;
    if (shortest < 1 || longest < shortest || longest > 1 << 20 || v->most_skipped < 0)
        return pg_op_err(op, PG_ERR_INVALID, "n-grams of length %lld to %lld with at most %lld skipped",
                         (long long)shortest, (long long)longest, (long long)v->most_skipped);
    v->shortest = (size_t)shortest;
    v->longest = (size_t)longest;
    PG_TRY(read_pool(op, v));
    return read_columns(op, v);
}

static pg_status prepare_tfidf(pg_op *op)
{
    vectorizer *v = PG_NEW(vectorizer);
    op->state = v;
    return read_attributes(op, v);
}

/* Adds a row's n-grams to its counts; `gram` has room for the longest. */
static void count_row(const vectorizer *v, const int32_t *ids, size_t n_ids, int32_t *gram, double *counts)
{
    for (size_t n = v->shortest; n <= v->longest && n <= n_ids; n++)
        for (size_t step = 1; step - 1 <= (uint64_t)v->most_skipped && (n_ids - 1) / step >= n - 1; step++) {
            for (size_t at = 0; at + step * (n - 1) < n_ids; at++) {
                for (size_t k = 0; k < n; k++)
                    gram[k] = ids[at + k * step];
                pg_str key = {(const char *)gram, n * sizeof *gram};
                intptr_t found = (intptr_t)pg_map_find(&v->grams, key);
                if (found > 0)
                    counts[found - 1]++;
            }
            if (n == 1) /* single tokens skip nothing */
                break;
        }
}

static void weigh_row(const vectorizer *v, const double *counts, double *out)
{
    for (size_t i = 0; i < v->n_grams; i++) {
        const double weight = v->mode != TF && v->weights != NULL ? (double)v->weights[i] : 1;
        const double count = v->mode == IDF && counts[i] > 0 ? 1 : counts[i];
        out[v->columns[i]] += count * weight;
    }
}

static pg_status read_ids(pg_op *op, const vectorizer *v, int32_t **out)
{
    const pg_tensor *x = pg_op_in(op, 0);
    const uint64_t count = pg_tensor_count(x);
    void *memory;
    if (v->strings ? x->dtype != PG_STRING : x->dtype != PG_I32 && x->dtype != PG_I64)
        return pg_op_bad_type(op, 0);
    PG_TRY(pg_op_scratch(op, count * sizeof(int32_t) + 1, &memory));
    *out = memory;
    for (uint64_t i = 0; i < count; i++) {
        int64_t number = v->strings ? 0 : pg_tensor_get_i64(x, i);
        pg_str token = v->strings ? ((const pg_str *)x->data)[i] : (pg_str){(char *)&number, sizeof number};
        (*out)[i] = token_id(v, token); /* -1 is in no n-gram */
    }
    return NULL;
}

static pg_status run_tfidf(pg_op *op)
{
    PG_TRY(pg_op_need(op, 1));
    const vectorizer *v = op->state;
    const pg_tensor *x = pg_op_in(op, 0);
    int32_t *ids;
    void *memory;
    nn_result y;
    if (x->rank > 2)
        return pg_op_err(op, PG_ERR_INVALID, "the input has rank %d, expected 1 or 2", x->rank);
    const size_t rows = x->rank == 2 ? (size_t)x->dims[0] : 1;
    const size_t n_ids = x->rank == 0 ? 1 : (size_t)x->dims[x->rank - 1];
    const int64_t dims[2] = {(int64_t)rows, (int64_t)v->n_columns};
    PG_TRY(read_ids(op, v, &ids));
    PG_TRY(nn_f64_out(op, 0, PG_F32, x->rank == 2 ? 2 : 1, x->rank == 2 ? dims : dims + 1, &y));
    memset(y.values, 0, pg_tensor_count(y.tensor) * sizeof *y.values);
    PG_TRY(pg_op_scratch(op, (v->n_grams + v->longest + 1) * sizeof(double), &memory));
    double *counts = memory;
    for (size_t r = 0; r < rows; r++) {
        memset(counts, 0, v->n_grams * sizeof *counts);
        count_row(v, ids + r * n_ids, n_ids, (int32_t *)(counts + v->n_grams), counts);
        weigh_row(v, counts, y.values + r * v->n_columns);
    }
    nn_f64_done(&y);
    return NULL;
}

const pg_kernel pg_kernels_tfidf[] = {
    {"", "TfIdfVectorizer", 9, 0, run_tfidf, prepare_tfidf, release_vectorizer, 0},
    {0},
};

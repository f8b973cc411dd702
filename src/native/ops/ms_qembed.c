/* QEmbedLayerNormalization of com.microsoft: the tables and the scales of the normalisation are 8-bit codes, of which
 * only the rows that the ids name are read. */
#include "base/threads.h"
#include "native/ops/ms_norm.h"
#include "native/ops/quant.h"

/* Five inputs from the word table on are codes; their scales and then their zero points follow in the same order. */
enum {
    FIRST_CODES = EMBED_WORD,
    FIRST_SCALE = 8,
    FIRST_ZERO = 13,
    CODED = 5,
    WORD = 0,
    POSITION,
    SEGMENT,
    GAMMA,
    BETA
};

typedef struct coded {
    const pg_tensor *codes; /* NULL: omitted */
    float scale;
    int32_t zero;
} coded;

static int32_t code_at(const pg_tensor *codes, size_t i)
{
    return codes->dtype == PG_U8 ? ((const uint8_t *)codes->data)[i] : ((const int8_t *)codes->data)[i];
}

static float value_at(const coded *from, size_t i)
{
    return (float)(code_at(from->codes, i) - from->zero) * from->scale;
}

static pg_status read_coded(const pg_op *op, size_t which, coded *out)
{
    const pg_tensor *codes = pg_op_in(op, FIRST_CODES + which);
    const pg_tensor *scale = pg_op_in(op, FIRST_SCALE + which), *zero = pg_op_in(op, FIRST_ZERO + which);
    *out = (coded){codes, 0, 0};
    if (codes == NULL && which == SEGMENT)
        return NULL;
    if (codes == NULL)
        return pg_op_err(op, PG_ERR_INVALID, "input %zu is missing", FIRST_CODES + which);
    if (!quant_is_8bit(codes->dtype))
        return pg_op_bad_type(op, FIRST_CODES + which);
    if (scale != NULL && scale->dtype != PG_F32)
        return pg_op_bad_type(op, FIRST_SCALE + which);
    if (scale == NULL || pg_tensor_count(scale) != 1)
        return pg_op_err(op, PG_ERR_INVALID, "input %zu is not the one float32 scale of input %zu",
                         FIRST_SCALE + which, FIRST_CODES + which);
    if (zero == NULL || zero->dtype != codes->dtype || pg_tensor_count(zero) != 1)
        return pg_op_err(op, PG_ERR_INVALID, "input %zu is not the one zero point of input %zu, of its type",
                         FIRST_ZERO + which, FIRST_CODES + which);
    out->scale = *(const float *)scale->data;
    out->zero = code_at(zero, 0);
    return NULL;
}

static pg_status check_shapes(const pg_op *op, const coded *parts)
{
    const pg_tensor *word = parts[WORD].codes;
    for (size_t i = WORD; i <= SEGMENT; i++) {
        const pg_tensor *table = parts[i].codes;
        if (table != NULL && (table->rank != 2 || word->rank != 2 || table->dims[1] != word->dims[1]))
            return pg_op_err(op, PG_ERR_INVALID, "input %zu is no table of the word table's width",
                             FIRST_CODES + i);
    }
    for (size_t i = GAMMA; i <= BETA; i++)
        if (pg_tensor_count(parts[i].codes) != (uint64_t)word->dims[1])
            return pg_op_err(op, PG_ERR_INVALID, "input %zu has not one element per column of the word table",
                             FIRST_CODES + i);
    return NULL;
}

/* Adds to each row of `sum` the table's row that `ids` names; NULL ids count positions. */
static pg_status add_rows(const pg_op *op, const coded *table, const int32_t *ids, size_t rows, size_t length,
                          float *sum)
{
    const size_t n = (size_t)table->codes->dims[1];
    for (size_t r = 0; r < rows; r++) {
        const int64_t id = ids != NULL ? ids[r] : (int64_t)(r % length);
        if (id < 0 || id >= table->codes->dims[0])
            return pg_op_err(op, PG_ERR_INVALID, "id %lld is outside a table of %lld rows", (long long)id,
                             (long long)table->codes->dims[0]);
        for (size_t i = 0; i < n; i++)
            sum[r * n + i] += value_at(table, (size_t)id * n + i);
    }
    return NULL;
}

static pg_status add_tables(pg_op *op, const coded *parts, size_t rows, size_t length, float *sum)
{
    const pg_tensor *segments = pg_op_in(op, EMBED_SEGMENTS);
    PG_TRY(add_rows(op, &parts[WORD], pg_op_in(op, EMBED_IDS)->data, rows, length, sum));
    PG_TRY(add_rows(op, &parts[POSITION], NULL, rows, length, sum));
    if (parts[SEGMENT].codes == NULL || segments == NULL)
        return NULL;
    return add_rows(op, &parts[SEGMENT], segments->data, rows, length, sum);
}

pg_status ms_run_qembed(pg_op *op)
{
    const pg_tensor *ids = pg_op_in(op, EMBED_IDS);
    coded parts[CODED];
    void *memory;
    pg_tensor *y;
    if (ids == NULL || ids->rank != 2)
        return pg_op_err(op, PG_ERR_INVALID, "input 0 must be ids (batch, length)");
    for (size_t i = 0; i < CODED; i++)
        PG_TRY(read_coded(op, i, &parts[i]));
    PG_TRY(check_shapes(op, parts));
    PG_TRY(ms_embed_check_ids(op, EMBED_IDS, ids, false));
    PG_TRY(ms_embed_check_ids(op, EMBED_SEGMENTS, ids, false));
    PG_TRY(ms_embed_check_ids(op, EMBED_MASK, ids, false));
    const size_t batch = (size_t)ids->dims[0], length = (size_t)ids->dims[1],
                 n = (size_t)parts[WORD].codes->dims[1];
    const int64_t dims[3] = {ids->dims[0], ids->dims[1], (int64_t)n};
    PG_TRY(pg_op_out(op, 0, PG_F32, 3, dims, &y));
    memset(y->data, 0, pg_tensor_bytes(y));
    PG_TRY(add_tables(op, parts, batch * length, length, y->data));
    PG_TRY(ms_embed_mask_index(op, batch, length));
    PG_TRY(pg_op_scratch(op, 2 * n * sizeof(float) + 64, &memory));
    float *gamma = memory, *beta = gamma + n;
    for (size_t i = 0; i < n; i++) {
        gamma[i] = value_at(&parts[GAMMA], i);
        beta[i] = value_at(&parts[BETA], i);
    }
    ms_norm_rows job = {.dtype = PG_F32, .n = n, .x = y->data, .y = y->data, .scale = gamma, .shift = beta};
    PG_TRY(ms_norm_epsilon(op, 1e-12f, &job.epsilon));
    pg_parallel_for(batch * length, 8192 / (n + 1) + 1, ms_normalize_rows, &job);
    return NULL;
}

/* FlexAttention: attention whose scores and probabilities pass through graphs of the model. */
#include <math.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "native/gemm.h"
#include "native/ops/nn.h"
#include "tensor/dtype_convert.h"

typedef struct flex {
    pg_dtype dtype, inner; /* of the inputs, and of what the graphs see */
    size_t size, batch, heads, kv_heads, queries, keys, depth, v_depth;
    double scale;
    const char *q, *k, *v;
    char *scores, *y; /* [batch][heads][queries][keys] */
    char *packed;     /* one matrix per part */
    uint64_t packed_bytes;
    size_t n_parts;
} flex;

static pg_status read_shapes(pg_op *op, flex *f)
{
    const pg_tensor *q = pg_op_in(op, 0), *k = pg_op_in(op, 1), *v = pg_op_in(op, 2);
    if (q->rank != 4 || k->rank != 4 || v->rank != 4)
        return pg_op_err(op, PG_ERR_INVALID, "queries, keys and values must have rank 4");
    if (k->dims[0] != q->dims[0] || v->dims[0] != q->dims[0] || k->dims[1] != v->dims[1] ||
        k->dims[2] != v->dims[2] || k->dims[3] != q->dims[3] || k->dims[1] == 0 ||
        q->dims[1] % k->dims[1] != 0)
        return pg_op_err(op, PG_ERR_INVALID, "queries, keys and values do not fit each other");
    *f = (flex){.dtype = q->dtype,
                .inner = q->dtype,
                .size = q->dtype == PG_F64 ? 8 : 4,
                .batch = (size_t)q->dims[0],
                .heads = (size_t)q->dims[1],
                .kv_heads = (size_t)k->dims[1],
                .queries = (size_t)q->dims[2],
                .keys = (size_t)k->dims[2],
                .depth = (size_t)q->dims[3],
                .v_depth = (size_t)v->dims[3],
                .q = q->data,
                .k = k->data,
                .v = v->data};
    float scale;
    int64_t precision;
    PG_TRY(pg_op_attr_f(op, "scale", 0, &scale));
    PG_TRY(pg_op_attr_i(op, "softmax_precision", q->dtype, &precision));
    f->scale = pg_node_attr(op->node, "scale") != NULL ? (double)scale : 1 / sqrt((double)f->depth);
    f->inner = (pg_dtype)precision;
    if (precision < 0 || precision >= PG_DTYPE_COUNT || !pg_dtype_is_float(f->inner))
        return pg_op_err(op, PG_ERR_INVALID, "softmax_precision %lld is no floating-point type",
                         (long long)precision);
    return NULL;
}

static pg_status bind_packed(pg_op *op, flex *f)
{
    const uint64_t k = pg_gemm_packed_bytes(f->dtype, f->depth, f->keys),
                   v = pg_gemm_packed_bytes(f->dtype, f->keys, f->v_depth);
    uint64_t bytes;
    void *memory;
    f->n_parts = PG_MAX((size_t)1, PG_MIN(f->batch * f->heads, (size_t)pg_threads()));
    if (k > PTRDIFF_MAX || v > PTRDIFF_MAX)
        return pg_op_err(op, PG_ERR_LIMIT, "matrices too large");
    f->packed_bytes = (PG_MAX(k, v) + 63) / 64 * 64;
    if (!nn_product(&bytes, 2, (uint64_t[]){f->packed_bytes, f->n_parts}))
        return pg_op_err(op, PG_ERR_LIMIT, "matrices too large");
    PG_TRY(pg_op_scratch(op, bytes + 64, &memory));
    f->packed = memory;
    return NULL;
}

/* Scores of heads, or with `values` their results. */
static void multiply_head(const flex *f, size_t item, char *packed, bool values)
{
    const size_t b = item / f->heads, kv = item % f->heads / (f->heads / f->kv_heads), s = f->size;
    const size_t from = (b * f->kv_heads + kv) * f->keys;
    char *scores = f->scores + item * f->queries * f->keys * s;
    if (values) {
        pg_gemm_pack(f->dtype, f->keys, f->v_depth, f->v + from * f->v_depth * s, f->v_depth, false, 1,
                     packed);
        pg_gemm_run(&(pg_gemm){.dtype = f->dtype,
                               .m = f->queries,
                               .n = f->v_depth,
                               .k = f->keys,
                               .a = scores,
                               .lda = f->keys,
                               .b = packed,
                               .c = f->y + item * f->queries * f->v_depth * s,
                               .ldc = f->v_depth});
        return;
    }
    pg_gemm_pack(f->dtype, f->depth, f->keys, f->k + from * f->depth * s, f->depth, true, f->scale, packed);
    pg_gemm_run(&(pg_gemm){.dtype = f->dtype,
                           .m = f->queries,
                           .n = f->keys,
                           .k = f->depth,
                           .a = f->q + item * f->queries * f->depth * s,
                           .lda = f->depth,
                           .b = packed,
                           .c = scores,
                           .ldc = f->keys});
}

static void multiply_parts(const flex *f, size_t begin, size_t end, bool values)
{
    const size_t items = f->batch * f->heads;
    for (size_t part = begin; part < end; part++)
        for (size_t i = items * part / f->n_parts; i < items * (part + 1) / f->n_parts; i++)
            multiply_head(f, i, f->packed + part * f->packed_bytes, values);
}
static void score_parts(void *context, size_t begin, size_t end)
{
    multiply_parts(context, begin, end, false);
}
static void value_parts(void *context, size_t begin, size_t end)
{
    multiply_parts(context, begin, end, true);
}

/* Rows that are masked everywhere become zero. */
#define DEFINE_SOFTMAX(T, SUFFIX, EXP)           \
    static void softmax_##SUFFIX(T *x, size_t n) \
    {                                            \
        T top = -(T)INFINITY, sum = 0;           \
        for (size_t i = 0; i < n; i++)           \
            top = x[i] > top ? x[i] : top;       \
        if (top == -(T)INFINITY)                 \
            top = 0;                             \
        for (size_t i = 0; i < n; i++) {         \
            x[i] = EXP(x[i] - top);              \
            sum += x[i];                         \
        }                                        \
        for (size_t i = 0; i < n; i++)           \
            x[i] = sum != 0 ? x[i] / sum : 0;    \
    }
DEFINE_SOFTMAX(float, f32, expf)
DEFINE_SOFTMAX(double, f64, exp)

static void softmax_rows(void *context, size_t begin, size_t end)
{
    const flex *f = context;
    for (size_t r = begin; r < end; r++)
        if (f->dtype == PG_F64)
            softmax_f64((double *)f->scores + r * f->keys, f->keys);
        else
            softmax_f32((float *)f->scores + r * f->keys, f->keys);
}

/* Passes the scores through the graph attribute `name`, if there is one. */
static pg_status modify(pg_op *op, const flex *f, const char *name)
{
    size_t graph = 0;
    const pg_node *node = op->node;
    for (size_t i = 0; i < node->n_attrs; i++) {
        if (node->attrs[i].type != PG_ATTR_GRAPH)
            continue;
        if (pg_str_is(node->attrs[i].name, name))
            break;
        graph++;
    }
    if (graph >= op->n_subgraphs)
        return NULL;
    const int64_t dims[4] = {(int64_t)f->batch, (int64_t)f->heads, (int64_t)f->queries, (int64_t)f->keys};
    pg_tensor scores;
    pg_value in, out = {0};
    PG_TRY(pg_tensor_alloc(&scores, f->inner, 4, dims));
    const uint64_t count = pg_tensor_count(&scores);
    pg_convert(f->dtype, f->scores, f->inner, scores.data, count, NULL);
    in = pg_value_of_tensor(scores);
    PG_TRY(pg_op_run_subgraph(op, graph, &in, 1, &out, 1));
    pg_status status = NULL;
    if (out.kind != PG_VALUE_TENSOR || out.tensor.dtype != f->inner || out.tensor.rank != 4 ||
        memcmp(out.tensor.dims, dims, sizeof dims) != 0 || out.tensor.layout != PG_ROW_MAJOR)
        status = pg_op_err(op, PG_ERR_INVALID, "graph '%s' changes the shape or type of the scores", name);
    else
        pg_convert(f->inner, out.tensor.data, f->dtype, f->scores, count, NULL);
    pg_value_deinit(&out);
    return status;
}

static pg_status run_flex_attention(pg_op *op)
{
    PG_TRY(nn_need_floats(op, 3));
    flex f;
    uint64_t bytes;
    void *memory;
    pg_tensor *y;
    PG_TRY(read_shapes(op, &f));
    if (!nn_product(&bytes, 5, (uint64_t[]){f.batch, f.heads, f.queries, f.keys, f.size}))
        return pg_op_err(op, PG_ERR_LIMIT, "scores too large");
    PG_TRY(pg_op_scratch(op, bytes + 64, &memory));
    f.scores = memory;
    PG_TRY(bind_packed(op, &f));
    const int64_t dims[4] = {(int64_t)f.batch, (int64_t)f.heads, (int64_t)f.queries, (int64_t)f.v_depth};
    pg_parallel_for(f.n_parts, 1, score_parts, &f);
    PG_TRY(modify(op, &f, "score_mod"));
    pg_parallel_for(f.batch * f.heads * f.queries, 4096 / (f.keys + 1) + 1, softmax_rows, &f);
    PG_TRY(modify(op, &f, "prob_mod"));
    PG_TRY(pg_op_out(op, 0, f.dtype, 4, dims, &y));
    f.y = y->data;
    pg_parallel_for(f.n_parts, 1, value_parts, &f);
    return NULL;
}

const pg_kernel pg_kernels_flex_attention[] = {
    {"ai.onnx.preview", "FlexAttention", 1, 0, run_flex_attention, NULL, NULL, PG_KERNEL_HALF_VIA_F32},
    {0},
};

/* Matrix products of ONNX Runtime's exports: FusedMatMul and MatMulNBits. */
#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "native/gemm.h"
#include "native/ops/nn.h"

/* ---- FusedMatMul ---- */

/* A matrix operand of the batch: element (r, c) lies at r * row + c * col, batches by their own strides. */
typedef struct operand {
    const char *data;
    size_t rows, cols; /* after transposition */
    size_t row, col;   /* strides in elements */
    size_t batch_rank;
    int64_t batch_dims[PG_MAX_RANK], batch_steps[PG_MAX_RANK];
} operand;

/* With `trans` the last two dims swap; with `trans_batch` the first dim moves behind the other batch dims, to
 * be a row index: (d0, d1, .., dn-1, k) is read as (d1, .., d0, k). */
static pg_status read_operand(const pg_op *op, size_t i, bool trans, bool trans_batch, operand *out)
{
    const pg_tensor *t = pg_op_in(op, i);
    int64_t dims[PG_MAX_RANK] = {1, 1}, strides[PG_MAX_RANK];
    size_t rank = t->rank, axes[PG_MAX_RANK];
    if (rank < 2)
        return pg_op_err(op, PG_ERR_UNSUPPORTED, "input %zu has rank %zu; matrices need at least 2", i, rank);
    for (size_t d = rank, step = 1; d-- > 0; step *= (size_t)t->dims[d]) {
        dims[d] = t->dims[d];
        strides[d] = (int64_t)step;
    }
    for (size_t d = 0; d < rank; d++)
        axes[d] = d;
    if (trans_batch) {
        if (rank < 3)
            return pg_op_err(op, PG_ERR_INVALID, "input %zu has no batch to transpose", i);
        for (size_t d = 0; d + 2 < rank; d++)
            axes[d] = d + 1;
        axes[rank - 2] = 0;
    }
    const size_t r = axes[trans ? rank - 1 : rank - 2], c = axes[trans ? rank - 2 : rank - 1];
    *out = (operand){.data = t->data,
                     .rows = (size_t)dims[r],
                     .cols = (size_t)dims[c],
                     .row = (size_t)strides[r],
                     .col = (size_t)strides[c],
                     .batch_rank = rank - 2};
    for (size_t d = 0; d + 2 < rank; d++) {
        out->batch_dims[d] = dims[axes[d]];
        out->batch_steps[d] = strides[axes[d]];
    }
    return NULL;
}

typedef struct product {
    pg_dtype dtype;
    operand a, b;
    size_t rank, batches;
    int64_t dims[PG_MAX_RANK]; /* batch dims of the result */
    double alpha;
    char *c, *room; /* per part: a copy of A, a copy of B, packed B */
    uint64_t a_bytes, b_bytes, packed_bytes;
    size_t n_parts;
} product;

static size_t batch_offset(const product *p, const operand *o, size_t batch)
{
    size_t offset = 0;
    for (size_t d = p->rank; d-- > 0;) {
        const size_t at = batch % (size_t)p->dims[d];
        batch /= (size_t)p->dims[d];
        if (d + o->batch_rank < p->rank)
            continue;
        const size_t own = d + o->batch_rank - p->rank;
        offset += o->batch_dims[own] == 1 ? 0 : at * (size_t)o->batch_steps[own];
    }
    return offset;
}

/* The matrix with rows of neighbouring elements: its own bytes when it has them, else a copy. */
static const char *lay_rows(pg_dtype dtype, const operand *o, const char *from, char *copy, size_t *stride)
{
    *stride = o->row;
    if (o->col == 1 || o->cols <= 1)
        return from;
    *stride = o->cols;
    for (size_t r = 0; r < o->rows; r++)
        for (size_t c = 0; c < o->cols; c++)
            if (dtype == PG_F64)
                ((double *)copy)[r * o->cols + c] = ((const double *)from)[r * o->row + c * o->col];
            else
                ((float *)copy)[r * o->cols + c] = ((const float *)from)[r * o->row + c * o->col];
    return copy;
}

static void multiply_parts(void *context, size_t begin, size_t end)
{
    const product *p = context;
    const size_t size = nn_float_size(p->dtype), m = p->a.rows, n = p->b.cols, k = p->a.cols;
    for (size_t part = begin; part < end; part++) {
        char *copy_a = p->room + part * (p->a_bytes + p->b_bytes + p->packed_bytes);
        char *copy_b = copy_a + p->a_bytes, *packed = copy_b + p->b_bytes;
        for (size_t i = p->batches * part / p->n_parts; i < p->batches * (part + 1) / p->n_parts; i++) {
            size_t lda, ldb;
            const char *a =
                lay_rows(p->dtype, &p->a, p->a.data + batch_offset(p, &p->a, i) * size, copy_a, &lda);
            const char *b =
                lay_rows(p->dtype, &p->b, p->b.data + batch_offset(p, &p->b, i) * size, copy_b, &ldb);
            pg_gemm_pack(p->dtype, k, n, b, ldb, false, p->alpha, packed);
            pg_gemm_run(&(pg_gemm){.dtype = p->dtype,
                                   .m = m,
                                   .n = n,
                                   .k = k,
                                   .a = a,
                                   .lda = lda,
                                   .b = packed,
                                   .c = p->c + i * m * n * size,
                                   .ldc = n});
        }
    }
}

static pg_status join_batches(const pg_op *op, product *p)
{
    p->rank = PG_MAX(p->a.batch_rank, p->b.batch_rank);
    p->batches = 1;
    for (size_t d = 0; d < p->rank; d++) {
        const operand *o[2] = {&p->a, &p->b};
        p->dims[d] = 1;
        for (size_t i = 0; i < 2; i++) {
            if (d + o[i]->batch_rank < p->rank)
                continue;
            const int64_t own = o[i]->batch_dims[d + o[i]->batch_rank - p->rank];
            if (own != 1 && p->dims[d] != 1 && own != p->dims[d])
                return pg_op_err(op, PG_ERR_INVALID, "batch dimensions %lld and %lld do not broadcast",
                                 (long long)p->dims[d], (long long)own);
            p->dims[d] = p->dims[d] == 1 ? own : p->dims[d];
        }
        p->batches *= (size_t)p->dims[d];
    }
    return NULL;
}

static pg_status bind_room(pg_op *op, product *p)
{
    const size_t size = nn_float_size(p->dtype);
    const uint64_t packed = pg_gemm_packed_bytes(p->dtype, p->a.cols, p->b.cols);
    uint64_t bytes;
    void *memory;
    if (packed > PTRDIFF_MAX)
        return pg_op_err(op, PG_ERR_LIMIT, "matrices too large");
    p->packed_bytes = (packed + 63) / 64 * 64;
    p->a_bytes = p->a.col == 1 ? 0 : (p->a.rows * p->a.cols * size + 63) / 64 * 64;
    p->b_bytes = p->b.col == 1 ? 0 : (p->b.rows * p->b.cols * size + 63) / 64 * 64;
    p->n_parts = PG_MAX((size_t)1, PG_MIN(p->batches, (size_t)pg_threads()));
    if (!nn_product(&bytes, 2, (uint64_t[]){p->n_parts, p->a_bytes + p->b_bytes + p->packed_bytes}))
        return pg_op_err(op, PG_ERR_LIMIT, "matrices too large");
    PG_TRY(pg_op_scratch(op, bytes + 64, &memory));
    p->room = memory;
    return NULL;
}

static pg_status run_fused_matmul(pg_op *op)
{
    PG_TRY(nn_need_floats(op, 2));
    int64_t trans_a, trans_b, batch_a, batch_b;
    float alpha;
    product p = {.dtype = pg_op_in(op, 0)->dtype};
    pg_tensor *c;
    PG_TRY(pg_op_attr_i(op, "transA", 0, &trans_a));
    PG_TRY(pg_op_attr_i(op, "transB", 0, &trans_b));
    PG_TRY(pg_op_attr_i(op, "transBatchA", 0, &batch_a));
    PG_TRY(pg_op_attr_i(op, "transBatchB", 0, &batch_b));
    PG_TRY(pg_op_attr_f(op, "alpha", 1, &alpha));
    p.alpha = (double)alpha;
    PG_TRY(read_operand(op, 0, trans_a != 0, batch_a != 0, &p.a));
    PG_TRY(read_operand(op, 1, trans_b != 0, batch_b != 0, &p.b));
    if (p.a.cols != p.b.rows)
        return pg_op_err(op, PG_ERR_INVALID, "matrices of %zu columns and %zu rows cannot be multiplied",
                         p.a.cols, p.b.rows);
    PG_TRY(join_batches(op, &p));
    p.dims[p.rank] = (int64_t)p.a.rows; /* ranks of operands leave room for two */
    p.dims[p.rank + 1] = (int64_t)p.b.cols;
    PG_TRY(pg_op_out(op, 0, p.dtype, p.rank + 2, p.dims, &c));
    PG_TRY(bind_room(op, &p));
    p.c = c->data;
    pg_parallel_for(p.n_parts, 1, multiply_parts, &p);
    return NULL;
}

/* ---- MatMulNBits ---- */

enum { NB_A, NB_B, NB_SCALES, NB_ZEROS, NB_GROUPS, NB_BIAS };

/* B has N rows of K codes in blocks; each block has a scale and a zero point. */
typedef struct nbits {
    size_t k, n, bits, block, blocks, row_bytes, zero_row;
} nbits;

static pg_status read_nbits(const pg_op *op, nbits *q)
{
    int64_t k, n, bits, block;
    PG_TRY(pg_op_attr_i(op, "K", 0, &k));
    PG_TRY(pg_op_attr_i(op, "N", 0, &n));
    PG_TRY(pg_op_attr_i(op, "bits", 4, &bits));
    PG_TRY(pg_op_attr_i(op, "block_size", 0, &block));
    if (k < 1 || n < 1 || k > INT32_MAX || n > INT32_MAX || block < 16 || block > 1 << 20 ||
        (block & (block - 1)) != 0 || (bits != 2 && bits != 4 && bits != 8))
        return pg_op_err(op, PG_ERR_INVALID, "K %lld, N %lld, %lld bits in blocks of %lld", (long long)k,
                         (long long)n, (long long)bits, (long long)block);
    *q = (nbits){.k = (size_t)k, .n = (size_t)n, .bits = (size_t)bits, .block = (size_t)block};
    q->blocks = (q->k + q->block - 1) / q->block;
    q->row_bytes = q->blocks * (q->block * q->bits / 8);
    q->zero_row = (q->blocks * q->bits + 7) / 8;
    return NULL;
}

static pg_status check_nbits(const pg_op *op, const nbits *q)
{
    const pg_tensor *b = pg_op_in(op, NB_B), *scales = pg_op_in(op, NB_SCALES),
                    *zeros = pg_op_in(op, NB_ZEROS);
    if (b->dtype != PG_U8)
        return pg_op_bad_type(op, NB_B);
    if (!nn_is_float(scales->dtype))
        return pg_op_bad_type(op, NB_SCALES);
    if (pg_op_in(op, NB_GROUPS) != NULL)
        return pg_op_err(op, PG_ERR_UNSUPPORTED, "a group index (g_idx)");
    if (pg_tensor_count(b) != q->n * q->row_bytes || pg_tensor_count(scales) != q->n * q->blocks)
        return pg_op_err(op, PG_ERR_INVALID,
                         "B or its scales do not have the size that K, N and block_size state");
    if (zeros == NULL)
        return NULL;
    if (zeros->dtype != PG_U8 && !nn_is_float(zeros->dtype))
        return pg_op_bad_type(op, NB_ZEROS);
    if (pg_tensor_count(zeros) != q->n * (zeros->dtype == PG_U8 ? q->zero_row : q->blocks))
        return pg_op_err(op, PG_ERR_INVALID, "the zero points do not have one entry per block");
    return NULL;
}

static uint8_t code_at(const uint8_t *row, size_t bits, size_t i)
{
    return (uint8_t)(row[i * bits / 8] >> (i * bits % 8) & ((1u << bits) - 1));
}

typedef struct decode_job {
    const nbits *q;
    const pg_tensor *b, *scales, *zeros;
    pg_dtype dtype;
    void *out; /* [n][k] */
} decode_job;

static void decode_rows(void *context, size_t begin, size_t end)
{
    const decode_job *job = context;
    const nbits *q = job->q;
    for (size_t r = begin; r < end; r++) {
        const uint8_t *codes = (const uint8_t *)job->b->data + r * q->row_bytes;
        for (size_t block = 0; block < q->blocks; block++) {
            const size_t at = r * q->blocks + block;
            const double scale = pg_tensor_get_f64(job->scales, at);
            double zero = (double)(1u << (q->bits - 1));
            if (job->zeros != NULL && job->zeros->dtype == PG_U8)
                zero = code_at((const uint8_t *)job->zeros->data + r * q->zero_row, q->bits, block);
            else if (job->zeros != NULL)
                zero = pg_tensor_get_f64(job->zeros, at);
            for (size_t i = block * q->block; i < PG_MIN((block + 1) * q->block, q->k); i++) {
                const double v = (code_at(codes, q->bits, i) - zero) * scale;
                if (job->dtype == PG_F64)
                    ((double *)job->out)[r * q->k + i] = v;
                else
                    ((float *)job->out)[r * q->k + i] = (float)v;
            }
        }
    }
}

/* Decodes B and packs it at `packed`. */
static pg_status pack_nbits(pg_op *op, const nbits *q, pg_dtype dtype, void *packed)
{
    void *values;
    decode_job job = {.q = q,
                      .b = pg_op_in(op, NB_B),
                      .scales = pg_op_in(op, NB_SCALES),
                      .zeros = pg_op_in(op, NB_ZEROS),
                      .dtype = dtype};
    PG_TRY(pg_op_scratch(op, q->n * q->k * nn_float_size(dtype) + 64, &values));
    job.out = values;
    pg_parallel_for(q->n, 16384 / q->k + 1, decode_rows, &job);
    pg_gemm_pack(dtype, q->k, q->n, values, q->k, true, 1, packed);
    return NULL;
}

/* Constant weights of float32 models are packed once. */
static pg_status prepare_nbits(pg_op *op)
{
    nbits q;
    const bool constant =
        pg_op_in(op, NB_B) != NULL && pg_op_in(op, NB_SCALES) != NULL &&
        pg_op_in(op, NB_SCALES)->dtype == PG_F32 &&
        (op->n_in <= NB_ZEROS || op->node->inputs[NB_ZEROS].len == 0 || pg_op_in(op, NB_ZEROS) != NULL);
    if (!constant)
        return NULL;
    PG_TRY(read_nbits(op, &q));
    PG_TRY(check_nbits(op, &q));
    const uint64_t bytes = pg_gemm_packed_bytes(PG_F32, q.k, q.n);
    op->state = nn_alloc(bytes);
    if (op->state == NULL)
        return pg_op_err(op, PG_ERR_NO_MEMORY, "no memory for %llu bytes of packed weights",
                         (unsigned long long)bytes);
    return pack_nbits(op, &q, PG_F32, op->state);
}

static pg_status run_nbits(pg_op *op)
{
    PG_TRY(pg_op_need(op, 3));
    const pg_tensor *a = pg_op_in(op, NB_A), *bias = pg_op_in(op, NB_BIAS);
    nbits q;
    int64_t dims[PG_MAX_RANK];
    pg_tensor *y;
    void *packed = op->state;
    PG_TRY(read_nbits(op, &q));
    if (!nn_is_float(a->dtype))
        return pg_op_bad_type(op, NB_A);
    if (a->rank < 1 || (uint64_t)a->dims[a->rank - 1] != q.k)
        return pg_op_err(op, PG_ERR_INVALID, "rows of A do not have %zu elements", q.k);
    if (bias != NULL && (bias->dtype != a->dtype || pg_tensor_count(bias) != q.n))
        return pg_op_err(op, PG_ERR_INVALID, "the bias does not have %zu elements of A's type", q.n);
    if (packed == NULL || a->dtype != PG_F32) {
        PG_TRY(check_nbits(op, &q));
        PG_TRY(pg_op_scratch(op, pg_gemm_packed_bytes(a->dtype, q.k, q.n) + 64, &packed));
        PG_TRY(pack_nbits(op, &q, a->dtype, packed));
    }
    memcpy(dims, a->dims, a->rank * sizeof *dims);
    dims[a->rank - 1] = (int64_t)q.n;
    PG_TRY(pg_op_out(op, 0, a->dtype, a->rank, dims, &y));
    pg_gemm_run(&(pg_gemm){.dtype = a->dtype,
                           .m = (size_t)(pg_tensor_count(a) / q.k),
                           .n = q.n,
                           .k = q.k,
                           .a = a->data,
                           .lda = q.k,
                           .b = packed,
                           .c = y->data,
                           .ldc = q.n,
                           .bias = bias != NULL ? bias->data : NULL});
    return NULL;
}

#define MS "com.microsoft"
enum { HALF = PG_KERNEL_HALF_VIA_F32 };
const pg_kernel pg_kernels_ms_matmul[] = {
    {MS, "FusedMatMul", 1, 0, run_fused_matmul, NULL, NULL, HALF},
    {MS, "TransposeMatMul", 1, 0, run_fused_matmul, NULL, NULL, HALF},
    {MS, "MatMulNBits", 1, 0, run_nbits, prepare_nbits, NULL, HALF},
    {0},
};

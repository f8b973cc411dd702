/* MatMul, Gemm and the engine's fused forms of them. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "native/gemm.h"
#include "native/ops/linear.h"
#include "native/ops/nn.h"
#include "native/ops/packed.h"

/* Constant right-hand matrices: some of them, one after the other. */
typedef struct packed_b {
    pg_dtype dtype; /* of the product: that of B, or PG_BF16 */
    packed_weights packed;
    uint64_t stride; /* bytes from one to the next */
} packed_b;

static void release_packed(void *state)
{
    packed_b *b = state;
    packed_free(&b->packed);
    free(b);
}

/* ---- Shapes of MatMul ---- */

/* C[batch] = A[batch] B[batch], batches broadcast. */
typedef struct product {
    size_t m, n, k;
    size_t batch_rank, batches;
    int64_t batch_dims[PG_MAX_RANK];
    int64_t a_step[PG_MAX_RANK], b_step[PG_MAX_RANK]; /* in matrices; 0 where repeated */
    size_t rank;
    int64_t dims[PG_MAX_RANK]; /* of the output */
} product;

static int64_t batch_dim(const pg_tensor *t, size_t matrix_rank, size_t batch_rank, size_t i)
{
    const size_t own = t->rank - matrix_rank;
    return i + own >= batch_rank ? t->dims[i + own - batch_rank] : 1;
}

static pg_status broadcast_batches(const pg_op *op, const pg_tensor *a, const pg_tensor *b, product *p)
{
    const size_t a_matrix = PG_MIN(a->rank, 2), b_matrix = PG_MIN(b->rank, 2);
    p->batch_rank = PG_MAX(a->rank - a_matrix, b->rank - b_matrix);
    p->batches = 1;
    int64_t a_size = 1, b_size = 1;
    for (size_t i = p->batch_rank; i-- > 0;) {
        const int64_t x = batch_dim(a, a_matrix, p->batch_rank, i),
                      y = batch_dim(b, b_matrix, p->batch_rank, i);
        if (x != y && x != 1 && y != 1)
            return pg_op_err(op, PG_ERR_INVALID, "batch dimensions %lld and %lld do not broadcast",
                             (long long)x, (long long)y);
        p->batch_dims[i] = x == 1 ? y : x;
        p->a_step[i] = x == 1 ? 0 : a_size;
        p->b_step[i] = y == 1 ? 0 : b_size;
        a_size *= x;
        b_size *= y;
        p->batches *= (size_t)p->batch_dims[i];
    }
    return NULL;
}

static pg_status product_shape(const pg_op *op, const pg_tensor *a, const pg_tensor *b, product *p)
{
    if (a->rank == 0 || b->rank == 0)
        return pg_op_err(op, PG_ERR_INVALID, "a scalar cannot be multiplied as a matrix");
    PG_TRY(broadcast_batches(op, a, b, p));
    p->m = a->rank == 1 ? 1 : (size_t)a->dims[a->rank - 2];
    p->k = (size_t)a->dims[a->rank - 1];
    p->n = b->rank == 1 ? 1 : (size_t)b->dims[b->rank - 1];
    const int64_t b_k = b->dims[b->rank == 1 ? 0 : b->rank - 2];
    if ((int64_t)p->k != b_k)
        return pg_op_err(op, PG_ERR_INVALID, "matrices of %zu columns and %lld rows cannot be multiplied",
                         p->k, (long long)b_k);
    p->rank = p->batch_rank;
    memcpy(p->dims, p->batch_dims, p->rank * sizeof p->dims[0]);
    if (p->rank + 2 > PG_MAX_RANK)
        return pg_op_err(op, PG_ERR_LIMIT, "the result's rank is too high");
    if (a->rank > 1)
        p->dims[p->rank++] = (int64_t)p->m;
    if (b->rank > 1)
        p->dims[p->rank++] = (int64_t)p->n;
    return NULL;
}

/* When B is one matrix, all of A's rows are one matrix too. */
static void merge_batches(const pg_tensor *b, product *p)
{
    if (b->rank <= 2 && p->batches > 0) {
        p->m *= p->batches;
        p->batches = 1;
        p->batch_rank = 0;
    }
}

static void batch_offsets(const product *p, size_t batch, size_t *a, size_t *b)
{
    *a = *b = 0;
    for (size_t i = p->batch_rank; i-- > 0;) {
        const size_t at = batch % (size_t)p->batch_dims[i];
        batch /= (size_t)p->batch_dims[i];
        *a += at * (size_t)p->a_step[i];
        *b += at * (size_t)p->b_step[i];
    }
}

/* ---- Floating point ---- */

typedef struct batch_job {
    const product *p;
    pg_dtype dtype;
    const char *a, *b; /* b: plain, or packed when b_stride is set */
    char *c, *room;    /* room for one packed matrix per batch of B */
    uint64_t stride;
    const void *bias;
    const char *add;
    pg_act act;
    pg_dtype half; /* of c and add, as in pg_gemm */
} batch_job;

static void pack_batches(void *context, size_t begin, size_t end)
{
    const batch_job *job = context;
    const product *p = job->p;
    const size_t matrix = p->k * p->n * nn_float_size(job->dtype);
    for (size_t i = begin; i < end; i++)
        pg_gemm_pack(job->dtype, p->k, p->n, job->b + i * matrix, p->n, false, 1.0,
                     job->room + i * job->stride);
}

static void multiply_batches(void *context, size_t begin, size_t end)
{
    const batch_job *job = context;
    const product *p = job->p;
    const size_t a_size = job->dtype == PG_BF16 ? sizeof(uint16_t) : nn_float_size(job->dtype);
    const size_t size = job->half != PG_UNDEFINED ? sizeof(uint16_t) : nn_float_size(job->dtype);
    for (size_t i = begin; i < end; i++) {
        size_t a, b;
        batch_offsets(p, i, &a, &b);
        const size_t c = i * p->m * p->n * size;
        pg_gemm_run(&(pg_gemm){job->dtype, p->m, p->n, p->k, job->a + a * p->m * p->k * a_size, p->k,
                               job->room + b * job->stride, job->c + c, p->n, job->bias,
                               job->add != NULL ? job->add + c : NULL, p->n, job->act, NULL, job->half});
    }
}

static void run_batches(const batch_job *job)
{
    const product *p = job->p;
    const size_t work = p->m * p->n * p->k;
    if (p->batches >= pg_threads())
        pg_parallel_for(p->batches, 65536 / (work + 1) + 1, multiply_batches, (void *)job);
    else
        multiply_batches((void *)job, 0, p->batches);
}

static size_t matrices_of(const pg_tensor *b)
{
    size_t count = 1;
    for (size_t i = 0; i + 2 < b->rank; i++)
        count *= (size_t)b->dims[i];
    return count;
}

static pg_status room_for(const pg_op *op, pg_dtype dtype, size_t k, size_t n, size_t count, uint64_t *stride,
                          uint64_t *bytes)
{
    *bytes = 0;
    *stride = pg_gemm_taps_bytes(dtype, 1, k, n);
    if (*stride > PTRDIFF_MAX)
        return pg_op_err(op, PG_ERR_LIMIT, "matrices too large");
    *stride = (*stride + 63) / 64 * 64;
    if (pg_mul_overflow(*stride, count, bytes))
        return pg_op_err(op, PG_ERR_LIMIT, "matrices too large");
    return NULL;
}

static pg_dtype factor_type(const pg_op *op, const pg_tensor *b)
{
    return op->bf16_factors && b->dtype == PG_F32 ? PG_BF16 : b->dtype;
}

/* Prepares for `count` constant matrices, k x n. */
static pg_status new_state(pg_op *op, const pg_tensor *b, size_t k, size_t n, size_t count, packed_b **out)
{
    packed_b made = {.dtype = factor_type(op, b)};
    uint64_t bytes;
    PG_TRY(room_for(op, made.dtype, k, n, count, &made.stride, &bytes));
    if (made.dtype == PG_BF16)
        PG_TRY(pg_op_align(op, 1));
    PG_TRY(packed_begin(op, made.dtype == PG_BF16 ? "bfloat16" : "matrix", 1u << 1, bytes, PACKED_MAY_WAIT,
                        &made.packed));
    *out = PG_NEW(packed_b);
    **out = made;
    op->state = *out;
    return NULL;
}

/* The matrices of a constant B, which `b` describes. */
static pg_status packed_matrices(pg_op *op, packed_b *state, const pg_tensor *b, void **out)
{
    bool fresh;
    PG_TRY(packed_room(op, &state->packed, out, &fresh));
    if (!fresh)
        return NULL;
    const product p = {.k = (size_t)b->dims[b->rank == 1 ? 0 : b->rank - 2],
                       .n = b->rank == 1 ? 1 : (size_t)b->dims[b->rank - 1]};
    pack_batches(
        &(batch_job){.p = &p, .dtype = state->dtype, .b = b->data, .room = *out, .stride = state->stride}, 0,
        matrices_of(b));
    packed_filled(op, &state->packed);
    return NULL;
}

static pg_status prepare_matmul(pg_op *op)
{
    const pg_tensor *b = pg_op_in(op, 1);
    if (b == NULL || b->rank == 0 || !nn_is_float(b->dtype))
        return NULL;
    const size_t k = (size_t)b->dims[b->rank == 1 ? 0 : b->rank - 2];
    const size_t n = b->rank == 1 ? 1 : (size_t)b->dims[b->rank - 1];
    packed_b *state;
    void *packed;
    PG_TRY(new_state(op, b, k, n, matrices_of(b), &state));
    return packed_is_due(&state->packed) ? packed_matrices(op, state, b, &packed) : NULL;
}

static pg_status multiply_floats(pg_op *op, product *p, const pg_tensor *a, const pg_tensor *b, void *c,
                                 const batch_job *extras)
{
    merge_batches(b, p);
    packed_b *state = op->state;
    batch_job job = *extras;
    pg_tensor factors;
    job.p = p;
    job.dtype = state != NULL ? state->dtype : b->dtype;
    PG_TRY(nn_as(op, a, job.dtype, &factors, &a));
    job.a = a->data;
    job.b = b->data;
    job.c = c;
    void *room;
    if (state != NULL) {
        pg_op_offer(op, PG_TACTIC_BIT(PG_TACTIC_PACKED), PG_TACTIC_PACKED);
        PG_TRY(packed_matrices(op, state, b, &room));
        job.room = room;
        job.stride = state->stride;
    } else {
        const size_t count = matrices_of(b);
        uint64_t bytes;
        PG_TRY(room_for(op, job.dtype, p->k, p->n, count, &job.stride, &bytes));
        PG_TRY(pg_op_scratch(op, bytes + 64, &room));
        job.room = room;
        pg_parallel_for(count, 16384 / (p->k * p->n + 1) + 1, pack_batches, &job);
    }
    run_batches(&job);
    return NULL;
}

/* ---- Integers ---- */

#define DEFINE_INTEGER_PRODUCT(type, name)                                       \
    static void name(const product *p, const type *a, const type *b, type *c)    \
    {                                                                            \
        for (size_t i = 0; i < p->batches; i++, c += p->m * p->n) {              \
            size_t at_a, at_b;                                                   \
            batch_offsets(p, i, &at_a, &at_b);                                   \
            const type *x = a + at_a * p->m * p->k, *y = b + at_b * p->k * p->n; \
            for (size_t r = 0; r < p->m; r++)                                    \
                for (size_t j = 0; j < p->n; j++) {                              \
                    type sum = 0;                                                \
                    for (size_t k = 0; k < p->k; k++)                            \
                        sum += x[r * p->k + k] * y[k * p->n + j];                \
                    c[r * p->n + j] = sum;                                       \
                }                                                                \
        }                                                                        \
    }
/* Wrapping arithmetic is the same for signed and unsigned types. */
DEFINE_INTEGER_PRODUCT(uint32_t, multiply_32)
DEFINE_INTEGER_PRODUCT(uint64_t, multiply_64)

static pg_dtype half_of(const pg_tensor *a)
{
    return nn_is_half(a->dtype) ? a->dtype : PG_UNDEFINED;
}

static pg_status run_matmul(pg_op *op)
{
    PG_TRY(pg_op_need(op, 2));
    const pg_tensor *a = pg_op_in(op, 0), *b = pg_op_in(op, 1);
    if (nn_sum_type(a->dtype) != b->dtype)
        return pg_op_bad_type(op, 1);
    product p;
    pg_tensor *c;
    PG_TRY(product_shape(op, a, b, &p));
    PG_TRY(pg_op_out(op, 0, a->dtype, p.rank, p.dims, &c));
    switch (a->dtype) {
    case PG_F32:
    case PG_F64:
    case PG_F16:
    case PG_BF16:
        return multiply_floats(op, &p, a, b, c->data, &(batch_job){.half = half_of(a)});
    case PG_I32:
    case PG_U32:
        multiply_32(&p, a->data, b->data, c->data);
        return NULL;
    case PG_I64:
    case PG_U64:
        multiply_64(&p, a->data, b->data, c->data);
        return NULL;
    default:
        return pg_op_bad_type(op, 0);
    }
}

/* A, B, bias of B's columns (or nothing), addend of the result's shape (or nothing). */
static pg_status run_fused_matmul(pg_op *op)
{
    PG_TRY(nn_need_product(op));
    const pg_tensor *a = pg_op_in(op, 0), *b = pg_op_in(op, 1), *bias = pg_op_in(op, 2),
                    *add = pg_op_in(op, 3);
    product p;
    pg_tensor *c;
    batch_job extras = {0};
    PG_TRY(product_shape(op, a, b, &p));
    PG_TRY(nn_activation(op, &extras.act));
    if (bias != NULL) {
        if (bias->dtype != b->dtype || pg_tensor_count(bias) != p.n)
            return pg_op_err(op, PG_ERR_INVALID, "the bias does not have %zu elements", p.n);
        extras.bias = bias->data;
    }
    const pg_act act = extras.act;
    const bool fits = add == NULL || (add->rank == p.rank && memcmp(add->dims, p.dims, p.rank * 8) == 0);
    if (add != NULL && add->dtype != a->dtype)
        return pg_op_bad_type(op, 3);
    if (add != NULL && fits)
        extras.add = add->data;
    if (!fits)
        extras.act = pg_act_none();
    extras.half = fits ? half_of(a) : PG_UNDEFINED;
    PG_TRY(pg_op_out(op, fits ? 0 : op->n_out, fits ? a->dtype : b->dtype, p.rank, p.dims, &c));
    PG_TRY(multiply_floats(op, &p, a, b, c->data, &extras));
    return fits ? NULL : nn_add_broadcast(op, 0, 3, act);
}

/* ---- Gemm ---- */

typedef struct gemm_options {
    bool trans_a, trans_b;
    float alpha, beta;
    pg_act act;
} gemm_options;

static pg_status read_gemm(const pg_op *op, gemm_options *out)
{
    int64_t a, b;
    PG_TRY(pg_op_attr_i(op, "transA", 0, &a));
    PG_TRY(pg_op_attr_i(op, "transB", 0, &b));
    PG_TRY(pg_op_attr_f(op, "alpha", 1, &out->alpha));
    PG_TRY(pg_op_attr_f(op, "beta", 1, &out->beta));
    out->trans_a = a != 0;
    out->trans_b = b != 0;
    return nn_activation(op, &out->act);
}

static pg_status packed_gemm(pg_op *op, packed_b *state, const pg_tensor *b, const gemm_options *o,
                             const void **out)
{
    void *room;
    bool fresh;
    PG_TRY(packed_room(op, &state->packed, &room, &fresh));
    if (fresh) {
        pg_gemm_pack(state->dtype, (size_t)b->dims[o->trans_b], (size_t)b->dims[!o->trans_b], b->data,
                     (size_t)b->dims[1], o->trans_b, (double)o->alpha, room);
        packed_filled(op, &state->packed);
    }
    *out = room;
    return NULL;
}

static pg_status prepare_gemm(pg_op *op)
{
    const pg_tensor *b = pg_op_in(op, 1);
    gemm_options options;
    PG_TRY(read_gemm(op, &options));
    if (b == NULL || b->rank != 2 || !nn_is_float(b->dtype))
        return NULL;
    packed_b *state;
    const void *packed;
    PG_TRY(new_state(op, b, (size_t)b->dims[options.trans_b], (size_t)b->dims[!options.trans_b], 1, &state));
    return packed_is_due(&state->packed) ? packed_gemm(op, state, b, &options, &packed) : NULL;
}

/* True when C is more than one row that is added as it is. */
static bool has_addend(const pg_op *op, const gemm_options *options, size_t n)
{
    const pg_tensor *c = pg_op_in(op, 2);
    if (c == NULL || options->beta == 0)
        return false;
    return options->beta != 1 || c->rank == 0 || c->dims[c->rank - 1] != (int64_t)n ||
           pg_tensor_count(c) != n;
}

/* beta C spread over the whole result; *bias instead when C is one row, taken as it is when beta is 1. */
static pg_status gemm_addend(pg_op *op, const gemm_options *options, size_t m, size_t n, void *y,
                             const void **bias, const void **add)
{
    const pg_tensor *c = pg_op_in(op, 2);
    *bias = *add = NULL;
    if (c == NULL || options->beta == 0)
        return NULL;
    const int64_t rows = c->rank >= 2 ? c->dims[c->rank - 2] : 1,
                  cols = c->rank >= 1 ? c->dims[c->rank - 1] : 1;
    if (c->dtype != pg_op_in(op, 1)->dtype)
        return pg_op_bad_type(op, 2);
    if ((rows != 1 && rows != (int64_t)m) || (cols != 1 && cols != (int64_t)n) ||
        pg_tensor_count(c) != (uint64_t)(rows * cols))
        return pg_op_err(op, PG_ERR_INVALID, "the third input does not broadcast to (%zu, %zu)", m, n);
    if (!has_addend(op, options, n)) {
        *bias = c->data;
        return NULL;
    }
    const size_t row = rows == 1 ? 0 : (size_t)cols, col = cols == 1 ? 0 : 1;
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            if (c->dtype == PG_F64)
                ((double *)y)[i * n + j] =
                    (double)options->beta * ((const double *)c->data)[i * row + j * col];
            else
                ((float *)y)[i * n + j] = options->beta * ((const float *)c->data)[i * row + j * col];
    *add = y;
    return NULL;
}

void linear_transpose(pg_dtype dtype, const void *from, size_t rows, size_t cols, void *to)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < cols; c++)
            if (dtype == PG_F64)
                ((double *)to)[c * rows + r] = ((const double *)from)[r * cols + c];
            else
                ((float *)to)[c * rows + r] = ((const float *)from)[r * cols + c];
}

/* Gemm of integers: alpha and beta must be whole numbers to make sense; computed in float64, then cut. */
static pg_status run_gemm_generic(pg_op *op, const gemm_options *o, size_t m, size_t n, size_t k)
{
    const double *a, *b, *c;
    nn_result y;
    const pg_tensor *c_in = pg_op_in(op, 2);
    PG_TRY(nn_f64(op, 0, &a));
    PG_TRY(nn_f64(op, 1, &b));
    PG_TRY(nn_f64(op, 2, &c));
    const int64_t rows = c == NULL || c_in->rank < 2 ? 1 : c_in->dims[0];
    const int64_t cols = c == NULL || c_in->rank < 1 ? 1 : c_in->dims[c_in->rank - 1];
    if ((rows != 1 && rows != (int64_t)m) || (cols != 1 && cols != (int64_t)n))
        return pg_op_err(op, PG_ERR_INVALID, "the third input does not broadcast to (%zu, %zu)", m, n);
    PG_TRY(nn_f64_out(op, 0, pg_op_in(op, 0)->dtype, 2, (int64_t[]){(int64_t)m, (int64_t)n}, &y));
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            double sum = 0;
            for (size_t p = 0; p < k; p++)
                sum += a[o->trans_a ? p * m + i : i * k + p] * b[o->trans_b ? j * k + p : p * n + j];
            sum *= (double)o->alpha;
            if (c != NULL)
                sum += (double)o->beta * c[(rows == 1 ? 0 : i) * (size_t)cols + (cols == 1 ? 0 : j)];
            y.values[i * n + j] = sum;
        }
    nn_f64_done(&y);
    return NULL;
}

static pg_status run_gemm(pg_op *op)
{
    PG_TRY(pg_op_need(op, 2));
    const pg_tensor *a = pg_op_in(op, 0), *b = pg_op_in(op, 1);
    gemm_options o;
    PG_TRY(read_gemm(op, &o));
    if (a->rank != 2 || b->rank != 2 || nn_sum_type(a->dtype) != b->dtype)
        return pg_op_err(op, PG_ERR_INVALID, "the inputs are not two matrices of one type");
    const size_t m = (size_t)a->dims[o.trans_a], k = (size_t)a->dims[!o.trans_a],
                 n = (size_t)b->dims[!o.trans_b];
    if (b->dims[o.trans_b] != (int64_t)k)
        return pg_op_err(op, PG_ERR_INVALID, "inner dimensions %zu and %lld differ", k,
                         (long long)b->dims[o.trans_b]);
    if (!nn_is_float(b->dtype))
        return run_gemm_generic(op, &o, m, n, k);
    pg_tensor *y, factors, turned = *a;
    const pg_dtype half = has_addend(op, &o, n) ? PG_UNDEFINED : half_of(a);
    PG_TRY(
        pg_op_out(op, 0, half != PG_UNDEFINED ? half : b->dtype, 2, (int64_t[]){(int64_t)m, (int64_t)n}, &y));
    pg_gemm g = {.dtype = b->dtype, .m = m, .n = n, .k = k, .lda = k, .c = y->data, .ldc = n, .ld_add = n};
    g.act = o.act;
    g.half = half;
    PG_TRY(gemm_addend(op, &o, m, n, y->data, &g.bias, &g.add));
    if (o.trans_a) {
        PG_TRY(nn_as(op, a, b->dtype, &factors, &a));
        turned.dtype = b->dtype;
        PG_TRY(pg_op_scratch(op, m * k * nn_float_size(b->dtype) + 1, &turned.data));
        linear_transpose(b->dtype, a->data, k, m, turned.data);
        a = &turned;
    }
    packed_b *state = op->state;
    PG_TRY(nn_as(op, a, state != NULL ? state->dtype : b->dtype, &factors, &a));
    g.a = a->data;
    if (state != NULL) {
        pg_op_offer(op, PG_TACTIC_BIT(PG_TACTIC_PACKED), PG_TACTIC_PACKED);
        g.dtype = state->dtype;
        PG_TRY(packed_gemm(op, state, b, &o, &g.b));
    } else {
        uint64_t stride, bytes;
        void *room;
        PG_TRY(room_for(op, b->dtype, k, n, 1, &stride, &bytes));
        PG_TRY(pg_op_scratch(op, bytes + 1, &room));
        pg_gemm_pack(b->dtype, k, n, b->data, (size_t)b->dims[1], o.trans_b, (double)o.alpha, room);
        g.b = room;
    }
    pg_gemm_run(&g);
    return NULL;
}

enum { FLAGS = PG_KERNEL_HALF_VIA_F32 | PG_KERNEL_ANY_ADDRESS_1 | PG_KERNEL_PACKS_1 };
const pg_kernel pg_kernels_matmul[] = {
    {"", "MatMul", 1, 0, run_matmul, prepare_matmul, release_packed, FLAGS | PG_KERNEL_HALF_0},
    {"pg", "FusedMatMul", 1, 0, run_fused_matmul, prepare_matmul, release_packed,
     FLAGS | PG_KERNEL_HALF_0 | PG_KERNEL_HALF_3},
    {"", "Gemm", 1, 0, run_gemm, prepare_gemm, release_packed, FLAGS | PG_KERNEL_HALF_0},
    {"pg", "FusedGemm", 1, 0, run_gemm, prepare_gemm, release_packed, FLAGS | PG_KERNEL_HALF_0},
    {0},
};

/* Matrix products of 8-bit codes: MatMulInteger, QLinearMatMul, their com.microsoft relatives, and the engine's
 * QMatMul, which may also have a bias in float32, an activation and a float32 result. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "native/ops/quant_dot.h"

static pg_status read_transposed(const pg_op *op, bool *a, bool *b)
{
    int64_t trans_a, trans_b;
    PG_TRY(pg_op_attr_i(op, "transA", 0, &trans_a));
    PG_TRY(pg_op_attr_i(op, "transB", 0, &trans_b));
    *a = trans_a != 0;
    *b = trans_b != 0;
    return NULL;
}

static pg_small_matrix matrix_of(const pg_tensor *b, size_t index, size_t k, size_t n, bool transposed)
{
    return (pg_small_matrix){.dtype = b->dtype,
                             .data = (const char *)b->data + index * k * n,
                             .taps = 1,
                             .depth = k,
                             .n = n,
                             .column = transposed ? k : 1,
                             .step = transposed ? 1 : n,
                             .tap = 0};
}

pg_status quant_matmul_prepare(pg_op *op, const quant_roles *roles)
{
    const pg_tensor *b = quant_in(op, roles->b);
    bool trans_a, trans_b, fresh;
    PG_TRY(read_transposed(op, &trans_a, &trans_b));
    if (b == NULL || !quant_is_8bit(b->dtype) || b->rank != 2 ||
        (pg_op_in_value(op, roles->b_zero) == NULL && roles->b_zero < op->n_in &&
         op->node->inputs[roles->b_zero].len > 0))
        return NULL; /* not constant, or packed when it runs */
    const size_t k = (size_t)b->dims[trans_b], n = (size_t)b->dims[!trans_b];
    const pg_tensor *zero = quant_in(op, roles->b_zero);
    if (zero != NULL && pg_tensor_count(zero) != 1 && pg_tensor_count(zero) != n)
        return NULL;
    quant_packed *state = PG_NEW(quant_packed);
    op->state = state;
    PG_TRY(quant_packed_begin(op, roles, pg_gemm_taps_bytes(PG_U8, 1, k, n), n, state, &fresh));
    if (!fresh)
        return NULL;
    const pg_small_matrix from = matrix_of(b, 0, k, n, trans_b);
    pg_gemm_pack_codes(&from, state->data, state->sums);
    packed_filled(op, &state->kept);
    return NULL;
}

/* Shapes of Gemm, where an operand is turned. */
static pg_status gemm_shape(const pg_op *op, const pg_tensor *a, const pg_tensor *b, bool trans_a,
                            bool trans_b, quant_product *p)
{
    if (b->rank != 2 || (trans_a && a->rank != 2) || a->rank < 1)
        return pg_op_err(op, PG_ERR_INVALID, "operands of rank %d and %d with transA or transB", a->rank,
                         b->rank);
    pg_tensor left = *a, right = *b;
    if (trans_a) {
        left.dims[0] = a->dims[1];
        left.dims[1] = a->dims[0];
    }
    if (trans_b) {
        right.dims[0] = b->dims[1];
        right.dims[1] = b->dims[0];
    }
    return quant_product_shape(op, &left, &right, p);
}

static pg_status turn(pg_op *op, const pg_tensor *a, const void **out)
{
    void *memory;
    const size_t rows = (size_t)a->dims[0], columns = (size_t)a->dims[1];
    PG_TRY(pg_op_scratch(op, rows * columns + 1, &memory));
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++)
            ((uint8_t *)memory)[c * rows + r] = ((const uint8_t *)a->data)[r * columns + c];
    *out = memory;
    return NULL;
}

static size_t matrices_of(const pg_tensor *t)
{
    size_t count = 1;
    for (size_t i = 0; i + 2 < t->rank; i++)
        count *= (size_t)t->dims[i];
    return count;
}

/* Zero points that quant_result takes: one for A; for B one, or one per column of every matrix. */
static bool zeros_fit(const pg_op *op, const quant_roles *roles, size_t columns)
{
    const pg_tensor *a = quant_in(op, roles->a_zero), *b = quant_in(op, roles->b_zero);
    return (a == NULL || pg_tensor_count(a) == 1) &&
           (b == NULL || pg_tensor_count(b) == 1 || (pg_tensor_count(b) == columns && b->rank <= 1));
}

typedef struct code_product {
    const quant_roles *roles;
    quant_product p;
    const pg_tensor *a, *b;
    const char *from; /* A's codes, as they are or turned */
    bool trans_b;
    quant_packed packed;
    bool is_packed; /* B is constant */
    pg_i8_result result;
    pg_act rest;
    uint8_t pad;
    char *y;
} code_product;

/* Packs the matrix of B that batch i reads. */
static void pack_batch(const code_product *c, size_t i, const quant_packed *to)
{
    const quant_product *p = &c->p;
    const pg_small_matrix from = matrix_of(c->b, quant_batch(p, c->b, i), p->k, p->n, c->trans_b);
    pg_gemm_pack_codes(&from, to->data, to->sums);
}

static pg_status batch_terms(const pg_op *op, const code_product *c, const quant_packed *packed,
                             int32_t *terms)
{
    const int32_t zero = c->result.flip != 0 ? (int8_t)c->pad + 128 : c->pad;
    return quant_terms(op, c->roles, packed, c->p.n, c->p.k, zero, terms);
}

static void multiply_packed(const code_product *c, size_t i, const quant_packed *packed,
                            const pg_i8_result *result)
{
    const quant_product *p = &c->p;
    pg_gemm_run(&(pg_gemm){.dtype = c->a->dtype,
                           .m = p->m,
                           .n = p->n,
                           .k = p->k,
                           .a = c->from + quant_batch(p, c->a, i) * p->m * p->k,
                           .lda = p->k,
                           .b = packed->data,
                           .c = c->y + i * p->m * p->n * pg_gemm_i8_size(result->dtype),
                           .ldc = p->n,
                           .act = c->rest,
                           .i8 = result});
}

/* One batch after the other, each on all threads; B is packed anew where it is another matrix than before. */
static pg_status multiply_in_turn(const pg_op *op, code_product *c)
{
    size_t last = SIZE_MAX;
    for (size_t i = 0; i < c->p.batches; i++) {
        const size_t at = quant_batch(&c->p, c->b, i);
        if (!c->is_packed && last != at) {
            pack_batch(c, i, &c->packed);
            PG_TRY(batch_terms(op, c, &c->packed, (int32_t *)c->result.terms));
            last = at;
        }
        multiply_packed(c, i, &c->packed, &c->result);
    }
    return NULL;
}

/* ---- Small products, as attention has them: each is one thread's ---- */

typedef struct small_products {
    const code_product *c;
    quant_packed *packed; /* per batch */
    int32_t *terms;       /* per batch, `stride` apart */
    size_t stride;
} small_products;

static void pack_range(void *context, size_t begin, size_t end)
{
    const small_products *s = context;
    for (size_t i = begin; i < end; i++)
        pack_batch(s->c, i, &s->packed[i]);
}

static void multiply_range(void *context, size_t begin, size_t end)
{
    const small_products *s = context;
    for (size_t i = begin; i < end; i++) {
        pg_i8_result result = s->c->result;
        result.terms = s->terms + i * s->stride;
        multiply_packed(s->c, i, &s->packed[i], &result);
    }
}

/* Whether there are products enough for all threads, and room for all packed matrices at once. */
static bool are_small(const code_product *c, uint64_t bytes)
{
    enum { MOST_ROOM = 4 << 20 };
    return !c->is_packed && pg_threads() > 1 && c->p.batches >= pg_threads() &&
           bytes <= MOST_ROOM / c->p.batches;
}

static pg_status multiply_side_by_side(pg_op *op, code_product *c, uint64_t bytes)
{
    const size_t batches = c->p.batches;
    small_products s = {.c = c, .stride = pg_gemm_whole_columns(c->p.n)};
    void *packed, *data, *sums, *terms;
    const uint64_t whole = (bytes + 63) / 64 * 64;
    PG_TRY(pg_op_scratch(op, batches * sizeof *s.packed, &packed));
    PG_TRY(pg_op_scratch(op, batches * whole, &data));
    PG_TRY(pg_op_scratch(op, batches * s.stride * sizeof(int32_t), &sums));
    PG_TRY(pg_op_scratch(op, batches * s.stride * sizeof(int32_t), &terms));
    memset(terms, 0, batches * s.stride * sizeof(int32_t));
    s.packed = packed;
    s.terms = terms;
    for (size_t i = 0; i < batches; i++)
        s.packed[i] = (quant_packed){.data = (char *)data + i * whole,
                                     .sums = (int32_t *)sums + i * s.stride,
                                     .zeros = c->packed.zeros};
    pg_parallel_for(batches, 1, pack_range, &s);
    for (size_t i = 0; i < batches; i++)
        PG_TRY(batch_terms(op, c, &s.packed[i], s.terms + i * s.stride));
    pg_parallel_for(batches, 1, multiply_range, &s);
    return NULL;
}

static pg_status pack_room(pg_op *op, code_product *c)
{
    void *sums;
    PG_TRY(quant_packed_zeros(op, c->roles, c->p.n, &c->packed.zeros));
    PG_TRY(pg_op_scratch(op, pg_gemm_taps_bytes(PG_U8, 1, c->p.k, c->p.n), &c->packed.data));
    PG_TRY(pg_op_scratch(op, c->p.n * sizeof(int32_t) + 4, &sums));
    memset(sums, 0, c->p.n * sizeof(int32_t));
    c->packed.sums = sums;
    return NULL;
}

pg_status quant_matmul(pg_op *op, const quant_roles *roles, bool *done)
{
    code_product c = {.roles = roles, .a = quant_in(op, roles->a), .b = quant_in(op, roles->b)};
    bool trans_a;
    pg_dtype type;
    pg_act act;
    pg_tensor *y;
    if (c.a == NULL || !quant_is_8bit(c.a->dtype))
        return pg_op_bad_type(op, roles->a);
    if (c.b == NULL || !quant_is_8bit(c.b->dtype))
        return pg_op_bad_type(op, roles->b);
    PG_TRY(read_transposed(op, &trans_a, &c.trans_b));
    if (trans_a || c.trans_b)
        PG_TRY(gemm_shape(op, c.a, c.b, trans_a, c.trans_b, &c.p));
    else
        PG_TRY(quant_product_shape(op, c.a, c.b, &c.p));
    *done = zeros_fit(op, roles, c.p.n);
    if (!*done)
        return NULL;
    PG_TRY(nn_activation(op, &act));
    PG_TRY(quant_result_type(op, roles, &type));
    c.is_packed = op->state != NULL;
    if (c.is_packed) {
        PG_TRY(quant_packed_ready(op, op->state));
        c.packed = *(const quant_packed *)op->state;
    } else {
        PG_TRY(pack_room(op, &c));
    }
    PG_TRY(quant_result(op, roles, &c.packed, c.p.n, c.p.k, quant_tile_type(type, act), act, &c.result,
                        &c.rest, &c.pad));
    if (c.result.dtype != PG_F32)
        c.rest = pg_act_none();
    PG_TRY(pg_op_out(op, 0, type, c.p.rank, c.p.dims, &y));
    const size_t count = (size_t)pg_tensor_count(y);
    void *room = y->data;
    if (c.result.dtype != type)
        PG_TRY(pg_op_scratch(op, count * sizeof(float) + 4, &room));
    c.y = room;
    const void *from = c.a->data;
    if (trans_a)
        PG_TRY(turn(op, c.a, &from));
    c.from = from;
    if (matrices_of(c.b) == 1) { /* all of A's rows are one matrix */
        c.p.m *= c.p.batches;
        c.p.batches = c.p.batches > 0;
        c.p.n_batch = 0;
    }
    const uint64_t bytes = pg_gemm_taps_bytes(PG_U8, 1, c.p.k, c.p.n);
    PG_TRY(are_small(&c, bytes) ? multiply_side_by_side(op, &c, bytes) : multiply_in_turn(op, &c));
    if (c.result.dtype != type)
        return quant_store(op, roles, room, count, pg_act_none(), type, y->data);
    return NULL;
}

void quant_packed_free(void *state)
{
    quant_packed_deinit(state);
    free(state);
}

/* ---- Operators ---- */

enum { NONE = QUANT_NONE };
/* In the order a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero, bias, shift, slopes. */
static const quant_roles matmul_integer = {0, NONE, 2, 1, NONE, 3, NONE, NONE, NONE, NONE, NONE};
static const quant_roles qlinear_matmul = {0, 1, 2, 3, 4, 5, 6, 7, NONE, NONE, NONE};
static const quant_roles qmatmul = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
static const quant_roles to_float = {0, 2, 4, 1, 3, 5, NONE, NONE, NONE, 6, NONE};
static const quant_roles qgemm = {0, 1, 2, 3, 4, 5, 7, 8, 6, NONE, NONE};

static const quant_roles *roles_of(const pg_op *op)
{
    static const struct {
        const char *op_type;
        const quant_roles *roles;
    } rows[] = {
        {"MatMulInteger", &matmul_integer},
        {"QLinearMatMul", &qlinear_matmul},
        {"QMatMul", &qmatmul},
        {"MatMulIntegerToFloat", &to_float},
        {"QGemm", &qgemm},
    };
    for (size_t i = 0; i < PG_COUNT(rows); i++)
        if (pg_str_is(op->node->op_type, rows[i].op_type))
            return rows[i].roles;
    PG_BUG("no roles for an operator");
}

static pg_status prepare(pg_op *op)
{
    return quant_matmul_prepare(op, roles_of(op));
}

static pg_status run(pg_op *op)
{
    bool done;
    const quant_roles *roles = roles_of(op);
    PG_TRY(quant_matmul(op, roles, &done));
    if (done)
        return NULL;
    if (roles == &matmul_integer)
        return quant_run_matmul_integer(op);
    if (roles == &qlinear_matmul)
        return quant_run_qlinear_matmul(op);
    return pg_op_err(op, PG_ERR_UNSUPPORTED,
                     "zero points per row of the first input or per matrix of the second");
}

const pg_kernel pg_kernels_quant_matmul[] = {
    {"", "MatMulInteger", 10, 0, run, prepare, quant_packed_free, PG_KERNEL_PACKS_1},
    {"", "QLinearMatMul", 10, 0, run, prepare, quant_packed_free, PG_KERNEL_PACKS_3},
    {"pg", "QMatMul", 1, 0, run, prepare, quant_packed_free, PG_KERNEL_PACKS_3},
    {"com.microsoft", "MatMulIntegerToFloat", 1, 0, run, prepare, quant_packed_free, PG_KERNEL_PACKS_1},
    {"com.microsoft", "QGemm", 1, 0, run, prepare, quant_packed_free, PG_KERNEL_PACKS_3},
    {0},
};

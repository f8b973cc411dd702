/* Products and convolutions of 8-bit integers: exact int32 sums, then scaled back to 8 bits where the
 * operator says so. */
#include <math.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "native/gemm.h"
#include "native/ops/quant.h"

pg_status quant_zeros(pg_op *op, size_t i, int32_t **out, size_t *count)
{
    const pg_tensor *t = pg_op_in(op, i);
    *count = t != NULL ? (size_t)pg_tensor_count(t) : 1;
    if (t != NULL && !quant_is_8bit(t->dtype))
        return pg_op_bad_type(op, i);
    void *memory;
    PG_TRY(pg_op_scratch(op, *count * sizeof(int32_t) + 4, &memory));
    *out = memory;
    for (size_t j = 0; j < *count; j++)
        (*out)[j] = t == NULL           ? 0
                    : t->dtype == PG_U8 ? ((const uint8_t *)t->data)[j]
                                        : ((const int8_t *)t->data)[j];
    return NULL;
}

void quant_requantize(const int32_t *acc, size_t rows, size_t columns, const float *multiplier,
                      size_t n_multipliers, int32_t zero, pg_dtype dtype, void *out)
{
    float lo, hi;
    quant_range(dtype, &lo, &hi);
    for (size_t r = 0; r < rows; r++)
        for (size_t j = 0; j < columns; j++) {
            const float m = multiplier[n_multipliers > 1 ? j : 0];
            float q = rintf((float)acc[r * columns + j] * m) + (float)zero;
            q = !(q >= lo) ? lo : q > hi ? hi : q; /* NaN too */
            if (dtype == PG_U8)
                ((uint8_t *)out)[r * columns + j] = (uint8_t)q;
            else
                ((int8_t *)out)[r * columns + j] = (int8_t)q;
        }
}

/* ---- Matrices ---- */

static size_t leading(const pg_tensor *t, size_t keep)
{
    size_t count = 1;
    for (size_t i = 0; i + keep < t->rank; i++)
        count *= (size_t)t->dims[i];
    return count;
}

/* Batch dimension d of `rank` that an operand has, 1 where it is missing. */
static int64_t batch_dim(const pg_tensor *t, size_t rank, size_t d)
{
    const size_t own = t->rank > 2 ? t->rank - 2u : 0;
    return d + own < rank ? 1 : t->dims[d + own - rank];
}

/* The matrix of an operand that batch i of the product reads. */
static size_t batch_at(const quant_product *p, const pg_tensor *t, size_t i)
{
    size_t at = 0, step = 1;
    for (size_t d = p->n_batch; d-- > 0;) {
        const int64_t own = batch_dim(t, p->n_batch, d);
        at += own == 1 ? 0 : i % (size_t)p->dims[d] * step;
        i /= (size_t)p->dims[d];
        step *= (size_t)own;
    }
    return at;
}

/* Shapes: A (..., m, k), B (..., k, n); batch dimensions broadcast. Vectors are matrices of one row or column. */
pg_status quant_product_shape(const pg_op *op, const pg_tensor *a, const pg_tensor *b, quant_product *p)
{
    if (a->rank == 0 || b->rank == 0)
        return pg_op_err(op, PG_ERR_INVALID, "a scalar cannot be multiplied as a matrix");
    p->m = a->rank == 1 ? 1 : (size_t)a->dims[a->rank - 2];
    p->k = (size_t)a->dims[a->rank - 1];
    p->n = b->rank == 1 ? 1 : (size_t)b->dims[b->rank - 1];
    if (b->dims[b->rank == 1 ? 0 : b->rank - 2] != (int64_t)p->k)
        return pg_op_err(op, PG_ERR_INVALID, "the inner dimensions differ");
    p->rank = (size_t)PG_MAX(PG_MAX(a->rank, b->rank) - 2, 0);
    p->batches = 1;
    for (size_t d = 0; d < p->rank; d++) {
        const int64_t left = batch_dim(a, p->rank, d), right = batch_dim(b, p->rank, d);
        if (left != right && left != 1 && right != 1)
            return pg_op_err(op, PG_ERR_INVALID, "the batch dimensions differ");
        p->dims[d] = left == 1 ? right : left;
        p->batches *= (size_t)p->dims[d];
    }
    p->n_batch = p->rank;
    if (a->rank > 1)
        p->dims[p->rank++] = (int64_t)p->m;
    if (b->rank > 1)
        p->dims[p->rank++] = (int64_t)p->n;
    return NULL;
}

pg_status quant_product_run(pg_op *op, const pg_tensor *a, const int32_t *zero_a, size_t n_zero_a,
                            const pg_tensor *b, const int32_t *zero_b, size_t n_zero_b, quant_product *p)
{
    void *packed, *wide;
    const size_t batches_a = leading(a, 2), batches_b = leading(b, 2);
    const bool rows = n_zero_a == p->m || n_zero_a == batches_a * p->m;
    const bool columns = n_zero_b == p->n || n_zero_b == batches_b * p->n;
    if ((n_zero_a != 1 && !rows) || (n_zero_b != 1 && !columns))
        return pg_op_err(op, PG_ERR_INVALID,
                         "zero points are neither one nor one per row of A or column of B");
    PG_TRY(pg_op_scratch(op, pg_igemm_packed_bytes(p->k, p->n) + 64, &packed));
    PG_TRY(pg_op_scratch(op, (uint64_t)p->m * pg_igemm_row(p->k) * 2 + 64, &wide));
    for (size_t i = 0; i < p->batches; i++) {
        const size_t at_a = batch_at(p, a, i), at_b = batch_at(p, b, i);
        const size_t za = n_zero_a > p->m ? at_a * p->m : 0, zb = n_zero_b > p->n ? at_b * p->n : 0;
        if (i == 0 || batches_b > 1)
            pg_igemm_pack(b->dtype, p->k, p->n, (const char *)b->data + at_b * p->k * p->n, p->n, false,
                          zero_b + zb, n_zero_b == 1 ? 1 : p->n, packed);
        pg_igemm_widen(a->dtype, p->m, p->k, (const char *)a->data + at_a * p->m * p->k, p->k, zero_a + za,
                       n_zero_a == 1 ? 1 : p->m, wide);
        pg_igemm_run(p->m, p->n, p->k, wide, packed, p->acc + i * p->m * p->n, p->n);
    }
    return NULL;
}

pg_status quant_product_of_inputs(pg_op *op, size_t a, size_t a_zero, size_t b, size_t b_zero,
                                  quant_product *p)
{
    int32_t *zero_a, *zero_b;
    size_t n_zero_a, n_zero_b;
    if (!quant_is_8bit(pg_op_in(op, a)->dtype))
        return pg_op_bad_type(op, a);
    if (!quant_is_8bit(pg_op_in(op, b)->dtype))
        return pg_op_bad_type(op, b);
    PG_TRY(quant_zeros(op, a_zero, &zero_a, &n_zero_a));
    PG_TRY(quant_zeros(op, b_zero, &zero_b, &n_zero_b));
    return quant_product_run(op, pg_op_in(op, a), zero_a, n_zero_a, pg_op_in(op, b), zero_b, n_zero_b, p);
}

pg_status quant_run_matmul_integer(pg_op *op)
{
    PG_TRY(pg_op_need(op, 2));
    quant_product p;
    pg_tensor *y;
    PG_TRY(quant_product_shape(op, pg_op_in(op, 0), pg_op_in(op, 1), &p));
    PG_TRY(pg_op_out(op, 0, PG_I32, p.rank, p.dims, &y));
    p.acc = y->data;
    return quant_product_of_inputs(op, 0, 2, 1, 3, &p);
}

/* a_scale * b_scale / y_scale for each column of B. */
static pg_status multipliers(pg_op *op, size_t a, size_t b, size_t y, size_t columns, float **out,
                             size_t *count)
{
    const float *sa, *sb, *sy;
    PG_TRY(nn_f32(op, a, &sa));
    PG_TRY(nn_f32(op, b, &sb));
    PG_TRY(nn_f32(op, y, &sy));
    *count = (size_t)pg_tensor_count(pg_op_in(op, b));
    if (pg_tensor_count(pg_op_in(op, a)) != 1 || pg_tensor_count(pg_op_in(op, y)) != 1 ||
        (*count != 1 && *count != columns))
        return pg_op_err(op, PG_ERR_UNSUPPORTED, "scales per row of the first input or of the result");
    void *memory;
    PG_TRY(pg_op_scratch(op, *count * sizeof(float), &memory));
    *out = memory;
    for (size_t j = 0; j < *count; j++)
        (*out)[j] = sa[0] * sb[j] / sy[0];
    return NULL;
}

static pg_status result_zero(pg_op *op, size_t i, int32_t *out)
{
    int32_t *zeros;
    size_t count;
    PG_TRY(quant_zeros(op, i, &zeros, &count));
    if (count != 1)
        return pg_op_err(op, PG_ERR_UNSUPPORTED, "input %zu must be one zero point", i);
    *out = zeros[0];
    return NULL;
}

pg_status quant_run_qlinear_matmul(pg_op *op)
{
    PG_TRY(pg_op_need(op, 8));
    quant_product p;
    float *scale;
    size_t n_scales;
    int32_t zero;
    void *acc;
    pg_tensor *y;
    PG_TRY(quant_product_shape(op, pg_op_in(op, 0), pg_op_in(op, 3), &p));
    PG_TRY(multipliers(op, 1, 4, 6, p.n, &scale, &n_scales));
    PG_TRY(result_zero(op, 7, &zero));
    PG_TRY(pg_op_out(op, 0, pg_op_in(op, 7)->dtype, p.rank, p.dims, &y));
    PG_TRY(pg_op_scratch(op, (uint64_t)p.batches * p.m * p.n * 4 + 4, &acc));
    p.acc = acc;
    PG_TRY(quant_product_of_inputs(op, 0, 2, 3, 5, &p));
    quant_requantize(p.acc, p.batches * p.m, p.n, scale, n_scales, zero, y->dtype, y->data);
    return NULL;
}

/* ---- Convolutions ---- */

typedef struct int_conv {
    const pg_tensor *x, *w;
    nn_window window;
    int64_t in[NN_SPATIAL], out[NN_SPATIAL];
    size_t groups, in_per_group, out_per_group, taps, k, pixels;
    size_t rank;
    int64_t dims[2 + NN_SPATIAL];
} int_conv;

static pg_status int_conv_shape(const pg_op *op, const pg_tensor *x, const pg_tensor *w, int_conv *c)
{
    int64_t groups, kernel[NN_SPATIAL];
    if (x->rank < 3 || x->rank != w->rank || x->rank > 2 + NN_SPATIAL)
        return pg_op_err(op, PG_ERR_UNSUPPORTED, "an input of rank %d with weights of rank %d", x->rank,
                         w->rank);
    const size_t n = x->rank - 2u;
    PG_TRY(pg_op_attr_i(op, "group", 1, &groups));
    if (groups < 1 || w->dims[0] % groups != 0 || x->dims[1] != w->dims[1] * groups)
        return pg_op_err(op, PG_ERR_INVALID, "%lld groups of %lld channels for an input of %lld channels",
                         (long long)groups, (long long)w->dims[1], (long long)x->dims[1]);
    nn_spatial(w, kernel);
    PG_TRY(nn_window_read(op, n, kernel + NN_SPATIAL - n, &c->window));
    nn_spatial(x, c->in);
    PG_TRY(nn_window_apply(op, &c->window, c->in, c->out));
    c->x = x;
    c->w = w;
    c->groups = (size_t)groups;
    c->in_per_group = (size_t)w->dims[1];
    c->out_per_group = (size_t)(w->dims[0] / groups);
    c->taps = (size_t)(kernel[0] * kernel[1] * kernel[2]);
    c->k = c->taps * c->in_per_group;
    c->pixels = (size_t)(c->out[0] * c->out[1] * c->out[2]);
    c->rank = nn_dims(x->dims[0], w->dims[0], n, c->out, c->dims);
    return NULL;
}

/* Row of the inputs under one result, zero point subtracted; padding is zero. Order: channel, then kernel. */
static void gather(const int_conv *c, size_t image, size_t group, size_t pixel, int32_t zero, int16_t *row)
{
    const nn_window *w = &c->window;
    const int64_t at[NN_SPATIAL] = {(int64_t)(pixel / (size_t)(c->out[1] * c->out[2])),
                                    (int64_t)(pixel / (size_t)c->out[2] % (size_t)c->out[1]),
                                    (int64_t)(pixel % (size_t)c->out[2])};
    const size_t area = (size_t)(c->in[0] * c->in[1] * c->in[2]);
    const size_t plane = (image * c->groups + group) * c->in_per_group;
    for (size_t ch = 0; ch < c->in_per_group; ch++)
        for (int64_t d = 0; d < w->kernel[0]; d++)
            for (int64_t h = 0; h < w->kernel[1]; h++)
                for (int64_t v = 0; v < w->kernel[2]; v++) {
                    const int64_t z = at[0] * w->stride[0] - w->pad_begin[0] + d * w->dilation[0];
                    const int64_t y = at[1] * w->stride[1] - w->pad_begin[1] + h * w->dilation[1];
                    const int64_t x = at[2] * w->stride[2] - w->pad_begin[2] + v * w->dilation[2];
                    int32_t value = 0;
                    if (z >= 0 && z < c->in[0] && y >= 0 && y < c->in[1] && x >= 0 && x < c->in[2]) {
                        const size_t i = (plane + ch) * area + (size_t)((z * c->in[1] + y) * c->in[2] + x);
                        value = (c->x->dtype == PG_U8 ? ((const uint8_t *)c->x->data)[i]
                                                      : ((const int8_t *)c->x->data)[i]) -
                                zero;
                    }
                    *row++ = (int16_t)value;
                }
    if (c->k % 2 != 0)
        *row = 0;
}

typedef struct gather_rows {
    const int_conv *c;
    size_t image, group;
    int32_t zero;
    int16_t *rows;
} gather_rows;

static void gather_range(void *context, size_t begin, size_t end)
{
    const gather_rows *g = context;
    for (size_t p = begin; p < end; p++)
        gather(g->c, g->image, g->group, p, g->zero, g->rows + p * pg_igemm_row(g->c->k));
}

/* acc: [pixels][out_per_group] of one image and group; `done` takes it from there. */
typedef void (*conv_sink)(void *context, const int_conv *c, size_t image, size_t group, const int32_t *acc);

static pg_status int_conv_run(pg_op *op, const int_conv *c, size_t x_zero, size_t w_zero, conv_sink sink,
                              void *context)
{
    int32_t *zero_x, *zero_w;
    size_t n_zero_x, n_zero_w;
    void *rows, *packed, *acc;
    PG_TRY(quant_zeros(op, x_zero, &zero_x, &n_zero_x));
    PG_TRY(quant_zeros(op, w_zero, &zero_w, &n_zero_w));
    if (n_zero_x != 1 || (n_zero_w != 1 && n_zero_w != c->groups * c->out_per_group))
        return pg_op_err(op, PG_ERR_INVALID, "zero points of the wrong number");
    PG_TRY(pg_op_scratch(op, (uint64_t)c->pixels * pg_igemm_row(c->k) * 2 + 64, &rows));
    PG_TRY(pg_op_scratch(op, pg_igemm_packed_bytes(c->k, c->out_per_group) + 64, &packed));
    PG_TRY(pg_op_scratch(op, (uint64_t)c->pixels * c->out_per_group * 4 + 64, &acc));
    for (size_t g = 0; g < c->groups; g++) {
        pg_igemm_pack(c->w->dtype, c->k, c->out_per_group,
                      (const char *)c->w->data + g * c->out_per_group * c->k, c->k, true,
                      zero_w + (n_zero_w == 1 ? 0 : g * c->out_per_group),
                      n_zero_w == 1 ? 1 : c->out_per_group, packed);
        for (size_t image = 0; image < (size_t)c->x->dims[0]; image++) {
            gather_rows job = {c, image, g, zero_x[0], rows};
            pg_parallel_for(c->pixels, 16384 / (c->k + 1) + 1, gather_range, &job);
            pg_igemm_run(c->pixels, c->out_per_group, c->k, rows, packed, acc, c->out_per_group);
            sink(context, c, image, g, acc);
        }
    }
    return NULL;
}

static pg_status check_8bit(const pg_op *op, size_t x, size_t w)
{
    if (!quant_is_8bit(pg_op_in(op, x)->dtype))
        return pg_op_bad_type(op, x);
    return quant_is_8bit(pg_op_in(op, w)->dtype) ? NULL : pg_op_bad_type(op, w);
}

static void store_int32(void *context, const int_conv *c, size_t image, size_t group, const int32_t *acc)
{
    int32_t *y = context;
    const size_t first = (image * c->groups + group) * c->out_per_group;
    for (size_t o = 0; o < c->out_per_group; o++)
        for (size_t p = 0; p < c->pixels; p++)
            y[(first + o) * c->pixels + p] = acc[p * c->out_per_group + o];
}

pg_status quant_run_conv_integer(pg_op *op)
{
    PG_TRY(pg_op_need(op, 2));
    int_conv c;
    pg_tensor *y;
    PG_TRY(check_8bit(op, 0, 1));
    PG_TRY(int_conv_shape(op, pg_op_in(op, 0), pg_op_in(op, 1), &c));
    PG_TRY(pg_op_out(op, 0, PG_I32, c.rank, c.dims, &y));
    return int_conv_run(op, &c, 2, 3, store_int32, y->data);
}

typedef struct requantized {
    const float *multiplier;
    size_t n_multipliers;
    const int32_t *bias;
    int32_t zero;
    pg_tensor *y;
} requantized;

static void store_codes(void *context, const int_conv *c, size_t image, size_t group, const int32_t *acc)
{
    const requantized *r = context;
    float lo, hi;
    quant_range(r->y->dtype, &lo, &hi);
    for (size_t o = 0; o < c->out_per_group; o++) {
        const size_t channel = group * c->out_per_group + o;
        const float m = r->multiplier[r->n_multipliers > 1 ? channel : 0];
        const size_t to = (image * c->groups * c->out_per_group + channel) * c->pixels;
        for (size_t p = 0; p < c->pixels; p++) {
            int32_t sum = acc[p * c->out_per_group + o];
            if (r->bias != NULL)
                sum = (int32_t)((uint32_t)sum + (uint32_t)r->bias[channel]);
            float q = rintf((float)sum * m) + (float)r->zero;
            q = !(q >= lo) ? lo : q > hi ? hi : q; /* NaN too */
            if (r->y->dtype == PG_U8)
                ((uint8_t *)r->y->data)[to + p] = (uint8_t)q;
            else
                ((int8_t *)r->y->data)[to + p] = (int8_t)q;
        }
    }
}

pg_status quant_run_qlinear_conv(pg_op *op)
{
    PG_TRY(pg_op_need(op, 8));
    int_conv c;
    requantized r = {0};
    float *multiplier;
    const pg_tensor *bias = pg_op_in(op, 8);
    PG_TRY(check_8bit(op, 0, 3));
    PG_TRY(int_conv_shape(op, pg_op_in(op, 0), pg_op_in(op, 3), &c));
    if (bias != NULL && (bias->dtype != PG_I32 || pg_tensor_count(bias) != (uint64_t)c.w->dims[0]))
        return pg_op_err(op, PG_ERR_INVALID, "the bias is not one int32 per output channel");
    PG_TRY(multipliers(op, 1, 4, 6, (size_t)c.w->dims[0], &multiplier, &r.n_multipliers));
    PG_TRY(result_zero(op, 7, &r.zero));
    PG_TRY(pg_op_out(op, 0, pg_op_in(op, 7)->dtype, c.rank, c.dims, &r.y));
    r.multiplier = multiplier;
    r.bias = bias != NULL ? bias->data : NULL;
    return int_conv_run(op, &c, 2, 5, store_codes, &r);
}

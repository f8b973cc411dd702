/* Gather and scatter: copies whose positions are data. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "native/ops/move.h"
#include "native/ops/simd.h"
#include "tensor/dtype_convert.h"

/* Input `i` as int64 values in [0, limit), negative ones counted from the end; in scratch memory. */
static pg_status read_indices(pg_op *op, size_t i, int64_t limit, const int64_t **out)
{
    const pg_tensor *indices = pg_op_in(op, i);
    void *scratch;
    uint64_t count = pg_tensor_count(indices);
    if (indices->dtype != PG_I64 && indices->dtype != PG_I32)
        return pg_op_bad_type(op, i);
    PG_TRY(pg_op_scratch(op, count * sizeof(int64_t), &scratch));
    int64_t *values = scratch;
    for (uint64_t k = 0; k < count; k++) {
        int64_t value = indices->dtype == PG_I64 ? ((const int64_t *)indices->data)[k]
                                                 : ((const int32_t *)indices->data)[k];
        if (value < -limit || value >= limit)
            return pg_op_err(op, PG_ERR_INVALID,
                             "index %lld (element %llu of input %zu) is outside [%lld, %lld)",
                             (long long)value, (unsigned long long)k, i, (long long)-limit, (long long)limit);
        values[k] = value < 0 ? value + limit : value;
    }
    *out = values;
    return NULL;
}

static uint64_t product(const pg_tensor *tensor, size_t begin, size_t end)
{
    uint64_t count = 1;
    for (size_t i = begin; i < end; i++)
        count *= (uint64_t)tensor->dims[i];
    return count;
}

/* ---- Gather ---- */

typedef struct gather_job {
    char *y;
    const char *x;
    const int64_t *indices;
    size_t n_indices, n, row; /* along the axis; bytes after it */
    size_t size;              /* of an element */
} gather_job;

#define GATHER(T)                        \
    for (size_t i = begin; i < end; i++) \
    ((T *)job->y)[i] =                   \
        ((const T *)job->x)[i / job->n_indices * job->n + (size_t)job->indices[i % job->n_indices]]

static void gather_range(void *context, size_t begin, size_t end)
{
    const gather_job *job = context;
    switch (job->row == job->size ? job->row : 0) {
    case 1:
        GATHER(uint8_t);
        return;
    case 2:
        GATHER(uint16_t);
        return;
    case 4:
        GATHER(uint32_t);
        return;
    case 8:
        GATHER(uint64_t);
        return;
    default:
        break;
    }
    for (size_t i = begin; i < end; i++) {
        size_t at = i / job->n_indices * job->n + (size_t)job->indices[i % job->n_indices];
        memcpy(job->y + i * job->row, job->x + at * job->row, job->row);
    }
}

static pg_status run_gather(pg_op *op)
{
    PG_TRY(pg_op_need(op, 2));
    const pg_tensor *x = pg_op_in(op, 0), *indices = pg_op_in(op, 1);
    int64_t axis_value, dims[2 * PG_MAX_RANK];
    size_t axis, rank = 0;
    gather_job job;
    const void *elements;
    pg_move out;
    PG_TRY(pg_op_attr_i(op, "axis", 0, &axis_value));
    PG_TRY(pg_op_axis(op, axis_value, x->rank, &axis));
    PG_TRY(read_indices(op, 1, x->dims[axis], &job.indices));
    for (size_t i = 0; i < axis; i++)
        dims[rank++] = x->dims[i];
    for (size_t i = 0; i < indices->rank; i++)
        dims[rank++] = indices->dims[i];
    for (size_t i = axis + 1; i < x->rank; i++)
        dims[rank++] = x->dims[i];
    PG_TRY(pg_move_in(op, x, &elements));
    PG_TRY(pg_move_out(op, 0, x->dtype, rank, dims, &out));
    job.n_indices = (size_t)pg_tensor_count(indices);
    job.n = (size_t)x->dims[axis];
    job.row = (size_t)product(x, axis + 1, x->rank) * out.size;
    job.size = out.size;
    job.x = elements;
    job.y = out.data;
    if (out.count > 0)
        pg_parallel_for((size_t)product(x, 0, axis) * job.n_indices, PG_GRAIN_CHEAP / job.row + 1,
                        gather_range, &job);
    return pg_move_done(&out);
}

/* ---- GatherElements ---- */

/* Walks all positions of a shape; `skip` is the axis whose coordinate comes from the indices. */
typedef struct position {
    size_t rank;
    const int64_t *dims;
    int64_t index[PG_MAX_RANK], strides[PG_MAX_RANK], base;
} position;

static void position_init(position *p, const pg_tensor *shape, const pg_tensor *data, size_t skip)
{
    p->rank = shape->rank;
    p->dims = shape->dims;
    p->base = 0;
    memset(p->index, 0, sizeof p->index);
    pg_strides(data->rank, data->dims, p->strides);
    p->strides[skip] = 0;
}

static void position_next(position *p)
{
    for (size_t i = p->rank; i-- > 0;) {
        p->base += p->strides[i];
        if (++p->index[i] < p->dims[i])
            return;
        p->base -= p->index[i] * p->strides[i];
        p->index[i] = 0;
    }
}

/* Every dim of `small` but the axis fits into that of `large`. */
static pg_status check_fits(const pg_op *op, const pg_tensor *small, const pg_tensor *large, size_t axis)
{
    if (small->rank != large->rank)
        return pg_op_err(op, PG_ERR_INVALID, "the indices have rank %d, the data %d", small->rank,
                         large->rank);
    for (size_t i = 0; i < small->rank; i++)
        if (i != axis && small->dims[i] > large->dims[i])
            return pg_op_err(op, PG_ERR_INVALID,
                             "dimension %zu of the indices is %lld, beyond that of the data, %lld", i,
                             (long long)small->dims[i], (long long)large->dims[i]);
    return NULL;
}

enum { PART = 1024 };

/* Indices first .. first + n, counted from the front; false when one lies outside. */
PG_SIMD static bool read_part(const pg_tensor *indices, uint64_t first, size_t n, int64_t limit, int64_t *at)
{
    const int64_t *wide = indices->data;
    const int32_t *narrow = indices->data;
    int64_t outside = 0;
    for (size_t k = 0; k < n; k++)
        at[k] = indices->dtype == PG_I64 ? wide[first + k] : narrow[first + k];
    for (size_t k = 0; k < n; k++) {
        at[k] += at[k] >> 63 & limit;
        outside |= at[k] | (limit - 1 - at[k]); /* negative when either is */
    }
    return outside >= 0;
}

/* Part of a row of results; `step` is what an index moves along the axis, `move` what a place in the row
 * moves. */
#define PICK(T)                                                            \
    for (size_t i = 0; i < n; i++)                                         \
        ((T *)to)[i] = ((const T *)from)[(size_t)at[i] * step + i * move]; \
    break

static void pick_part(char *to, const char *from, const int64_t *at, size_t n, size_t step, size_t move,
                      size_t size)
{
    switch (size) {
    case 1:
        PICK(uint8_t);
    case 2:
        PICK(uint16_t);
    case 4:
        PICK(uint32_t);
    case 8:
        PICK(uint64_t);
    default:
        for (size_t i = 0; i < n; i++)
            memcpy(to + i * size, from + ((size_t)at[i] * step + i * move) * size, size);
        break;
    }
}

static pg_status run_gather_elements(pg_op *op)
{
    PG_TRY(pg_op_need(op, 2));
    const pg_tensor *x = pg_op_in(op, 0), *indices = pg_op_in(op, 1);
    int64_t axis_value;
    size_t axis;
    const void *elements;
    pg_move out;
    position p;
    PG_TRY(pg_op_attr_i(op, "axis", 0, &axis_value));
    PG_TRY(pg_op_axis(op, axis_value, x->rank, &axis));
    PG_TRY(check_fits(op, indices, x, axis));
    if (indices->dtype != PG_I64 && indices->dtype != PG_I32)
        return pg_op_bad_type(op, 1);
    PG_TRY(pg_move_in(op, x, &elements));
    PG_TRY(pg_move_out(op, 0, x->dtype, indices->rank, indices->dims, &out));
    position_init(&p, indices, x, axis);
    p.rank--; /* whole rows of the last dim */
    size_t row = (size_t)indices->dims[p.rank], stride = (size_t)product(x, axis + 1, x->rank);
    size_t move = axis == p.rank ? 0 : 1;
    for (uint64_t i = 0; i < out.count; position_next(&p))
        for (size_t done = 0, n; done < row; done += n, i += n) {
            int64_t at[PART];
            n = PG_MIN(row - done, (size_t)PART);
            if (!read_part(indices, i, n, x->dims[axis], at))
                return read_indices(op, 1, x->dims[axis], &(const int64_t *){NULL});
            pick_part((char *)out.data + i * out.size,
                      (const char *)elements + ((size_t)p.base + done * move) * out.size, at, n, stride, move,
                      out.size);
        }
    return pg_move_done(&out);
}

/* ---- Tuples of indices, for GatherND and ScatterND ---- */

/* Turns each tuple of input 1 into an offset, in rows of the data. The last dim of the indices is the tuple's
 * length; `batch` leading dims are shared. */
static pg_status tuple_offsets(pg_op *op, size_t batch, const int64_t **out, uint64_t *count, size_t *tuple)
{
    const pg_tensor *x = pg_op_in(op, 0), *indices = pg_op_in(op, 1);
    void *scratch;
    if (indices->dtype != PG_I64 && indices->dtype != PG_I32)
        return pg_op_bad_type(op, 1);
    if (indices->rank < 1 || batch >= indices->rank || batch > x->rank ||
        indices->dims[indices->rank - 1] > (int64_t)(x->rank - batch))
        return pg_op_err(op, PG_ERR_INVALID, "the index tuples do not fit data of rank %d", x->rank);
    for (size_t i = 0; i < batch; i++)
        if (indices->dims[i] != x->dims[i])
            return pg_op_err(op, PG_ERR_INVALID, "batch dimension %zu of data and indices differs", i);
    *tuple = (size_t)indices->dims[indices->rank - 1];
    *count = product(indices, 0, indices->rank - 1);
    uint64_t per_batch = product(indices, batch, indices->rank - 1);
    uint64_t rows = product(x, batch, batch + *tuple);
    PG_TRY(pg_op_scratch(op, *count * sizeof(int64_t), &scratch));
    int64_t *offsets = scratch;
    for (uint64_t k = 0; k < *count; k++) {
        uint64_t offset = k / per_batch * rows, inside = 0;
        for (size_t i = 0; i < *tuple; i++) {
            uint64_t at = k * *tuple + i;
            int64_t dim = x->dims[batch + i];
            int64_t value = indices->dtype == PG_I64 ? ((const int64_t *)indices->data)[at]
                                                     : ((const int32_t *)indices->data)[at];
            if (value < -dim || value >= dim)
                return pg_op_err(op, PG_ERR_INVALID,
                                 "index %lld (element %llu of input 1) is outside [%lld, %lld)",
                                 (long long)value, (unsigned long long)at, (long long)-dim, (long long)dim);
            inside = inside * (uint64_t)dim + (uint64_t)(value < 0 ? value + dim : value);
        }
        offsets[k] = (int64_t)(offset + inside);
    }
    *out = offsets;
    return NULL;
}

static pg_status run_gather_nd(pg_op *op)
{
    PG_TRY(pg_op_need(op, 2));
    const pg_tensor *x = pg_op_in(op, 0), *indices = pg_op_in(op, 1);
    int64_t batch, dims[2 * PG_MAX_RANK];
    const int64_t *offsets = NULL;
    uint64_t count = 0;
    size_t tuple = 0, rank = 0;
    const void *elements;
    pg_move out;
    PG_TRY(pg_op_attr_i(op, "batch_dims", 0, &batch));
    if (batch < 0 || batch > PG_MAX_RANK)
        return pg_op_err(op, PG_ERR_INVALID, "attribute 'batch_dims' is %lld", (long long)batch);
    PG_TRY(tuple_offsets(op, (size_t)batch, &offsets, &count, &tuple));
    for (size_t i = 0; i + 1 < indices->rank; i++)
        dims[rank++] = indices->dims[i];
    for (size_t i = (size_t)batch + tuple; i < x->rank; i++)
        dims[rank++] = x->dims[i];
    PG_TRY(pg_move_in(op, x, &elements));
    PG_TRY(pg_move_out(op, 0, x->dtype, rank, dims, &out));
    size_t row = (size_t)product(x, (size_t)batch + tuple, x->rank) * out.size;
    for (uint64_t k = 0; k < count && row > 0; k++)
        memcpy((char *)out.data + k * row, (const char *)elements + (size_t)offsets[k] * row, row);
    return pg_move_done(&out);
}

/* ---- Scatter ---- */

typedef enum scatter_kind { S_NONE, S_ADD, S_MUL, S_MAX, S_MIN } scatter_kind;

static pg_status read_reduction(const pg_op *op, scatter_kind *out)
{
    static const char *const names[] = {"none", "add", "mul", "max", "min"};
    pg_str text;
    PG_TRY(pg_op_attr_s(op, "reduction", "none", &text));
    for (size_t i = 0; i < PG_COUNT(names); i++)
        if (pg_str_is(text, names[i])) {
            *out = (scatter_kind)i;
            return NULL;
        }
    return pg_op_err(op, PG_ERR_INVALID,
                     "attribute 'reduction' is '%" PG_STR_FMT "', not none, add, mul, max or min",
                     PG_STR_ARG(text));
}

#define JOIN(T, W)                                         \
    do {                                                   \
        T *to = (T *)at;                                   \
        const T a = *to, b = *(const T *)from;             \
        *to = kind == S_ADD   ? (T)((W)a + (W)b)           \
              : kind == S_MUL ? (T)((W)a * (W)b)           \
              : kind == S_MAX ? (b > a || b != b ? b : a)  \
                              : (b < a || b != b ? b : a); \
    } while (0)

static void join_element(pg_dtype dtype, scatter_kind kind, char *at, const char *from)
{
    switch (dtype) {
    case PG_F32:
        JOIN(float, float);
        break;
    case PG_F64:
        JOIN(double, double);
        break;
    case PG_I8:
        JOIN(int8_t, uint64_t);
        break;
    case PG_I16:
        JOIN(int16_t, uint64_t);
        break;
    case PG_I32:
        JOIN(int32_t, uint64_t);
        break;
    case PG_I64:
        JOIN(int64_t, uint64_t);
        break;
    case PG_BOOL:
    case PG_U8:
        JOIN(uint8_t, uint64_t);
        break;
    case PG_U16:
        JOIN(uint16_t, uint64_t);
        break;
    case PG_U32:
        JOIN(uint32_t, uint64_t);
        break;
    default:
        JOIN(uint64_t, uint64_t);
        break;
    }
    if (dtype == PG_BOOL)
        *at = *at != 0;
}

/* `n` elements of `from` are put, or joined, at `at`. The narrow floats are joined as float32. */
static void scatter_row(pg_dtype dtype, scatter_kind kind, char *at, const char *from, size_t n, size_t size)
{
    bool narrow = pg_dtype_is_float(dtype) && size < 4;
    if (kind == S_NONE) {
        memcpy(at, from, n * size);
        return;
    }
    for (size_t i = 0; i < n; i++, at += size, from += size) {
        float wide[2];
        if (!narrow) {
            join_element(dtype, kind, at, from);
            continue;
        }
        pg_convert(dtype, at, PG_F32, &wide[0], 1, NULL);
        pg_convert(dtype, from, PG_F32, &wide[1], 1, NULL);
        join_element(PG_F32, kind, (char *)&wide[0], (const char *)&wide[1]);
        pg_convert(PG_F32, &wide[0], dtype, at, 1, NULL);
    }
}

/* Opens output 0 as a copy of input 0 and finds the updates' elements. */
static pg_status open_scatter(pg_op *op, scatter_kind kind, const void **updates, pg_move *out)
{
    const pg_tensor *x = pg_op_in(op, 0), *u = pg_op_in(op, 2);
    const void *elements;
    pg_dtype_kind type = pg_dtype_kind_of(x->dtype);
    if (u->dtype != x->dtype)
        return pg_op_err(op, PG_ERR_INVALID, "data and updates have types %s and %s", pg_dtype_name(x->dtype),
                         pg_dtype_name(u->dtype));
    if (kind != S_NONE &&
        (type == PG_KIND_STRING || type == PG_KIND_COMPLEX || pg_dtype_get(x->dtype)->bits < 8))
        return pg_op_bad_type(op, 0);
    PG_TRY(pg_move_in(op, x, &elements));
    PG_TRY(pg_move_in(op, u, updates));
    PG_TRY(pg_move_out(op, 0, x->dtype, x->rank, x->dims, out));
    if (out->count > 0)
        memcpy(out->data, elements, out->count * out->size);
    return NULL;
}

static pg_status run_scatter_elements(pg_op *op)
{
    PG_TRY(pg_op_need(op, 3));
    const pg_tensor *x = pg_op_in(op, 0), *indices = pg_op_in(op, 1);
    int64_t axis_value;
    size_t axis;
    scatter_kind kind;
    const int64_t *at;
    const void *updates;
    pg_move out;
    position p;
    PG_TRY(pg_op_attr_i(op, "axis", 0, &axis_value));
    PG_TRY(read_reduction(op, &kind));
    PG_TRY(pg_op_axis(op, axis_value, x->rank, &axis));
    PG_TRY(check_fits(op, indices, x, axis));
    if (!pg_tensor_same_shape(indices, pg_op_in(op, 2)))
        return pg_op_err(op, PG_ERR_INVALID, "indices and updates have different shapes");
    PG_TRY(read_indices(op, 1, x->dims[axis], &at));
    PG_TRY(open_scatter(op, kind, &updates, &out));
    position_init(&p, indices, x, axis);
    uint64_t count = pg_tensor_count(indices);
    size_t size = out.size, stride = (size_t)product(x, axis + 1, x->rank);
    for (uint64_t i = 0; i < count; i++, position_next(&p))
        scatter_row(x->dtype, kind, (char *)out.data + ((size_t)p.base + (size_t)at[i] * stride) * size,
                    (const char *)updates + i * size, 1, size);
    return pg_move_done(&out);
}

static pg_status run_scatter_nd(pg_op *op)
{
    PG_TRY(pg_op_need(op, 3));
    const pg_tensor *x = pg_op_in(op, 0);
    scatter_kind kind;
    const int64_t *offsets = NULL;
    const void *updates;
    uint64_t count = 0;
    size_t tuple = 0;
    pg_move out;
    PG_TRY(read_reduction(op, &kind));
    PG_TRY(tuple_offsets(op, 0, &offsets, &count, &tuple));
    PG_TRY(open_scatter(op, kind, &updates, &out));
    size_t row = (size_t)product(x, tuple, x->rank);
    if (pg_tensor_count(pg_op_in(op, 2)) != count * row)
        return pg_op_err(op, PG_ERR_INVALID, "the updates' size does not fit %llu index tuples",
                         (unsigned long long)count);
    for (uint64_t k = 0; k < count; k++)
        scatter_row(x->dtype, kind, (char *)out.data + (size_t)offsets[k] * row * out.size,
                    (const char *)updates + k * row * out.size, row, out.size);
    return pg_move_done(&out);
}

/* ---- TensorScatter ---- */

static pg_status check_tensor_scatter(const pg_op *op, size_t axis)
{
    const pg_tensor *cache = pg_op_in(op, 0), *update = pg_op_in(op, 1), *start = pg_op_in(op, 2);
    bool fits = update->dtype == cache->dtype && update->rank == cache->rank && axis > 0;
    for (size_t i = 0; i < cache->rank && fits; i++)
        fits = i == axis ? update->dims[i] <= cache->dims[i] : update->dims[i] == cache->dims[i];
    if (!fits)
        return pg_op_err(op, PG_ERR_INVALID, "the update's type or shape does not fit the cache");
    if (start != NULL && (start->dtype != PG_I64 || start->rank != 1 || start->dims[0] != cache->dims[0]))
        return pg_op_err(op, PG_ERR_INVALID, "input 2 must be one int64 index per batch");
    return NULL;
}

static pg_status run_tensor_scatter(pg_op *op)
{
    PG_TRY(pg_op_need(op, 2));
    const pg_tensor *cache = pg_op_in(op, 0), *update = pg_op_in(op, 1), *start = pg_op_in(op, 2);
    int64_t axis_value;
    size_t axis;
    pg_str mode;
    const void *elements, *updates;
    pg_move out;
    PG_TRY(pg_op_attr_i(op, "axis", -2, &axis_value));
    PG_TRY(pg_op_attr_s(op, "mode", "linear", &mode));
    PG_TRY(pg_op_axis(op, axis_value, cache->rank, &axis));
    PG_TRY(check_tensor_scatter(op, axis));
    bool circular = pg_str_is(mode, "circular");
    PG_TRY(pg_move_in(op, cache, &elements));
    PG_TRY(pg_move_in(op, update, &updates));
    PG_TRY(pg_move_out(op, 0, cache->dtype, cache->rank, cache->dims, &out));
    if (out.count == 0)
        return pg_move_done(&out);
    memcpy(out.data, elements, out.count * out.size);
    size_t row = (size_t)product(cache, axis + 1, cache->rank) * out.size;
    uint64_t lines = product(cache, 0, axis), per_batch = product(cache, 1, axis);
    int64_t length = cache->dims[axis], n = update->dims[axis];
    for (uint64_t line = 0; line < lines; line++) {
        int64_t first = start != NULL ? ((const int64_t *)start->data)[line / per_batch] : 0;
        if (first < 0 || (circular ? first > INT64_MAX - n : first > length - n))
            return pg_op_err(op, PG_ERR_INVALID, "write index %lld leaves no room for %lld elements in %lld",
                             (long long)first, (long long)n, (long long)length);
        for (int64_t k = 0; k < n; k++)
            memcpy((char *)out.data + (line * (uint64_t)length + (uint64_t)((first + k) % length)) * row,
                   (const char *)updates + (line * (uint64_t)n + (uint64_t)k) * row, row);
    }
    return pg_move_done(&out);
}

const pg_kernel pg_kernels_gather[] = {
    {"", "Gather", 1, 0, run_gather, NULL, NULL, 0},
    {"", "GatherElements", 11, 0, run_gather_elements, NULL, NULL, 0},
    {"", "GatherND", 11, 0, run_gather_nd, NULL, NULL, 0},
    {"", "Scatter", 9, 0, run_scatter_elements, NULL, NULL, 0},
    {"", "ScatterElements", 11, 0, run_scatter_elements, NULL, NULL, 0},
    {"", "ScatterND", 11, 0, run_scatter_nd, NULL, NULL, 0},
    {"", "TensorScatter", 24, 0, run_tensor_scatter, NULL, NULL, 0},
    {0},
};

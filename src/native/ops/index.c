/* Operators between values and positions: NonZero, Compress, OneHot, Unique. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "native/ops/move.h"
#include "native/ops/order.h"

static uint64_t product(const pg_tensor *tensor, size_t begin, size_t end)
{
    uint64_t count = 1;
    for (size_t i = begin; i < end; i++)
        count *= (uint64_t)tensor->dims[i];
    return count;
}

/* ---- NonZero ---- */

/* Both zeros of a float have the key of zero; the bits of everything else decide. */
static bool is_zero(const pg_tensor *x, const char *elements, size_t size, uint64_t i)
{
    const char *at = elements + i * size;
    if (x->dtype == PG_F32)
        return *(const float *)at == 0;
    if (x->dtype == PG_F64)
        return *(const double *)at == 0;
    if (x->dtype == PG_STRING)
        return ((const pg_str *)at)->len == 0;
    for (size_t k = 0; k < size; k++)
        if (at[k] != 0)
            return false;
    return true;
}

static pg_status run_non_zero(pg_op *op)
{
    PG_TRY(pg_op_need(op, 1));
    const pg_tensor *x = pg_op_in(op, 0);
    const void *elements;
    uint64_t count = pg_tensor_count(x);
    size_t size = pg_move_size(x->dtype), rank = x->rank; /* of a scalar the indices have no rows */
    int64_t found = 0, index[PG_MAX_RANK] = {0};
    PG_TRY(pg_move_in(op, x, &elements));
    for (uint64_t i = 0; i < count; i++)
        found += !is_zero(x, elements, size, i);
    pg_tensor *y;
    PG_TRY(pg_op_out(op, 0, PG_I64, 2, (int64_t[]){(int64_t)rank, found}, &y));
    int64_t *to = y->data;
    for (uint64_t i = 0; i < count; i++) {
        if (!is_zero(x, elements, size, i)) {
            for (size_t k = 0; k < rank; k++)
                to[(int64_t)k * found] = index[k];
            to++;
        }
        for (size_t k = x->rank; k-- > 0;) {
            if (++index[k] < x->dims[k])
                break;
            index[k] = 0;
        }
    }
    return NULL;
}

/* ---- Compress ---- */

static pg_status run_compress(pg_op *op)
{
    PG_TRY(pg_op_need(op, 2));
    const pg_tensor *x = pg_op_in(op, 0), *condition = pg_op_in(op, 1);
    const pg_attr *axis_attr = pg_node_attr(op->node, "axis");
    int64_t axis_value, dims[PG_MAX_RANK] = {0}, kept = 0;
    size_t axis = 0, rank = axis_attr != NULL ? x->rank : 1;
    const void *elements;
    pg_move out;
    PG_TRY(pg_op_attr_i(op, "axis", 0, &axis_value));
    if (axis_attr != NULL)
        PG_TRY(pg_op_axis(op, axis_value, x->rank, &axis));
    if (condition->dtype != PG_BOOL || condition->rank != 1)
        return pg_op_err(op, PG_ERR_INVALID, "the condition must be a list of bool");
    int64_t length = axis_attr != NULL ? x->dims[axis] : (int64_t)pg_tensor_count(x);
    const uint8_t *flags = condition->data;
    int64_t n_flags = PG_MIN(condition->dims[0], length);
    for (int64_t i = 0; i < condition->dims[0]; i++) {
        if (flags[i] != 0 && i >= length)
            return pg_op_err(op, PG_ERR_INVALID, "condition %lld is beyond the %lld elements", (long long)i,
                             (long long)length);
        kept += flags[i] != 0;
    }
    for (size_t i = 0; i < rank; i++)
        dims[i] = axis_attr == NULL || i == axis ? kept : x->dims[i];
    PG_TRY(pg_move_in(op, x, &elements));
    PG_TRY(pg_move_out(op, 0, x->dtype, rank, dims, &out));
    size_t row = (axis_attr != NULL ? (size_t)product(x, axis + 1, x->rank) : 1) * out.size;
    uint64_t outer = axis_attr != NULL ? product(x, 0, axis) : 1;
    char *to = out.data;
    for (uint64_t o = 0; o < outer && out.count > 0; o++)
        for (int64_t i = 0; i < n_flags; i++) {
            if (flags[i] == 0)
                continue;
            memcpy(to, (const char *)elements + (o * (uint64_t)length + (uint64_t)i) * row, row);
            to += row;
        }
    return pg_move_done(&out);
}

/* ---- OneHot ---- */

static pg_status run_one_hot(pg_op *op)
{
    PG_TRY(pg_op_need(op, 3));
    const pg_tensor *indices = pg_op_in(op, 0), *depth_in = pg_op_in(op, 1), *values = pg_op_in(op, 2);
    int64_t axis_value, dims[PG_MAX_RANK + 1];
    size_t axis, rank = indices->rank + 1u;
    const void *elements;
    pg_move out;
    PG_TRY(pg_op_attr_i(op, "axis", -1, &axis_value));
    PG_TRY(pg_op_axis(op, axis_value, rank, &axis));
    if (pg_tensor_count(depth_in) != 1 || pg_tensor_count(values) != 2 || rank > PG_MAX_RANK)
        return pg_op_err(op, PG_ERR_INVALID, "depth must be one number and values two elements");
    for (size_t i = 0; i < 2; i++)
        if (!pg_dtype_is_float(pg_op_in(op, i)->dtype) && !pg_dtype_is_integer(pg_op_in(op, i)->dtype))
            return pg_op_bad_type(op, i);
    double depth_value = pg_tensor_get_f64(depth_in, 0);
    if (!(depth_value >= 1 && depth_value < 1e15))
        return pg_op_err(op, PG_ERR_INVALID, "the depth is %g", depth_value);
    int64_t depth = (int64_t)depth_value;
    for (size_t i = 0; i < rank; i++)
        dims[i] = i == axis ? depth : indices->dims[i > axis ? i - 1 : i];
    PG_TRY(pg_move_in(op, values, &elements));
    PG_TRY(pg_move_out(op, 0, values->dtype, rank, dims, &out));
    pg_fill(out.data, elements, out.count, out.size);
    uint64_t inner = product(indices, axis, indices->rank), count = pg_tensor_count(indices);
    bool real = pg_dtype_is_float(indices->dtype);
    for (uint64_t i = 0; i < count; i++) {
        double as_real = real ? pg_tensor_get_f64(indices, i) : 0;
        if (real && !(as_real > -1e15 && as_real < 1e15))
            continue;
        int64_t at = real ? (int64_t)as_real : pg_tensor_get_i64(indices, i);
        at += at < 0 ? depth : 0;
        if (at >= 0 && at < depth)
            memcpy((char *)out.data +
                       ((i / inner * (uint64_t)depth + (uint64_t)at) * inner + i % inner) * out.size,
                   (const char *)elements + out.size, out.size);
    }
    return pg_move_done(&out);
}

/* ---- Unique ---- */

/* What is compared: `n` subtensors, each of `outer` x `inner` elements. */
typedef struct unique_job {
    const uint64_t *keys; /* numbers */
    const pg_str *texts;  /* strings */
    uint64_t n, outer, inner;
} unique_job;

static int compare_slices(const void *a, const void *b, void *context)
{
    const unique_job *job = context;
    uint64_t i = (uint64_t) * (const int64_t *)a, k = (uint64_t) * (const int64_t *)b;
    for (uint64_t o = 0; o < job->outer; o++)
        for (uint64_t e = 0; e < job->inner; e++) {
            uint64_t x = (o * job->n + i) * job->inner + e, y = (o * job->n + k) * job->inner + e;
            int order = job->texts != NULL ? pg_str_cmp(job->texts[x], job->texts[y])
                                           : (job->keys[x] > job->keys[y]) - (job->keys[x] < job->keys[y]);
            if (order != 0)
                return order;
        }
    return 0;
}

static int compare_slices_in_order(const void *a, const void *b, void *context)
{
    int order = compare_slices(a, b, context);
    int64_t i = *(const int64_t *)a, k = *(const int64_t *)b;
    return order != 0 ? order : (i > k) - (i < k);
}

typedef struct unique_group {
    int64_t first, count, rank; /* rank: its place among the results */
} unique_group;

static int compare_first(const void *a, const void *b)
{
    const unique_group *x = a, *y = b;
    return (x->first > y->first) - (x->first < y->first);
}

/* Sorts positions by value and groups equal ones; inverse[i] is the group of slice i. */
static size_t group_slices(unique_job *job, bool sorted, int64_t *order, unique_group *groups,
                           int64_t *inverse)
{
    size_t n_groups = 0;
    for (uint64_t i = 0; i < job->n; i++)
        order[i] = (int64_t)i;
    qsort_r(order, job->n, sizeof *order, compare_slices_in_order, job);
    for (uint64_t i = 0; i < job->n; i++) {
        if (i == 0 || compare_slices(&order[i - 1], &order[i], job) != 0) {
            groups[n_groups] = (unique_group){order[i], 0, (int64_t)n_groups};
            n_groups++;
        }
        groups[n_groups - 1].count++;
        inverse[order[i]] = (int64_t)n_groups - 1;
    }
    if (sorted)
        return n_groups;
    qsort(groups, n_groups, sizeof *groups, compare_first);
    for (size_t g = 0; g < n_groups; g++) /* from the sorted place to the final one; order is free again */
        order[groups[g].rank] = (int64_t)g;
    for (uint64_t i = 0; i < job->n; i++)
        inverse[i] = order[inverse[i]];
    return n_groups;
}

static pg_status write_unique(pg_op *op, const unique_job *job, const unique_group *groups, size_t n_groups,
                              bool flat, size_t axis, const int64_t *inverse)
{
    const pg_tensor *x = pg_op_in(op, 0);
    int64_t dims[PG_MAX_RANK], count = (int64_t)n_groups, n = (int64_t)job->n;
    const void *elements;
    pg_move out;
    pg_tensor *indices, *inverse_out, *counts;
    memcpy(dims, x->dims, sizeof dims);
    dims[flat ? 0 : axis] = count;
    PG_TRY(pg_move_in(op, x, &elements));
    PG_TRY(pg_move_out(op, 0, x->dtype, flat ? 1 : x->rank, dims, &out));
    size_t row = (size_t)job->inner * out.size;
    for (uint64_t o = 0; o < job->outer; o++)
        for (size_t g = 0; g < n_groups && row > 0; g++)
            memcpy((char *)out.data + (o * n_groups + g) * row,
                   (const char *)elements + (o * job->n + (uint64_t)groups[g].first) * row, row);
    PG_TRY(pg_move_done(&out));
    PG_TRY(pg_op_out(op, 1, PG_I64, 1, &count, &indices));
    PG_TRY(pg_op_out(op, 2, PG_I64, 1, &n, &inverse_out));
    PG_TRY(pg_op_out(op, 3, PG_I64, 1, &count, &counts));
    for (size_t g = 0; g < n_groups; g++) {
        ((int64_t *)indices->data)[g] = groups[g].first;
        ((int64_t *)counts->data)[g] = groups[g].count;
    }
    if (n > 0)
        memcpy(inverse_out->data, inverse, (size_t)n * sizeof *inverse);
    return NULL;
}

static pg_status run_unique(pg_op *op)
{
    PG_TRY(pg_op_need(op, 1));
    const pg_tensor *x = pg_op_in(op, 0);
    const pg_attr *axis_attr = pg_node_attr(op->node, "axis");
    int64_t axis_value, sorted;
    size_t axis = 0;
    uint64_t count = pg_tensor_count(x);
    unique_job job = {.n = count, .outer = 1, .inner = 1};
    void *keys, *order, *groups, *inverse;
    PG_TRY(pg_op_attr_i(op, "axis", 0, &axis_value));
    PG_TRY(pg_op_attr_i(op, "sorted", 1, &sorted));
    if (axis_attr != NULL) {
        PG_TRY(pg_op_axis(op, axis_value, x->rank, &axis));
        job = (unique_job){.n = (uint64_t)x->dims[axis],
                           .outer = product(x, 0, axis),
                           .inner = product(x, axis + 1, x->rank)};
    }
    if (x->dtype == PG_STRING) {
        job.texts = x->data;
    } else {
        PG_TRY(pg_op_scratch(op, count * sizeof(uint64_t), &keys));
        if (!pg_order_keys(x->dtype, x->data, 1, (size_t)count, keys))
            return pg_op_bad_type(op, 0);
        job.keys = keys;
    }
    PG_TRY(pg_op_scratch(op, job.n * sizeof(int64_t), &order));
    PG_TRY(pg_op_scratch(op, job.n * sizeof(int64_t), &inverse));
    PG_TRY(pg_op_scratch(op, job.n * sizeof(unique_group), &groups));
    size_t n_groups = group_slices(&job, sorted != 0, order, groups, inverse);
    return write_unique(op, &job, groups, n_groups, axis_attr == NULL, axis, inverse);
}

enum { HALF = PG_KERNEL_HALF_VIA_F32 };

const pg_kernel pg_kernels_index[] = {
    {"", "Compress", 9, 0, run_compress, NULL, NULL, 0},
    {"", "NonZero", 9, 0, run_non_zero, NULL, NULL, HALF},
    {"", "OneHot", 9, 0, run_one_hot, NULL, NULL, 0},
    {"", "Unique", 11, 0, run_unique, NULL, NULL, HALF},
    {0},
};

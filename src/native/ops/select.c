/* ArgMax, ArgMin and TopK. Values are compared through keys: unsigned integers of the same order. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "native/ops/move.h"
#include "native/ops/order.h"
#include "native/ops/simd.h"
#include "native/simd/simd.h"

#define KEYS(T, expression)                         \
    for (size_t i = 0; i < n; i++) {                \
        T v = ((const T *)data)[(int64_t)i * step]; \
        keys[i] = (expression);                     \
    }                                               \
    break

/* Negative floats run backwards in their bits; NaN, with the sign off, comes after infinity. */
static uint64_t f32_key(float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    if (v != v)
        return UINT32_MAX;
    if (v == 0)
        bits = 0;
    return (bits & 0x80000000u) != 0 ? (uint32_t)~bits : bits | 0x80000000u;
}

static uint64_t f64_key(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    if (v != v)
        return UINT64_MAX;
    if (v == 0)
        bits = 0;
    return bits >> 63 != 0 ? ~bits : bits | 0x8000000000000000u;
}

bool pg_order_keys(pg_dtype dtype, const void *data, int64_t step, size_t n, uint64_t *keys)
{
    const uint64_t sign = 0x8000000000000000u;
    switch (dtype) {
    case PG_F32:
        KEYS(float, f32_key(v));
    case PG_F64:
        KEYS(double, f64_key(v));
    case PG_I8:
        KEYS(int8_t, (uint64_t)(int64_t)v ^ sign);
    case PG_I16:
        KEYS(int16_t, (uint64_t)(int64_t)v ^ sign);
    case PG_I32:
        KEYS(int32_t, (uint64_t)(int64_t)v ^ sign);
    case PG_I64:
        KEYS(int64_t, (uint64_t)v ^ sign);
    case PG_BOOL:
    case PG_U8:
        KEYS(uint8_t, v);
    case PG_U16:
        KEYS(uint16_t, v);
    case PG_U32:
        KEYS(uint32_t, v);
    case PG_U64:
        KEYS(uint64_t, v);
    default:
        return false;
    }
    return true;
}

/* ---- ArgMax and ArgMin ---- */

typedef struct arg_job {
    pg_dtype dtype;
    const char *x;
    int64_t *y;
    size_t n, inner, size;
    bool smallest, last;
} arg_job;

enum { KEYS_AT_ONCE = 128 };

static int64_t find_best(const arg_job *job, const char *line)
{
    uint64_t keys[KEYS_AT_ONCE], best = 0;
    int64_t at = 0;
    for (size_t first = 0; first < job->n; first += KEYS_AT_ONCE) {
        size_t n = PG_MIN((size_t)KEYS_AT_ONCE, job->n - first);
        (void)pg_order_keys(job->dtype, line + first * job->inner * job->size, (int64_t)job->inner, n, keys);
        for (size_t i = 0; i < n; i++) {
            bool nan = job->dtype == PG_F64 && keys[i] == UINT64_MAX; /* wins either way, as in NumPy */
            uint64_t key = job->smallest && !nan ? ~keys[i] : keys[i];
            if (key > best || (first + i == 0) || (job->last && key == best)) {
                best = key;
                at = (int64_t)(first + i);
            }
        }
    }
    return at;
}

/* float32 along contiguous lines: the extreme value first, then where it is. */
static int64_t find_best_f32(const arg_job *job, const float *x)
{
    const pg_simd *simd = pg_simd_best();
    float best = job->smallest ? simd->min_f32(x, job->n) : simd->max_f32(x, job->n);
    for (size_t i = 0; i < job->n; i++) {
        size_t at = job->last ? job->n - 1 - i : i;
        if (x[at] == best || (best != best && x[at] != x[at]))
            return (int64_t)at;
    }
    return 0;
}

/* float32 along other axes: neighbouring lines together. */
PG_SIMD static void find_best_columns(const arg_job *job, const float *x, size_t width, int64_t *y)
{
    float best[KEYS_AT_ONCE];
    int32_t at[KEYS_AT_ONCE];
    float sign = job->smallest ? -1.0f : 1.0f;
    bool last = job->last;
    for (size_t j = 0; j < width; j++) {
        best[j] = sign * x[j];
        at[j] = 0;
    }
    for (size_t k = 1; k < job->n; k++)
        for (size_t j = 0; j < width; j++) {
            float v = sign * x[k * job->inner + j];
            int nan = (v != v) & ((best[j] == best[j]) | last);
            int take = (v > best[j]) | ((v == best[j]) & last) | nan;
            best[j] = take ? v : best[j];
            at[j] = take ? (int32_t)k : at[j];
        }
    for (size_t j = 0; j < width; j++)
        y[j] = at[j];
}

static void arg_lines(void *context, size_t begin, size_t end)
{
    const arg_job *job = context;
    bool floats = job->dtype == PG_F32 && job->n <= INT32_MAX;
    for (size_t i = begin, step = 1; i < end; i += step) {
        size_t column = i % job->inner;
        const char *line = job->x + (i / job->inner * job->n * job->inner + column) * job->size;
        if (floats && job->inner > 1) {
            step = PG_MIN(PG_MIN((size_t)KEYS_AT_ONCE, job->inner - column), end - i);
            find_best_columns(job, (const float *)line, step, job->y + i);
        } else {
            job->y[i] = floats ? find_best_f32(job, (const float *)line) : find_best(job, line);
        }
    }
}

static pg_status arg(pg_op *op, bool smallest)
{
    PG_TRY(pg_op_need(op, 1));
    const pg_tensor *x = pg_op_in(op, 0);
    int64_t axis_value, keep, last, dims[PG_MAX_RANK];
    size_t axis, rank = 0;
    PG_TRY(pg_op_attr_i(op, "axis", 0, &axis_value));
    PG_TRY(pg_op_attr_i(op, "keepdims", 1, &keep));
    PG_TRY(pg_op_attr_i(op, "select_last_index", 0, &last));
    PG_TRY(pg_op_axis(op, axis_value, x->rank, &axis));
    if (!pg_order_keys(x->dtype, x->data, 1, 0, NULL))
        return pg_op_bad_type(op, 0);
    arg_job job = {x->dtype, x->data,  NULL, (size_t)x->dims[axis], 1, pg_move_size(x->dtype),
                   smallest, last != 0};
    for (size_t i = 0; i < x->rank; i++) {
        if (i != axis || keep != 0)
            dims[rank++] = i == axis ? 1 : x->dims[i];
        if (i > axis)
            job.inner *= (size_t)x->dims[i];
    }
    pg_tensor *y;
    PG_TRY(pg_op_out(op, 0, PG_I64, rank, dims, &y));
    uint64_t lines = pg_tensor_count(y);
    if (lines == 0)
        return NULL;
    if (job.n == 0)
        return pg_op_err(op, PG_ERR_INVALID, "axis %zu has no elements to choose from", axis);
    job.y = y->data;
    pg_parallel_for((size_t)lines, PG_GRAIN_CHEAP / job.n + 1, arg_lines, &job);
    return NULL;
}

static pg_status run_arg_max(pg_op *op)
{
    return arg(op, false);
}
static pg_status run_arg_min(pg_op *op)
{
    return arg(op, true);
}

/* ---- TopK ---- */

typedef struct candidate {
    uint64_t key; /* the larger, the better */
    int64_t index;
} candidate;

typedef struct topk_job {
    const pg_tensor *x;
    char *values;
    int64_t *indices;
    candidate *heaps; /* k per range of lines */
    size_t n, k, inner, size;
    bool smallest;
} topk_job;

/* Of equal values the earlier one is better. */
static bool is_worse(candidate a, candidate b)
{
    return a.key != b.key ? a.key < b.key : a.index > b.index;
}

/* The worst candidate is at the top. */
static void sift_down(candidate *heap, size_t n, size_t at)
{
    candidate moved = heap[at];
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && is_worse(heap[child + 1], heap[child]))
            child++;
        if (!is_worse(heap[child], moved))
            break;
        heap[at] = heap[child];
    }
    heap[at] = moved;
}

/* Adds a candidate to a heap of at most k. */
static void consider(const topk_job *job, candidate *heap, size_t *filled, candidate found)
{
    if (*filled < job->k) {
        heap[(*filled)++] = found;
        for (size_t at = *filled / 2; *filled == job->k && at-- > 0;)
            sift_down(heap, *filled, at);
    } else if (is_worse(heap[0], found)) {
        heap[0] = found;
        sift_down(heap, *filled, 0);
    }
}

enum { BLOCK = 32 };

/* The first block from x[i] on with an element that does not lose to `worst` by plain comparison; NaN, which
 * loses none, is left to the keys. */
PG_SIMD static size_t skip_losers(const float *x, size_t i, size_t n, float worst, bool smallest)
{
    const float sign = smallest ? -1.0f : 1.0f, limit = sign * worst;
    for (; i + BLOCK <= n; i += BLOCK) {
        int32_t winners = 0;
        for (size_t k = 0; k < BLOCK; k++)
            winners |= !(sign * x[i + k] <= limit);
        if (winners != 0)
            break;
    }
    return i;
}

static void scan_f32(const topk_job *job, const float *x, candidate *heap)
{
    size_t filled = 0, i = 0;
    while (i < job->n) {
        if (filled == job->k)
            i = skip_losers(x, i, job->n, x[heap[0].index], job->smallest);
        for (size_t end = PG_MIN(i + BLOCK, job->n); i < end; i++) {
            uint64_t key = f32_key(x[i]);
            consider(job, heap, &filled, (candidate){job->smallest ? ~key : key, (int64_t)i});
        }
    }
}

static void scan(const topk_job *job, const char *line, candidate *heap)
{
    uint64_t keys[KEYS_AT_ONCE];
    size_t filled = 0;
    for (size_t first = 0; first < job->n; first += KEYS_AT_ONCE) {
        size_t n = PG_MIN((size_t)KEYS_AT_ONCE, job->n - first);
        (void)pg_order_keys(job->x->dtype, line + first * job->inner * job->size, (int64_t)job->inner, n,
                            keys);
        for (size_t i = 0; i < n; i++)
            consider(job, heap, &filled,
                     (candidate){job->smallest ? ~keys[i] : keys[i], (int64_t)(first + i)});
    }
}

/* The k best of a line, the best first. */
static void choose(const topk_job *job, const char *line, candidate *heap)
{
    if (job->x->dtype == PG_F32 && job->inner == 1)
        scan_f32(job, (const float *)line, heap);
    else
        scan(job, line, heap);
    for (size_t left = job->k; left > 1; left--) { /* worst to the end, again and again */
        candidate worst = heap[0];
        heap[0] = heap[left - 1];
        heap[left - 1] = worst;
        sift_down(heap, left - 1, 0);
    }
}

static void topk_lines(void *context, size_t begin, size_t end)
{
    const topk_job *job = context;
    candidate *heap = job->heaps + begin * job->k;
    for (size_t line = begin; line < end; line++) {
        size_t outer = line / job->inner, column = line % job->inner;
        const char *from = (const char *)job->x->data + (outer * job->n * job->inner + column) * job->size;
        choose(job, from, heap);
        for (size_t i = 0; i < job->k; i++) {
            size_t to = (outer * job->k + i) * job->inner + column;
            job->indices[to] = heap[i].index;
            memcpy(job->values + to * job->size, from + (size_t)heap[i].index * job->inner * job->size,
                   job->size);
        }
    }
}

static pg_status read_k(const pg_op *op, int64_t *k)
{
    size_t count;
    if (op->opset < 10)
        return pg_op_attr_i(op, "k", -1, k);
    PG_TRY(pg_op_ints(op, 1, k, 1, &count));
    return count == 1 ? NULL : pg_op_err(op, PG_ERR_INVALID, "input 1 must be one number");
}

static pg_status run_top_k(pg_op *op)
{
    PG_TRY(pg_op_need(op, 1));
    const pg_tensor *x = pg_op_in(op, 0);
    int64_t axis_value, largest, k, dims[PG_MAX_RANK];
    size_t axis;
    PG_TRY(read_k(op, &k));
    PG_TRY(pg_op_attr_i(op, "axis", -1, &axis_value));
    PG_TRY(pg_op_attr_i(op, "largest", 1, &largest));
    PG_TRY(pg_op_axis(op, axis_value, x->rank, &axis));
    if (!pg_order_keys(x->dtype, x->data, 1, 0, NULL))
        return pg_op_bad_type(op, 0);
    if (k < 0 || k > x->dims[axis])
        return pg_op_err(op, PG_ERR_INVALID, "k is %lld, but axis %zu has %lld elements", (long long)k, axis,
                         (long long)x->dims[axis]);
    topk_job job = {.x = x,
                    .n = (size_t)x->dims[axis],
                    .k = (size_t)k,
                    .inner = 1,
                    .size = pg_move_size(x->dtype),
                    .smallest = largest == 0};
    for (size_t i = 0; i < x->rank; i++) {
        dims[i] = i == axis ? k : x->dims[i];
        if (i > axis)
            job.inner *= (size_t)x->dims[i];
    }
    pg_tensor *values, *indices;
    PG_TRY(pg_op_out(op, 0, x->dtype, x->rank, dims, &values));
    PG_TRY(pg_op_out(op, 1, PG_I64, x->rank, dims, &indices));
    uint64_t count = pg_tensor_count(values);
    if (count == 0)
        return NULL;
    void *heaps;
    PG_TRY(pg_op_scratch(op, count * sizeof(candidate), &heaps));
    job.values = values->data;
    job.indices = indices->data;
    job.heaps = heaps;
    pg_parallel_for((size_t)count / job.k, PG_GRAIN_COSTLY / job.n + 1, topk_lines, &job);
    return NULL;
}

enum { HALF = PG_KERNEL_HALF_VIA_F32 };

const pg_kernel pg_kernels_select[] = {
    {"", "ArgMax", 1, 0, run_arg_max, NULL, NULL, HALF},
    {"", "ArgMin", 1, 0, run_arg_min, NULL, NULL, HALF},
    {"", "TopK", 1, 0, run_top_k, NULL, NULL, HALF},
    {0},
};

/* Top-k: the indices of the largest elements along an axis. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "compare/internal.h"

/* One element along the axis. Larger keys come first, equal keys in their order. */
typedef struct ranked {
    uint64_t key;
    int64_t index;
} ranked;

typedef struct top_k_run {
    const pg_tensor *in;
    int64_t *out;
    size_t length, inner, k; /* of the axis, of one step along it, kept */
} top_k_run;

/* Keys in the order of -x as numpy sorts it: NaN last, both zeros alike; the negative of an unsigned or of
 * the lowest integer wraps, so those stand where their wrapped negatives do. */
static uint64_t key_of(const pg_tensor *tensor, uint64_t index)
{
    if (pg_dtype_is_float(tensor->dtype)) {
        double value = -pg_tensor_get_f64(tensor, index) + 0.0;
        if (isnan(value))
            return 0;
        uint64_t bits;
        memcpy(&bits, &value, sizeof bits);
        return ~(bits >> 63 ? ~bits : bits | UINT64_C(1) << 63);
    }
    const pg_dtype_info *info = pg_dtype_get(tensor->dtype);
    uint64_t negative = UINT64_C(0) - (uint64_t)pg_tensor_get_i64(tensor, index);
    if (info->kind == PG_KIND_INT)
        return ~((uint64_t)((int64_t)(negative << (64 - info->bits)) >> (64 - info->bits)) ^ UINT64_C(1)
                                                                                                 << 63);
    return ~(info->bits < 64 ? negative & ((UINT64_C(1) << info->bits) - 1) : negative);
}

static int compare_ranked(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->key != y->key)
        return x->key > y->key ? -1 : 1;
    return x->index < y->index ? -1 : 1;
}

/* Moves the k first ones to the front, not sorted: a heap whose top is the last of them. */
static void sift_down(ranked *heap, size_t n, size_t i)
{
    for (;;) {
        size_t last = i, left = 2 * i + 1;
        for (size_t child = left; child < left + 2 && child < n; child++)
            if (compare_ranked(&heap[last], &heap[child]) < 0)
                last = child;
        if (last == i)
            return;
        ranked swapped = heap[i];
        heap[i] = heap[last];
        heap[last] = swapped;
        i = last;
    }
}

static void keep_first(ranked *items, size_t n, size_t k)
{
    for (size_t i = k / 2; i-- > 0;)
        sift_down(items, k, i);
    for (size_t i = k; i < n; i++)
        if (compare_ranked(&items[i], &items[0]) < 0) {
            items[0] = items[i];
            sift_down(items, k, 0);
        }
}

static void rank_rows(void *context, size_t begin, size_t end)
{
    const top_k_run *run = context;
    ranked *row = pg_calloc(run->length, sizeof *row);
    for (size_t r = begin; r < end; r++) {
        size_t outer = r / run->inner, offset = r % run->inner;
        for (size_t i = 0; i < run->length; i++)
            row[i] = (ranked){key_of(run->in, (outer * run->length + i) * run->inner + offset), (int64_t)i};
        if (run->k < run->length)
            keep_first(row, run->length, run->k);
        qsort(row, run->k, sizeof *row, compare_ranked);
        for (size_t i = 0; i < run->k; i++)
            run->out[(outer * run->k + i) * run->inner + offset] = row[i].index;
    }
    free(row);
}

static pg_status rank_tensor(const char *name, const pg_tensor *in, const pg_top_k *item, pg_tensor *out)
{
    int64_t axis = item->axis < 0 ? item->axis + in->rank : item->axis;
    pg_dtype_kind kind = pg_dtype_kind_of(in->dtype);
    if (kind == PG_KIND_STRING || kind == PG_KIND_COMPLEX || kind == PG_KIND_BOOL)
        return pg_err(PG_ERR_UNSUPPORTED, "top-%lld of output '%s' is not defined: its elements are %s",
                      (long long)item->k, name, pg_dtype_name(in->dtype));
    if (axis < 0 || axis >= in->rank)
        return pg_err(PG_ERR_INVALID, "top-%lld of output '%s': axis %lld is out of range for rank %d",
                      (long long)item->k, name, (long long)item->axis, in->rank);
    top_k_run run = {.in = in, .length = (size_t)in->dims[axis], .inner = 1};
    run.k = (size_t)PG_MIN((uint64_t)item->k, (uint64_t)run.length);
    int64_t dims[PG_MAX_RANK];
    memcpy(dims, in->dims, sizeof dims);
    dims[axis] = (int64_t)run.k;
    size_t rows = 1;
    for (int64_t i = 0; i < in->rank; i++) {
        rows *= i == axis ? 1 : (size_t)in->dims[i];
        run.inner *= i > axis ? (size_t)in->dims[i] : 1;
    }
    PG_TRY(pg_tensor_alloc(out, PG_I64, in->rank, dims));
    run.out = out->data;
    if (rows > 0 && run.k > 0)
        pg_parallel_for(rows, PG_MAX((size_t)1, 16384 / run.length), rank_rows, &run);
    return NULL;
}

static const pg_top_k *entry_for(const pg_top_k *items, size_t count, const char *name)
{
    const pg_top_k *own = NULL, *others = NULL;
    for (size_t i = 0; i < count; i++)
        if (pg_str_is(items[i].output, name))
            own = &items[i];
        else if (items[i].output.len == 0)
            others = &items[i];
    return own != NULL ? own : others;
}

pg_status pg_postprocess_top_k(pg_iteration *iteration, const pg_top_k *items, size_t count)
{
    for (size_t i = 0; i < iteration->outputs.count; i++) {
        pg_named_value *output = &iteration->outputs.items[i];
        const pg_top_k *item = entry_for(items, count, output->name);
        if (item == NULL || item->k == 0)
            continue;
        if (item->k < 0)
            return pg_err(PG_ERR_INVALID, "top-k of output '%s' needs a k above 0, found %lld", output->name,
                          (long long)item->k);
        if (output->value.kind != PG_VALUE_TENSOR)
            return pg_err(PG_ERR_UNSUPPORTED, "top-%lld of output '%s' is not defined: it is no tensor",
                          (long long)item->k, output->name);
        pg_tensor indices;
        PG_TRY(rank_tensor(output->name, &output->value.tensor, item, &indices));
        pg_value_deinit(&output->value);
        output->value = pg_value_of_tensor(indices);
    }
    return NULL;
}

#include "native/watch.h"

#include <math.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/map.h"
#include "base/vec.h"
#include "tensor/dtype_convert.h"

/* Largest magnitude that does not overflow (half a step above the largest finite value rounds to Inf), and
 * the largest that rounds to zero (half of the smallest subnormal, ties to even). */
typedef struct limits {
    const char *name;
    double overflow, underflow;
} limits;

static const limits types[PG_WATCH_TYPES] = {
    [PG_WATCH_F16] = {"fp16", 65520.0, 0x1p-25},        [PG_WATCH_BF16] = {"bf16", 0x1.ffp127, 0x1p-134},
    [PG_WATCH_F8E4M3FN] = {"fp8-e4m3", 464.0, 0x1p-10}, [PG_WATCH_F8E5M2] = {"fp8-e5m2", 61440.0, 0x1p-17},
    [PG_WATCH_INT8] = {"int8", INFINITY, 0.0},
};

const char *pg_watch_type_name(pg_watch_type type)
{
    return types[type].name;
}

bool pg_watch_type_parse(pg_str name, unsigned *out_bits)
{
    if (pg_str_is(name, "fp8")) {
        *out_bits = 1u << PG_WATCH_F8E4M3FN | 1u << PG_WATCH_F8E5M2;
        return true;
    }
    for (unsigned i = 0; i < PG_WATCH_TYPES; i++)
        if (pg_str_is(name, types[i].name)) {
            *out_bits = 1u << i;
            return true;
        }
    return false;
}

struct pg_watch {
    pg_observer observer;
    pg_arena arena; /* of the rows' texts */
    PG_VEC(pg_watch_row *) rows;
    pg_map by_tensor;
    const pg_watch_row *first_bad;
};

static void scan_f32(pg_watch_row *row, const float *values, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        double x = values[i], magnitude = fabs(x);
        if (!isfinite(x)) {
            row->n_nan += isnan(x) != 0;
            row->n_inf += isinf(x) != 0;
            continue;
        }
        row->min = x < row->min ? x : row->min;
        row->max = x > row->max ? x : row->max;
        if (magnitude == 0)
            continue;
        row->smallest = row->smallest == 0 || magnitude < row->smallest ? magnitude : row->smallest;
        for (unsigned t = 0; t < PG_WATCH_INT8; t++) {
            row->overflow[t] += magnitude >= types[t].overflow;
            row->underflow[t] += magnitude <= types[t].underflow;
        }
    }
}

/* int8 steps depend on the tensor's own largest magnitude. */
static void scan_int8(pg_watch_row *row, const float *values, uint64_t count)
{
    double half_step = fmax(fabs(row->min), fabs(row->max)) / 127 / 2;
    for (uint64_t i = 0; i < count; i++)
        row->underflow[PG_WATCH_INT8] += values[i] != 0 && fabs((double)values[i]) <= half_step;
}

/* `node` is NULL for a tensor that no node computes. */
static pg_watch_row *row_of(pg_watch *watch, const pg_node *node, pg_str tensor, pg_dtype dtype)
{
    pg_watch_row *row = pg_map_find(&watch->by_tensor, tensor);
    if (row != NULL)
        return row;
    row = PG_NEW(pg_watch_row);
    *row = (pg_watch_row){.tensor = pg_arena_str(&watch->arena, tensor), .dtype = dtype};
    if (node != NULL) {
        row->node = pg_arena_str(&watch->arena, node->name);
        row->op_type = pg_arena_str(&watch->arena, node->op_type);
    }
    PG_VEC_PUSH(&watch->rows, row);
    pg_map_put(&watch->by_tensor, row->tensor, row);
    return row;
}

static bool is_finite_tensor(const pg_value *value, bool *out)
{
    *out = true;
    if (value == NULL || value->kind != PG_VALUE_TENSOR || !pg_dtype_is_float(value->tensor.dtype))
        return true;
    pg_tensor wide;
    pg_status status = pg_tensor_cast(&value->tensor, PG_F32, NULL, &wide);
    if (status != NULL) {
        pg_status_drop(status);
        return false;
    }
    const float *values = wide.data;
    uint64_t count = pg_tensor_count(&wide);
    for (uint64_t i = 0; i < count && *out; i++)
        *out = isfinite(values[i]) != 0;
    pg_tensor_deinit(&wide);
    return true;
}

static bool has_finite_inputs(const pg_node *node, const pg_value *const *inputs)
{
    bool finite = true;
    for (size_t i = 0; i < node->n_inputs && finite; i++)
        if (!is_finite_tensor(inputs[i], &finite))
            return false;
    return finite;
}

static bool is_watched(const pg_value *value, pg_str name)
{
    return value != NULL && value->kind == PG_VALUE_TENSOR && pg_dtype_is_float(value->tensor.dtype) &&
           name.len > 0;
}

static pg_status scan(pg_watch_row *row, const pg_tensor *tensor)
{
    pg_tensor wide;
    PG_TRY(pg_tensor_cast(tensor, PG_F32, NULL, &wide));
    uint64_t count = pg_tensor_count(&wide);
    if (row->count == row->n_nan + row->n_inf) { /* no finite element yet */
        row->min = INFINITY;
        row->max = -INFINITY;
    }
    row->count += count;
    scan_f32(row, wide.data, count);
    if (row->min > row->max)
        row->min = row->max = 0;
    scan_int8(row, wide.data, count);
    pg_tensor_deinit(&wide);
    return NULL;
}

static pg_status see_node(void *context, const pg_node *node, const pg_value *const *inputs,
                          const pg_value *outputs, double seconds)
{
    pg_watch *watch = context;
    (void)seconds;
    for (size_t i = 0; i < node->n_inputs; i++)
        if (is_watched(inputs[i], node->inputs[i]) && !pg_map_has(&watch->by_tensor, node->inputs[i]))
            PG_TRY(scan(row_of(watch, NULL, node->inputs[i], inputs[i]->tensor.dtype), &inputs[i]->tensor));
    for (size_t i = 0; i < node->n_outputs; i++) {
        if (!is_watched(&outputs[i], node->outputs[i]))
            continue;
        pg_watch_row *row = row_of(watch, node, node->outputs[i], outputs[i].tensor.dtype);
        uint64_t bad = row->n_nan + row->n_inf;
        PG_TRY(scan(row, &outputs[i].tensor));
        if (watch->first_bad == NULL && row->n_nan + row->n_inf > bad && has_finite_inputs(node, inputs))
            watch->first_bad = row;
    }
    return NULL;
}

pg_watch *pg_watch_new(void)
{
    pg_watch *watch = PG_NEW(pg_watch);
    watch->observer = (pg_observer){watch, see_node};
    return watch;
}

void pg_watch_free(pg_watch *watch)
{
    if (watch == NULL)
        return;
    for (size_t i = 0; i < watch->rows.len; i++)
        free(watch->rows.items[i]);
    PG_VEC_FREE(&watch->rows);
    pg_map_deinit(&watch->by_tensor);
    pg_arena_deinit(&watch->arena);
    free(watch);
}

const pg_observer *pg_watch_observer(const pg_watch *watch)
{
    return &watch->observer;
}

const pg_watch_row *pg_watch_first_bad(const pg_watch *watch)
{
    return watch->first_bad;
}

size_t pg_watch_count(const pg_watch *watch)
{
    return watch->rows.len;
}

const pg_watch_row *pg_watch_row_at(const pg_watch *watch, size_t i)
{
    return watch->rows.items[i];
}

bool pg_watch_row_is_risky(const pg_watch_row *row, unsigned bits, double fraction)
{
    for (unsigned t = 0; t < PG_WATCH_TYPES; t++)
        if ((bits & 1u << t) != 0 &&
            (row->overflow[t] > 0 || (double)row->underflow[t] > fraction * (double)row->count))
            return true;
    return false;
}

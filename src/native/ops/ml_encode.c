/* Operators of ai.onnx.ml that look things up: labels, categories, dictionaries. */
#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/map.h"
#include "native/ops/ml.h"
#include "native/ops/move.h"
#include "tensor/dtype_convert.h"

/* ---- Dictionaries ---- */

/* From texts or numbers to elements of `values`. Numbers are looked up as int64, or as float64 with one NaN
 * and one zero. */
typedef struct dictionary {
    pg_arena arena;
    pg_map places; /* key -> position + 1 */
    pg_dtype key_type;
    pg_tensor values, otherwise; /* otherwise: one element, or none */
} dictionary;

static void dictionary_deinit(dictionary *d)
{
    pg_map_deinit(&d->places);
    pg_arena_deinit(&d->arena);
    pg_tensor_deinit(&d->values);
    pg_tensor_deinit(&d->otherwise);
}

typedef struct key {
    union {
        int64_t integer;
        double real;
    } number;
    pg_str text;
} key;

/* The key of an element as bytes; they may lie in *room. */
static pg_str make_key(const pg_tensor *t, uint64_t i, key *room)
{
    if (t->dtype == PG_STRING)
        return ((const pg_str *)t->data)[i];
    if (pg_dtype_is_float(t->dtype)) {
        const double v = pg_tensor_get_f64(t, i);
        room->number.real = isnan(v) ? (double)NAN : v == 0 ? 0 : v;
    } else {
        room->number.integer = pg_tensor_get_i64(t, i);
    }
    return (pg_str){(const char *)&room->number, sizeof room->number};
}

/* Takes over `keys`, `values` and `otherwise`. With a repeated key the last one counts if `last_counts`. */
static pg_status dictionary_init(const pg_op *op, dictionary *d, pg_tensor keys, pg_tensor values,
                                 pg_tensor otherwise, bool last_counts)
{
    d->key_type = keys.dtype;
    d->values = values;
    d->otherwise = otherwise;
    const uint64_t count = pg_tensor_count(&keys);
    pg_status status = NULL;
    if (keys.dtype == PG_UNDEFINED || values.dtype == PG_UNDEFINED)
        status = pg_op_err(op, PG_ERR_INVALID, "keys or values are missing");
    else if (count != pg_tensor_count(&values))
        status = pg_op_err(op, PG_ERR_INVALID, "there are %llu keys and %llu values",
                           (unsigned long long)count, (unsigned long long)pg_tensor_count(&values));
    for (uint64_t i = 0; i < count && status == NULL; i++) {
        key room;
        pg_str bytes = make_key(&keys, i, &room);
        if (pg_map_has(&d->places, bytes) && !last_counts)
            continue;
        pg_map_put(&d->places, pg_arena_str(&d->arena, bytes), (void *)(uintptr_t)(i + 1));
    }
    pg_tensor_deinit(&keys);
    return status;
}

static bool same_key_type(pg_dtype have, pg_dtype want)
{
    return have == want || (pg_dtype_is_float(have) && pg_dtype_is_float(want)) ||
           (pg_dtype_is_integer(have) && pg_dtype_is_integer(want));
}

static pg_status look_up(pg_op *op, const dictionary *d)
{
    const pg_tensor *x = pg_op_in(op, 0);
    const void *values, *otherwise;
    pg_move y;
    if (!same_key_type(x->dtype, d->key_type))
        return pg_op_bad_type(op, 0);
    PG_TRY(pg_move_in(op, &d->values, &values));
    PG_TRY(pg_move_in(op, &d->otherwise, &otherwise));
    PG_TRY(pg_move_out(op, 0, d->values.dtype, x->rank, x->dims, &y));
    for (uint64_t i = 0; i < y.count; i++) {
        key room;
        const uintptr_t place = (uintptr_t)pg_map_find(&d->places, make_key(x, i, &room));
        memcpy((char *)y.data + i * y.size,
               place > 0 ? (const char *)values + (place - 1) * y.size : (const char *)otherwise, y.size);
    }
    return pg_move_done(&y);
}

/* One element from the attribute of the values' type. */
static pg_status read_default(const pg_op *op, pg_dtype dtype, pg_tensor *out)
{
    pg_str text;
    float real;
    int64_t integer;
    PG_TRY(pg_op_attr_s(op, "default_string", "_Unused", &text));
    PG_TRY(pg_op_attr_f(op, "default_float", -0.0f, &real));
    PG_TRY(pg_op_attr_i(op, "default_int64", -1, &integer));
    PG_TRY(ml_attr_tensor(op, "default_tensor", out));
    if (out->dtype != PG_UNDEFINED) {
        if (out->dtype == dtype && pg_tensor_count(out) == 1)
            return NULL;
        pg_tensor_deinit(out);
        return pg_op_err(op, PG_ERR_INVALID, "'default_tensor' must have one element of the values' type");
    }
    if (dtype == PG_STRING)
        return pg_tensor_alloc_strings(out, 0, NULL, &text);
    PG_TRY(pg_tensor_alloc(out, dtype, 0, NULL));
    if (pg_dtype_is_float(dtype))
        pg_convert(PG_F32, &real, dtype, out->data, 1, NULL);
    else
        pg_convert(PG_I64, &integer, dtype, out->data, 1, NULL);
    return NULL;
}

/* ---- LabelEncoder of version 2 and later ---- */

/* The one list that is given of "<what>_strings", "<what>_int64s", "<what>_floats" and "<what>_tensor". */
static pg_status read_list(const pg_op *op, const char *what, pg_tensor *out)
{
    static const struct {
        const char *suffix;
        pg_attr_type type;
    } kinds[] = {{"strings", PG_ATTR_STRINGS}, {"int64s", PG_ATTR_INTS}, {"floats", PG_ATTR_FLOATS}};
    char name[32];
    *out = (pg_tensor){0};
    for (size_t i = 0; i < PG_COUNT(kinds); i++) {
        pg_tensor list;
        snprintf(name, sizeof name, "%s_%s", what, kinds[i].suffix);
        PG_TRY(ml_attr_list(op, name, kinds[i].type, &list));
        if (list.dtype == PG_UNDEFINED || (list.dims[0] == 0 && out->dtype != PG_UNDEFINED))
            continue;
        if (out->dtype != PG_UNDEFINED && pg_tensor_count(out) > 0)
            return pg_op_err(op, PG_ERR_INVALID, "more than one list of %s", what);
        *out = list;
    }
    snprintf(name, sizeof name, "%s_tensor", what);
    if (out->dtype == PG_UNDEFINED)
        return ml_attr_tensor(op, name, out);
    if (pg_node_attr(op->node, name) != NULL)
        return pg_op_err(op, PG_ERR_INVALID, "more than one list of %s", what);
    return NULL;
}

static bool can_be_looked_up(pg_dtype dtype)
{
    return dtype == PG_UNDEFINED || dtype == PG_STRING || pg_dtype_is_float(dtype) ||
           pg_dtype_is_integer(dtype);
}

static pg_status prepare_label_encoder(pg_op *op)
{
    pg_tensor keys, values, otherwise = {0};
    dictionary *d = PG_NEW(dictionary);
    op->state = d;
    PG_TRY(read_list(op, "keys", &keys));
    pg_status status = read_list(op, "values", &values);
    if (status == NULL && (!can_be_looked_up(keys.dtype) || !can_be_looked_up(values.dtype)))
        status = pg_op_err(op, PG_ERR_UNSUPPORTED, "keys or values are neither numbers nor texts");
    if (status == NULL && values.dtype != PG_UNDEFINED)
        status = read_default(op, values.dtype, &otherwise);
    if (status != NULL) {
        pg_tensor_deinit(&keys);
        pg_tensor_deinit(&values);
        return status;
    }
    return dictionary_init(op, d, keys, values, otherwise, op->opset >= 4);
}

static void release_label_encoder(void *state)
{
    dictionary_deinit(state);
    free(state);
}

static pg_status run_label_encoder(pg_op *op)
{
    PG_TRY(pg_op_need(op, 1));
    return look_up(op, op->state);
}

/* ---- CategoryMapper and the first LabelEncoder: texts and integers, both ways ---- */

typedef struct two_ways {
    dictionary to_number, to_text;
} two_ways;

static void release_two_ways(void *state)
{
    two_ways *both = state;
    dictionary_deinit(&both->to_number);
    dictionary_deinit(&both->to_text);
    free(both);
}

static pg_status prepare_two_ways(pg_op *op, pg_tensor texts, pg_tensor numbers)
{
    two_ways *both = op->state;
    pg_tensor no_number, no_text;
    PG_TRY(read_default(op, PG_I64, &no_number));
    PG_TRY(dictionary_init(op, &both->to_number, pg_tensor_share(&texts), pg_tensor_share(&numbers),
                           no_number, false));
    PG_TRY(read_default(op, PG_STRING, &no_text));
    return dictionary_init(op, &both->to_text, pg_tensor_share(&numbers), pg_tensor_share(&texts), no_text,
                           false);
}

static pg_status prepare_category_mapper(pg_op *op)
{
    pg_tensor texts, numbers;
    op->state = PG_NEW(two_ways);
    PG_TRY(ml_attr_list(op, "cats_strings", PG_ATTR_STRINGS, &texts));
    PG_TRY(ml_attr_list(op, "cats_int64s", PG_ATTR_INTS, &numbers));
    return prepare_two_ways(op, texts, numbers);
}

static pg_status prepare_classes(pg_op *op)
{
    pg_tensor texts, numbers;
    op->state = PG_NEW(two_ways);
    PG_TRY(ml_attr_list(op, "classes_strings", PG_ATTR_STRINGS, &texts));
    const int64_t count = texts.dtype != PG_UNDEFINED ? texts.dims[0] : 0;
    PG_TRY(pg_tensor_alloc(&numbers, PG_I64, 1, &count));
    for (int64_t i = 0; i < count; i++)
        ((int64_t *)numbers.data)[i] = i;
    pg_status status = prepare_two_ways(op, texts, numbers);
    pg_tensor_deinit(&numbers);
    return status;
}

static pg_status run_two_ways(pg_op *op)
{
    PG_TRY(pg_op_need(op, 1));
    const two_ways *both = op->state;
    return look_up(op, pg_op_in(op, 0)->dtype == PG_STRING ? &both->to_number : &both->to_text);
}

/* ---- OneHotEncoder ---- */

static pg_status prepare_one_hot(pg_op *op)
{
    pg_tensor keys, numbers, positions;
    dictionary *d = PG_NEW(dictionary);
    op->state = d;
    PG_TRY(ml_attr_list(op, "cats_strings", PG_ATTR_STRINGS, &keys));
    PG_TRY(ml_attr_list(op, "cats_int64s", PG_ATTR_INTS, &numbers));
    if (keys.dtype == PG_UNDEFINED || keys.dims[0] == 0)
        keys = numbers;
    const int64_t count = keys.dtype != PG_UNDEFINED ? keys.dims[0] : 0;
    PG_TRY(pg_tensor_alloc(&positions, PG_I64, 1, &count));
    return dictionary_init(op, d, keys, positions, (pg_tensor){0}, false);
}

/* Real numbers are cut toward zero; what no int64 can hold is no category. */
static uintptr_t find_category(const dictionary *d, const pg_tensor *x, uint64_t i)
{
    key room;
    if (!pg_dtype_is_float(x->dtype))
        return (uintptr_t)pg_map_find(&d->places, make_key(x, i, &room));
    const double v = trunc(pg_tensor_get_f64(x, i));
    if (!(v >= -0x1p63 && v < 0x1p63))
        return 0;
    room.number.integer = (int64_t)v;
    return (uintptr_t)pg_map_find(&d->places, (pg_str){(const char *)&room.number, sizeof room.number});
}

static pg_status run_one_hot(pg_op *op)
{
    PG_TRY(pg_op_need(op, 1));
    const dictionary *d = op->state;
    const pg_tensor *x = pg_op_in(op, 0);
    int64_t zeros, dims[PG_MAX_RANK];
    nn_result y;
    if ((x->dtype == PG_STRING) != (d->key_type == PG_STRING) || !can_be_looked_up(x->dtype))
        return pg_op_bad_type(op, 0);
    if (x->rank + 1 > PG_MAX_RANK)
        return pg_op_err(op, PG_ERR_LIMIT, "the result's rank is too high");
    PG_TRY(pg_op_attr_i(op, "zeros", 1, &zeros));
    memcpy(dims, x->dims, x->rank * sizeof *dims);
    dims[x->rank] = d->values.dims[0];
    PG_TRY(nn_f64_out(op, 0, ml_float(op), x->rank + 1u, dims, &y));
    memset(y.values, 0, pg_tensor_count(y.tensor) * sizeof *y.values);
    for (uint64_t i = 0, n = pg_tensor_count(x); i < n; i++) {
        const uintptr_t place = find_category(d, x, i);
        if (place > 0)
            y.values[i * (uint64_t)dims[x->rank] + place - 1] = 1;
        else if (zeros == 0)
            return pg_op_err(op, PG_ERR_INVALID, "element %llu is no known category and 'zeros' is off",
                             (unsigned long long)i);
    }
    nn_f64_done(&y);
    return NULL;
}

#define ML "ai.onnx.ml"
const pg_kernel pg_kernels_ml_encode[] = {
    {ML, "LabelEncoder", 1, 1, run_two_ways, prepare_classes, release_two_ways, 0},
    {ML, "LabelEncoder", 2, 0, run_label_encoder, prepare_label_encoder, release_label_encoder, 0},
    {ML, "CategoryMapper", 1, 0, run_two_ways, prepare_category_mapper, release_two_ways, 0},
    {ML, "OneHotEncoder", 1, 0, run_one_hot, prepare_one_hot, release_label_encoder, 0},
    {0},
};

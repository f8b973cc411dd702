/* Operators of ai.onnx.ml on maps: CastMap, DictVectorizer, ZipMap. */
#include <math.h>
#include <stdlib.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/map.h"
#include "base/vec.h"
#include "native/ops/ml.h"
#include "native/ops/move.h"

/* A map whose values are tensors of one element, all of one type. */
static pg_status need_map(const pg_op *op, const pg_value **out)
{
    const pg_value *map = pg_op_in_value(op, 0);
    if (map == NULL || map->kind != PG_VALUE_MAP)
        return pg_op_err(op, PG_ERR_INVALID, "input 0 must be a map");
    for (size_t i = 0; i < map->map.count; i++) {
        const pg_value *item = &map->map.items[i];
        if (item->kind != PG_VALUE_TENSOR || pg_tensor_count(&item->tensor) != 1 ||
            item->tensor.dtype != map->map.items[0].tensor.dtype)
            return pg_op_err(op, PG_ERR_INVALID,
                             "the map's values must be single numbers or texts of one type");
    }
    *out = map;
    return NULL;
}

/* ---- CastMap ---- */

enum { TO_FLOAT, TO_STRING, TO_INT64 };

typedef struct keyed {
    int64_t key;
    size_t index;
} keyed;

static int by_key(const void *a, const void *b)
{
    const int64_t x = ((const keyed *)a)->key, y = ((const keyed *)b)->key;
    return (x > y) - (x < y);
}

/* Where each value goes: by ascending keys, or to the place that the key names. */
static pg_status cast_places(pg_op *op, const pg_value *map, bool sparse, int64_t length, int64_t *places)
{
    const int64_t *keys = map->map.keys->data;
    const size_t n = map->map.count;
    void *memory;
    PG_TRY(pg_op_scratch(op, n * sizeof(keyed) + 1, &memory));
    keyed *order = memory;
    for (size_t i = 0; i < n; i++) {
        if (sparse && (keys[i] < 0 || keys[i] >= length))
            return pg_op_err(op, PG_ERR_INVALID, "key %lld is outside [0, %lld)", (long long)keys[i],
                             (long long)length);
        places[i] = keys[i];
        order[i] = (keyed){keys[i], i};
    }
    if (!sparse)
        qsort(order, n, sizeof *order, by_key);
    for (size_t i = 0; i < n && !sparse; i++)
        places[order[i].index] = (int64_t)i;
    return NULL;
}

/* A value as text: numbers in the shortest form that reads back as the same float32, integers as they are. */
static pg_str value_text(const pg_tensor *t, pg_arena *arena)
{
    if (t->dtype == PG_STRING)
        return *(const pg_str *)t->data;
    const double v = pg_tensor_get_f64(t, 0);
    char text[64];
    for (int digits = 1; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtof(text, NULL) == (float)v)
            break;
    }
    return pg_arena_str(arena, pg_str_c(text));
}

static pg_status value_number(const pg_op *op, const pg_tensor *t, double *out)
{
    if (t->dtype != PG_STRING)
        *out = pg_tensor_get_f64(t, 0);
    else if (!pg_str_to_f64(*(const pg_str *)t->data, out))
        return pg_op_err(op, PG_ERR_INVALID, "'%" PG_STR_FMT "' is not a number",
                         PG_STR_ARG(*(const pg_str *)t->data));
    return NULL;
}

static pg_status cast_to_numbers(pg_op *op, const pg_value *map, const int64_t *places, const int64_t *dims,
                                 bool integers)
{
    nn_result y;
    PG_TRY(nn_f64_out(op, 0, integers ? PG_I64 : ml_float(op), 2, dims, &y));
    memset(y.values, 0, (size_t)dims[1] * sizeof *y.values);
    for (size_t i = 0; i < map->map.count; i++)
        PG_TRY(value_number(op, &map->map.items[i].tensor, &y.values[places[i]]));
    nn_f64_done(&y);
    return NULL;
}

static pg_status cast_to_texts(pg_op *op, const pg_value *map, const int64_t *places, const int64_t *dims)
{
    pg_arena arena = {0};
    pg_tensor tensor = {0};
    pg_str *texts = PG_ARENA_ARRAY(&arena, pg_str, (size_t)dims[1] + 1);
    for (size_t i = 0; i < map->map.count; i++)
        texts[places[i]] = value_text(&map->map.items[i].tensor, &arena);
    pg_status status = pg_tensor_alloc_strings(&tensor, 2, dims, texts);
    pg_arena_deinit(&arena);
    if (status == NULL)
        pg_op_out_value(op, 0, pg_value_of_tensor(tensor));
    return status;
}

static pg_status run_cast_map(pg_op *op)
{
    static const char *const forms[] = {"DENSE", "SPARSE"}, *const types[] = {"TO_FLOAT", "TO_STRING",
                                                                              "TO_INT64"};
    const pg_value *map;
    size_t form, type;
    int64_t length;
    void *memory;
    PG_TRY(need_map(op, &map));
    PG_TRY(ml_attr_choice(op, "map_form", "DENSE", forms, PG_COUNT(forms), &form));
    PG_TRY(ml_attr_choice(op, "cast_to", "TO_FLOAT", types, PG_COUNT(types), &type));
    PG_TRY(pg_op_attr_i(op, "max_map", 1, &length));
    if (map->map.keys->dtype != PG_I64 && map->map.count > 0)
        return pg_op_err(op, PG_ERR_INVALID, "the map's keys must be int64");
    if (form == 1 && (length < 1 || length > INT32_MAX))
        return pg_op_err(op, PG_ERR_INVALID, "max_map is %lld", (long long)length);
    const int64_t dims[2] = {1, form == 1 ? length : (int64_t)map->map.count};
    PG_TRY(pg_op_scratch(op, map->map.count * sizeof(int64_t) + 1, &memory));
    PG_TRY(cast_places(op, map, form == 1, length, memory));
    if (type == TO_STRING)
        return cast_to_texts(op, map, memory, dims);
    return cast_to_numbers(op, map, memory, dims, type == TO_INT64);
}

/* ---- DictVectorizer ---- */

static pg_status run_dict_vectorizer(pg_op *op)
{
    const pg_value *map;
    pg_tensor words, numbers;
    PG_TRY(need_map(op, &map));
    PG_TRY(ml_attr_list(op, "string_vocabulary", PG_ATTR_STRINGS, &words));
    PG_TRY(ml_attr_list(op, "int64_vocabulary", PG_ATTR_INTS, &numbers));
    const pg_tensor *vocabulary = words.dtype != PG_UNDEFINED ? &words : &numbers, *keys = map->map.keys;
    if (vocabulary->dtype == PG_UNDEFINED || (map->map.count > 0 && keys->dtype != vocabulary->dtype))
        return pg_op_err(op, PG_ERR_INVALID, "the map's keys have not the vocabulary's type");
    const pg_dtype dtype = map->map.count > 0 ? map->map.items[0].tensor.dtype : map->elem;
    const int64_t dims[2] = {1, vocabulary->dims[0]};
    pg_move y;
    pg_map places = {0};
    PG_TRY(pg_move_out(op, 0, dtype == PG_UNDEFINED ? PG_F32 : dtype, 2, dims, &y));
    memset(y.data, 0, y.count * y.size);
    for (size_t i = 0; i < map->map.count; i++) {
        pg_str key = keys->dtype == PG_STRING ? ((const pg_str *)keys->data)[i]
                                              : (pg_str){(const char *)keys->data + 8 * i, 8};
        pg_map_put(&places, key, map->map.items[i].tensor.data);
    }
    for (uint64_t i = 0; i < y.count; i++) {
        pg_str key = vocabulary->dtype == PG_STRING ? ((const pg_str *)vocabulary->data)[i]
                                                    : (pg_str){(const char *)vocabulary->data + 8 * i, 8};
        const void *value = pg_map_find(&places, key);
        if (value != NULL)
            memcpy((char *)y.data + i * y.size, value, y.size);
    }
    pg_map_deinit(&places);
    return pg_move_done(&y);
}

/* ---- ZipMap ---- */

static pg_status zip_row(const pg_tensor *x, const pg_tensor *keys, size_t row, pg_value *out)
{
    const size_t n = (size_t)keys->dims[0];
    const char *from = (const char *)x->data + row * n * pg_move_size(x->dtype);
    *out = (pg_value){.kind = PG_VALUE_MAP, .elem = x->dtype};
    out->map.keys = PG_NEW(pg_tensor);
    *out->map.keys = pg_tensor_share(keys);
    out->map.items = pg_calloc(PG_MAX(n, (size_t)1), sizeof *out->map.items);
    for (size_t i = 0; i < n; i++) {
        pg_tensor element;
        PG_TRY(pg_tensor_alloc(&element, x->dtype, 0, NULL));
        memcpy(element.data, from + i * pg_move_size(x->dtype), pg_move_size(x->dtype));
        out->map.items[i] = pg_value_of_tensor(element);
        out->map.count++;
    }
    return NULL;
}

/* The labels as a tensor of their own: the maps may outlive the model. */
static pg_status zip_keys(const pg_op *op, pg_tensor *out)
{
    ml_labels labels;
    PG_TRY(ml_attr_labels(op, "classlabels_int64s", "classlabels_strings", &labels));
    if (labels.count == 0)
        return pg_op_err(op, PG_ERR_INVALID, "class labels are missing");
    const int64_t count = (int64_t)labels.count;
    if (labels.texts != NULL)
        return pg_tensor_alloc_strings(out, 1, &count, labels.texts);
    PG_TRY(pg_tensor_alloc(out, PG_I64, 1, &count));
    memcpy(out->data, labels.numbers, labels.count * sizeof(int64_t));
    return NULL;
}

static pg_status run_zip_map(pg_op *op)
{
    PG_TRY(pg_op_need(op, 1));
    const pg_tensor *x = pg_op_in(op, 0);
    pg_tensor keys;
    if (!nn_is_float(x->dtype))
        return pg_op_bad_type(op, 0);
    PG_TRY(zip_keys(op, &keys));
    if ((x->rank != 1 && x->rank != 2) || x->dims[x->rank - 1] != keys.dims[0]) {
        const long long count = (long long)keys.dims[0];
        pg_tensor_deinit(&keys);
        return pg_op_err(op, PG_ERR_INVALID, "the input must have shape [%lld] or [N, %lld]", count, count);
    }
    const size_t rows = x->rank == 1 ? 1 : (size_t)x->dims[0];
    pg_value sequence = {.kind = PG_VALUE_SEQUENCE};
    sequence.sequence.items = pg_calloc(PG_MAX(rows, (size_t)1), sizeof *sequence.sequence.items);
    pg_status status = NULL;
    for (size_t r = 0; r < rows && status == NULL; r++) {
        status = zip_row(x, &keys, r, &sequence.sequence.items[r]);
        sequence.sequence.count++;
    }
    pg_tensor_deinit(&keys);
    if (status == NULL)
        pg_op_out_value(op, 0, sequence);
    else
        pg_value_deinit(&sequence);
    return status;
}

#define ML "ai.onnx.ml"
const pg_kernel pg_kernels_ml_maps[] = {
    {ML, "CastMap", 1, 0, run_cast_map, NULL, NULL, 0},
    {ML, "DictVectorizer", 1, 0, run_dict_vectorizer, NULL, NULL, 0},
    {ML, "ZipMap", 1, 0, run_zip_map, NULL, NULL, 0},
    {0},
};

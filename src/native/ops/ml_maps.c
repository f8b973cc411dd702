/* Operators of ai.onnx.ml on maps: CastMap, DictVectorizer, ZipMap. */
#include <stdlib.h>

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

/* A value as text: real numbers with six decimals. */
static pg_str value_text(const pg_tensor *t, pg_arena *arena)
{
    if (t->dtype == PG_STRING)
        return *(const pg_str *)t->data;
    if (pg_dtype_is_float(t->dtype))
        return pg_str_c(pg_arena_printf(arena, "%f", pg_tensor_get_f64(t, 0)));
    return pg_str_c(pg_arena_printf(arena, "%lld", (long long)pg_tensor_get_i64(t, 0)));
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
    if (form == 1 && (length < 1 || length > ML_MOST_COLUMNS))
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

/* Labels in ascending order, so that equal maps are written equally, and the column that each stands for. */
typedef struct zip_keys {
    pg_tensor keys;
    size_t *columns;
} zip_keys;

static int by_column_label(const void *a, const void *b, void *context)
{
    const ml_labels *labels = context;
    const size_t x = *(const size_t *)a, y = *(const size_t *)b;
    if (labels->texts != NULL)
        return pg_str_cmp(labels->texts[x], labels->texts[y]);
    return (labels->numbers[x] > labels->numbers[y]) - (labels->numbers[x] < labels->numbers[y]);
}

/* The labels become a tensor of their own: the maps may outlive the model. */
static pg_status read_zip_keys(pg_op *op, zip_keys *out)
{
    ml_labels labels;
    void *memory;
    PG_TRY(ml_attr_labels(op, "classlabels_int64s", "classlabels_strings", &labels));
    const int64_t count = (int64_t)labels.count;
    if (count == 0)
        return pg_op_err(op, PG_ERR_INVALID, "class labels are missing");
    PG_TRY(pg_op_scratch(op, labels.count * sizeof(size_t), &memory));
    out->columns = memory;
    for (size_t i = 0; i < labels.count; i++)
        out->columns[i] = i;
    qsort_r(out->columns, labels.count, sizeof(size_t), by_column_label, &labels);
    if (labels.texts == NULL) {
        PG_TRY(pg_tensor_alloc(&out->keys, PG_I64, 1, &count));
        for (size_t i = 0; i < labels.count; i++)
            ((int64_t *)out->keys.data)[i] = labels.numbers[out->columns[i]];
        return NULL;
    }
    PG_TRY(pg_op_scratch(op, labels.count * sizeof(pg_str), &memory));
    pg_str *texts = memory;
    for (size_t i = 0; i < labels.count; i++)
        texts[i] = labels.texts[out->columns[i]];
    return pg_tensor_alloc_strings(&out->keys, 1, &count, texts);
}

static pg_status zip_row(const pg_tensor *x, const zip_keys *keys, size_t row, pg_value *out)
{
    const size_t n = (size_t)keys->keys.dims[0], size = pg_move_size(x->dtype);
    *out = (pg_value){.kind = PG_VALUE_MAP, .elem = x->dtype};
    out->map.keys = PG_NEW(pg_tensor);
    *out->map.keys = pg_tensor_share(&keys->keys);
    out->map.items = pg_calloc(n, sizeof *out->map.items);
    for (size_t i = 0; i < n; i++) {
        pg_tensor element;
        PG_TRY(pg_tensor_alloc(&element, x->dtype, 0, NULL));
        memcpy(element.data, (const char *)x->data + (row * n + keys->columns[i]) * size, size);
        out->map.items[i] = pg_value_of_tensor(element);
        out->map.count++;
    }
    return NULL;
}

static pg_status zip_rows(pg_op *op, const zip_keys *keys)
{
    const pg_tensor *x = pg_op_in(op, 0);
    const long long n = (long long)keys->keys.dims[0];
    if ((x->rank != 1 && x->rank != 2) || x->dims[x->rank - 1] != n)
        return pg_op_err(op, PG_ERR_INVALID, "the input must have shape [%lld] or [N, %lld]", n, n);
    const size_t rows = x->rank == 1 ? 1 : (size_t)x->dims[0];
    pg_value sequence = {.kind = PG_VALUE_SEQUENCE};
    sequence.sequence.items = pg_calloc(PG_MAX(rows, (size_t)1), sizeof *sequence.sequence.items);
    for (size_t r = 0; r < rows; r++) {
        pg_status status = zip_row(x, keys, r, &sequence.sequence.items[r]);
        sequence.sequence.count++;
        if (status != NULL) {
            pg_value_deinit(&sequence);
            return status;
        }
    }
    pg_op_out_value(op, 0, sequence);
    return NULL;
}

static pg_status run_zip_map(pg_op *op)
{
    PG_TRY(pg_op_need(op, 1));
    zip_keys keys = {0};
    if (!nn_is_float(pg_op_in(op, 0)->dtype))
        return pg_op_bad_type(op, 0);
    PG_TRY(read_zip_keys(op, &keys));
    pg_status status = zip_rows(op, &keys);
    pg_tensor_deinit(&keys.keys);
    return status;
}

#define ML "ai.onnx.ml"
const pg_kernel pg_kernels_ml_maps[] = {
    {ML, "CastMap", 1, 0, run_cast_map, NULL, NULL, 0},
    {ML, "DictVectorizer", 1, 0, run_dict_vectorizer, NULL, NULL, 0},
    {ML, "ZipMap", 1, 0, run_zip_map, NULL, NULL, 0},
    {0},
};

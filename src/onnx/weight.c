#include <limits.h>

#include "base/alloc.h"
#include "onnx/internal.h"

/* Where a TensorProto's typed lists keep each element type, how wide a value is there, and how many bytes of
 * it are kept. */
typedef struct typed_row {
    uint8_t field;
    uint8_t kind;  /* pg_wire_kind */
    uint8_t width; /* bytes of memory per stored value */
} typed_row;

static const typed_row typed_rows[PG_DTYPE_COUNT] = {
    [PG_F32] = {PG_PB_TENSOR_FLOATS, PG_WIRE_FIXED32, 4},
    [PG_C64] = {PG_PB_TENSOR_FLOATS, PG_WIRE_FIXED32, 4},
    [PG_F64] = {PG_PB_TENSOR_DOUBLES, PG_WIRE_FIXED64, 8},
    [PG_C128] = {PG_PB_TENSOR_DOUBLES, PG_WIRE_FIXED64, 8},
    [PG_I64] = {PG_PB_TENSOR_INT64S, PG_WIRE_VARINT, 8},
    [PG_U64] = {PG_PB_TENSOR_UINT64S, PG_WIRE_VARINT, 8},
    [PG_U32] = {PG_PB_TENSOR_UINT64S, PG_WIRE_VARINT, 4},
    [PG_I32] = {PG_PB_TENSOR_INT32S, PG_WIRE_VARINT, 4},
    [PG_I16] = {PG_PB_TENSOR_INT32S, PG_WIRE_VARINT, 2},
    [PG_U16] = {PG_PB_TENSOR_INT32S, PG_WIRE_VARINT, 2},
    [PG_F16] = {PG_PB_TENSOR_INT32S, PG_WIRE_VARINT, 2},
    [PG_BF16] = {PG_PB_TENSOR_INT32S, PG_WIRE_VARINT, 2},
    [PG_I8] = {PG_PB_TENSOR_INT32S, PG_WIRE_VARINT, 1},
    [PG_U8] = {PG_PB_TENSOR_INT32S, PG_WIRE_VARINT, 1},
    [PG_BOOL] = {PG_PB_TENSOR_INT32S, PG_WIRE_VARINT, 1},
    [PG_F8E4M3FN] = {PG_PB_TENSOR_INT32S, PG_WIRE_VARINT, 1},
    [PG_F8E4M3FNUZ] = {PG_PB_TENSOR_INT32S, PG_WIRE_VARINT, 1},
    [PG_F8E5M2] = {PG_PB_TENSOR_INT32S, PG_WIRE_VARINT, 1},
    [PG_F8E5M2FNUZ] = {PG_PB_TENSOR_INT32S, PG_WIRE_VARINT, 1},
    [PG_F8E8M0] = {PG_PB_TENSOR_INT32S, PG_WIRE_VARINT, 1},
    /* Several elements share a stored value; its low byte is the packed byte. */
    [PG_U4] = {PG_PB_TENSOR_INT32S, PG_WIRE_VARINT, 1},
    [PG_I4] = {PG_PB_TENSOR_INT32S, PG_WIRE_VARINT, 1},
    [PG_F4E2M1] = {PG_PB_TENSOR_INT32S, PG_WIRE_VARINT, 1},
    [PG_U2] = {PG_PB_TENSOR_INT32S, PG_WIRE_VARINT, 1},
    [PG_I2] = {PG_PB_TENSOR_INT32S, PG_WIRE_VARINT, 1},
};

bool pg_weight_bytes(const pg_weight *weight, uint64_t *out)
{
    uint64_t count;
    return pg_dims_count(weight->rank, weight->dims, &count) && pg_dtype_bytes(weight->dtype, count, out);
}

static pg_status size_error(const pg_weight *weight, uint64_t found, uint64_t need, const char *unit)
{
    pg_buf shape = {0};
    pg_shape_text(&shape, PG_MIN(weight->rank, (uint32_t)PG_MAX_RANK), weight->dims);
    pg_status status =
        pg_err(PG_ERR_INVALID, "weight '%" PG_STR_FMT "' holds %llu %s, its type %s and shape %s need %llu",
               PG_STR_ARG(weight->name), (unsigned long long)found, unit,
               pg_dtype_get(weight->dtype)->onnx_name, pg_buf_cstr(&shape), (unsigned long long)need);
    pg_buf_deinit(&shape);
    return status;
}

static pg_status load_bytes(const pg_weight *weight, pg_str bytes, pg_tensor *out)
{
    uint64_t need;
    if (weight->dtype == PG_STRING)
        return pg_err(PG_ERR_INVALID,
                      "weight '%" PG_STR_FMT "' holds strings as raw bytes, which has no meaning",
                      PG_STR_ARG(weight->name));
    PG_TRY(pg_tensor_borrow(out, weight->dtype, weight->rank, weight->dims, bytes.ptr));
    need = pg_tensor_bytes(out);
    if (bytes.len != need) {
        *out = (pg_tensor){0};
        return size_error(weight, bytes.len, need, "bytes");
    }
    return NULL;
}

static pg_status load_strings(const pg_weight *weight, pg_tensor *out)
{
    pg_wire_source source = {weight->wire->span.ptr, weight->wire->span.len};
    pg_wire_cursor cursor = pg_wire_open_message(source, weight->wire);
    PG_VEC(pg_str) texts = {0};
    for (pg_wire_field field; pg_wire_next(&cursor, &field);)
        if (field.number == PG_PB_TENSOR_STRINGS && field.kind == PG_WIRE_BYTES)
            PG_VEC_PUSH(&texts, field.bytes);
    pg_status status = cursor.status;
    uint64_t count;
    if (status == NULL && !pg_dims_count(weight->rank, weight->dims, &count))
        status = pg_err(PG_ERR_INVALID, "its shape is not valid");
    if (status == NULL && count != texts.len)
        status = size_error(weight, texts.len, count, "strings");
    if (status == NULL)
        status = pg_tensor_alloc_strings(out, weight->rank, weight->dims, texts.items);
    PG_VEC_FREE(&texts);
    return status;
}

static pg_status load_typed(const pg_weight *weight, pg_tensor *out)
{
    const typed_row *row = &typed_rows[weight->dtype];
    pg_wire_source source = {weight->wire->span.ptr, weight->wire->span.len};
    uint64_t count, found, bytes;
    PG_ASSERT(row->field != 0);
    PG_TRY(pg_wire_count_numbers(source, weight->wire, row->field, (pg_wire_kind)row->kind, &found));
    if (!pg_weight_bytes(weight, &bytes))
        return pg_err(PG_ERR_INVALID, "its shape is not valid");
    count = bytes / row->width;
    if (count != found)
        return size_error(weight, found, count, "values");
    PG_TRY(pg_tensor_alloc(out, weight->dtype, weight->rank, weight->dims));
    pg_status status = pg_wire_read_numbers(source, weight->wire, row->field, (pg_wire_kind)row->kind,
                                            row->width, out->data, count);
    if (status != NULL)
        pg_tensor_deinit(out);
    return status;
}

static pg_status load(const pg_model *model, const pg_weight *weight, pg_tensor *out)
{
    pg_str bytes;
    if (weight->dtype == PG_UNDEFINED)
        return pg_err(PG_ERR_UNSUPPORTED, "its element type has the unknown number %d", weight->data_type);
    switch (weight->storage) {
    case PG_STORED_RAW:
        return load_bytes(weight, weight->raw, out);
    case PG_STORED_EXTERNAL:
        if (model == NULL)
            return pg_err(PG_ERR_INVALID, "its elements are in another file");
        PG_TRY(pg_weight_external_bytes(model, weight, &bytes));
        return load_bytes(weight, bytes, out);
    case PG_STORED_TYPED:
        break;
    }
    return weight->dtype == PG_STRING ? load_strings(weight, out) : load_typed(weight, out);
}

pg_status pg_weight_view(const pg_model *model, const pg_weight *weight, pg_tensor *out)
{
    *out = (pg_tensor){0};
    return pg_status_context(load(model, weight, out), "while loading weight '%" PG_STR_FMT "'",
                             PG_STR_ARG(weight->name));
}

pg_status pg_weight_align(const pg_model *model, pg_tensor *tensor)
{
    const pg_dtype_info *info = pg_dtype_get(tensor->dtype);
    unsigned alignment = info->bits / CHAR_BIT / (info->kind == PG_KIND_COMPLEX ? 2 : 1);
    if (tensor->buffer != NULL || alignment <= 1 || (uintptr_t)tensor->data % alignment == 0)
        return NULL;
    pg_tensor aligned;
    PG_TRY(pg_tensor_copy(&aligned, tensor));
    pg_model_forget(model, tensor->data, pg_tensor_bytes(tensor));
    *tensor = aligned;
    return NULL;
}

pg_status pg_weight_load(const pg_model *model, const pg_weight *weight, pg_tensor *out)
{
    PG_TRY(pg_weight_view(model, weight, out));
    return pg_status_context(pg_weight_align(model, out), "while loading weight '%" PG_STR_FMT "'",
                             PG_STR_ARG(weight->name));
}

bool pg_graph_has_weight(const pg_graph *graph, pg_str name)
{
    for (size_t i = 0; i < graph->n_weights; i++)
        if (pg_str_eq(graph->weights[i].name, name))
            return true;
    for (size_t i = 0; i < graph->n_sparse_weights; i++)
        if (pg_str_eq(graph->sparse_weights[i].values.name, name))
            return true;
    return false;
}

void pg_model_forget(const pg_model *model, const void *bytes, uint64_t size)
{
    for (; model != NULL; model = model->base) {
        pg_file_map_forget(&model->map, bytes, size);
        const pg_file_map *external =
            model->external != NULL ? pg_external_find_map(model->external, bytes) : NULL;
        if (external != NULL)
            pg_file_map_forget(external, bytes, size);
    }
}

/* Stand-alone TensorProto files */

pg_status pg_tensor_parse_pb(const void *bytes, uint64_t size, const char *name, pg_tensor *out,
                             char **out_name)
{
    pg_arena arena = {0};
    pg_parser parser = {.arena = &arena, .source = {bytes, size}};
    pg_wire_field field = {.bytes = {bytes, size}};
    pg_weight weight = {0};
    *out = (pg_tensor){0};
    if (out_name != NULL)
        *out_name = NULL;
    pg_status status = pg_parse_weight(&parser, &field, &weight);
    if (status == NULL)
        status = load(NULL, &weight, out);
    if (status == NULL)
        status = pg_weight_align(NULL, out);
    if (status == NULL && out_name != NULL)
        *out_name = pg_strndup(weight.name.ptr, weight.name.len);
    pg_arena_deinit(&arena);
    return pg_status_context(status, "while reading the tensor '%s'", name);
}

void pg_tensor_write_pb(const pg_tensor *tensor, pg_str name, pg_buf *out)
{
    PG_ASSERT(tensor->layout == PG_ROW_MAJOR);
    for (size_t i = 0; i < tensor->rank; i++)
        pg_wire_put_int(out, PG_PB_TENSOR_DIMS, tensor->dims[i]);
    pg_wire_put_int(out, PG_PB_TENSOR_DATA_TYPE, tensor->dtype);
    if (tensor->dtype == PG_STRING) {
        const pg_str *texts = tensor->data;
        for (uint64_t i = 0; i < pg_tensor_count(tensor); i++)
            pg_wire_put_bytes(out, PG_PB_TENSOR_STRINGS, texts[i].ptr, texts[i].len);
    }
    if (name.len > 0)
        pg_wire_put_bytes(out, PG_PB_TENSOR_NAME, name.ptr, name.len);
    if (tensor->dtype != PG_STRING)
        pg_wire_put_bytes(out, PG_PB_TENSOR_RAW, tensor->data, pg_tensor_bytes(tensor));
}

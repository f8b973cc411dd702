/* Values into the runtime and back. */
#include "runner/onnxrt/internal.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/alloc.h"

/* ---- In ---- */

/* The runtime wants an address even where there are no elements. */
static char no_elements[PG_TENSOR_ALIGNMENT];

static pg_status strings_from(const pg_ort *ort, const pg_tensor *tensor, ort_value **out)
{
    ORT_TRY(ort,
            ort->api.create_tensor(ort->allocator, tensor->dims, tensor->rank, pg_ort_elem(PG_STRING), out));
    const pg_str *texts = tensor->data;
    uint64_t count = pg_tensor_count(tensor);
    for (uint64_t i = 0; i < count; i++) {
        char *room = NULL;
        ORT_TRY(ort, ort->api.string_buffer(*out, i, texts[i].len, &room));
        if (texts[i].len > 0)
            memcpy(room, texts[i].ptr, texts[i].len);
    }
    return NULL;
}

static pg_status tensor_from(const pg_ort *ort, const pg_tensor *tensor, ort_value **out)
{
    PG_ASSERT(tensor->layout == PG_ROW_MAJOR);
    if (tensor->dtype == PG_STRING)
        return strings_from(ort, tensor, out);
    void *data = tensor->data != NULL ? tensor->data : no_elements;
    return pg_ort_status(ort,
                         ort->api.create_tensor_over(ort->cpu, data, pg_tensor_bytes(tensor), tensor->dims,
                                                     tensor->rank, pg_ort_elem(tensor->dtype), out));
}

static pg_status container_from(const pg_ort *ort, ort_value *const *items, size_t count, int kind,
                                ort_value **out)
{
    return pg_ort_status(ort, ort->api.create_container((const ort_value *const *)items, count, kind, out));
}

static pg_status sequence_from(const pg_ort *ort, const pg_value *value, const pg_type *type, ort_value **out)
{
    size_t count = value->sequence.count;
    if (count == 0)
        return pg_ort_empty_value(ort, value, type, out);
    ort_value **items = pg_calloc(count, sizeof *items);
    const pg_type *inner = type != NULL ? type->inner : NULL;
    pg_status status = NULL;
    for (size_t i = 0; i < count; i++)
        PG_TRY_GOTO(status, pg_ort_value_from(ort, &value->sequence.items[i], inner, &items[i]));
    status = container_from(ort, items, count, ORT_TYPE_SEQUENCE, out);
done:
    for (size_t i = 0; i < count; i++)
        ort->api.release_value(items[i]);
    free(items);
    return status;
}

/* One tensor of all the values of a map, which must be scalars of one type. */
static pg_status gather_map_values(const pg_value *value, pg_tensor *out)
{
    size_t count = value->map.count;
    pg_dtype dtype = PG_F32;
    for (size_t i = 0; i < count; i++) {
        const pg_value *item = &value->map.items[i];
        if (item->kind != PG_VALUE_TENSOR || pg_tensor_count(&item->tensor) != 1 ||
            (i > 0 && item->tensor.dtype != dtype))
            return pg_err(PG_ERR_UNSUPPORTED,
                          "ONNX Runtime takes a map only with one number or text per key, all of one type");
        dtype = item->tensor.dtype;
    }
    const int64_t dims[] = {(int64_t)count};
    PG_TRY(pg_tensor_alloc(out, dtype, 1, dims));
    size_t size = pg_dtype_get(dtype)->bits / 8;
    for (size_t i = 0; i < count; i++)
        memcpy((char *)out->data + i * size, value->map.items[i].tensor.data, size);
    return NULL;
}

/* The runtime copies keys and values into a map of its own. */
static pg_status map_from(const pg_ort *ort, const pg_value *value, ort_value **out)
{
    pg_tensor values = {0};
    ort_value *parts[2] = {NULL, NULL};
    pg_status status = NULL;
    PG_TRY_GOTO(status, gather_map_values(value, &values));
    PG_TRY_GOTO(status, tensor_from(ort, value->map.keys, &parts[0]));
    PG_TRY_GOTO(status, tensor_from(ort, &values, &parts[1]));
    status = container_from(ort, parts, 2, ORT_TYPE_MAP, out);
done:
    ort->api.release_value(parts[0]);
    ort->api.release_value(parts[1]);
    pg_tensor_deinit(&values);
    return status;
}

static pg_status value_from(const pg_ort *ort, const pg_value *value, const pg_type *type, ort_value **out)
{
    if (type != NULL && type->kind == PG_TYPE_OPTIONAL && value->kind != PG_VALUE_NONE)
        type = type->inner;
    switch (value->kind) {
    case PG_VALUE_TENSOR:
        return tensor_from(ort, &value->tensor, out);
    case PG_VALUE_SEQUENCE:
        return sequence_from(ort, value, type, out);
    case PG_VALUE_MAP:
        return map_from(ort, value, out);
    case PG_VALUE_NONE:
        return pg_ort_empty_value(ort, value, type, out);
    }
    PG_BUG("value kind %d", (int)value->kind);
}

pg_status pg_ort_value_from(const pg_ort *ort, const pg_value *value, const pg_type *type, ort_value **out)
{
    *out = NULL;
    pg_status status = value_from(ort, value, type, out);
    if (status != NULL) {
        ort->api.release_value(*out);
        *out = NULL;
    }
    return status;
}

/* ---- Out ---- */

/* A buffer over the runtime's memory. */
typedef struct ort_buffer {
    pg_buffer base;
    const pg_ort *ort;
    ort_value *value;
} ort_buffer;

static void release_buffer(pg_buffer *buffer)
{
    ort_buffer *self = (ort_buffer *)buffer;
    self->ort->api.release_value(self->value);
    free(self);
}

/* Takes over `value`. */
static pg_buffer *buffer_over(const pg_ort *ort, ort_value *value, void *data, uint64_t size)
{
    ort_buffer *self = PG_NEW(ort_buffer);
    atomic_init(&self->base.refs, 1);
    self->base.release = release_buffer;
    self->base.data = data;
    self->base.size = size;
    self->ort = ort;
    self->value = value;
    return &self->base;
}

static pg_status read_info(const pg_ort *ort, const ort_tensor_info *info, pg_tensor *out)
{
    int elem = 0;
    size_t rank = 0;
    ORT_TRY(ort, ort->api.tensor_elem(info, &elem));
    ORT_TRY(ort, ort->api.tensor_rank(info, &rank));
    if (pg_ort_dtype(elem) == PG_UNDEFINED)
        return pg_err(PG_ERR_UNSUPPORTED, "ONNX Runtime's element type %d is not known to this program",
                      elem);
    if (rank > PG_MAX_RANK)
        return pg_err(PG_ERR_LIMIT, "a tensor has rank %zu, at most %d are supported", rank, PG_MAX_RANK);
    out->dtype = pg_ort_dtype(elem);
    out->rank = (uint16_t)rank;
    return rank > 0 ? pg_ort_status(ort, ort->api.tensor_dims(info, out->dims, rank)) : NULL;
}

/* Type and shape of a tensor, as a tensor without bytes. */
static pg_status describe(const pg_ort *ort, const ort_value *value, pg_tensor *out)
{
    ort_tensor_info *info = NULL;
    *out = (pg_tensor){0};
    ORT_TRY(ort, ort->api.value_tensor_info(value, &info));
    pg_status status = read_info(ort, info, out);
    ort->api.release_tensor_info(info);
    return status;
}

static pg_status strings_to(const pg_ort *ort, const ort_value *value, pg_tensor *tensor)
{
    pg_tensor shape = *tensor;
    uint64_t count = pg_tensor_count(&shape);
    size_t size = 0;
    pg_status status = NULL;
    ORT_TRY(ort, ort->api.strings_size(value, &size));
    char *bytes = malloc(size + 1);
    size_t *offsets = calloc(count + 1, sizeof *offsets);
    pg_str *texts = calloc(count + 1, sizeof *texts);
    if (bytes == NULL || offsets == NULL || texts == NULL) {
        status = pg_err(PG_ERR_NO_MEMORY, "no memory for a tensor of %" PRIu64 " strings", count);
        goto done;
    }
    if (count > 0)
        ORT_TRY_GOTO(status, ort, ort->api.strings_content(value, bytes, size, offsets, count));
    offsets[count] = size;
    for (uint64_t i = 0; i < count; i++)
        texts[i] = (pg_str){bytes + offsets[i], offsets[i + 1] - offsets[i]};
    status = pg_tensor_alloc_strings(tensor, shape.rank, shape.dims, texts);
done:
    free(bytes);
    free(offsets);
    free(texts);
    return status;
}

/* Takes over `value` when there is no error. */
static pg_status tensor_to(const pg_ort *ort, ort_value *value, pg_tensor *out)
{
    PG_TRY(describe(ort, value, out));
    if (out->dtype == PG_STRING) {
        PG_TRY(strings_to(ort, value, out));
        ort->api.release_value(value);
        return NULL;
    }
    void *data = NULL;
    ORT_TRY(ort, ort->api.tensor_data(value, &data));
    out->data = data;
    out->buffer = buffer_over(ort, value, data, pg_tensor_bytes(out));
    return NULL;
}

static pg_status item_to(const pg_ort *ort, const ort_value *container, int index, pg_value *out)
{
    ort_value *item = NULL;
    ORT_TRY(ort, ort->api.value_item(container, index, ort->allocator, &item));
    return pg_ort_value_to(ort, item, out);
}

static pg_status sequence_to(const pg_ort *ort, const ort_value *value, pg_value *out)
{
    size_t count = 0;
    ORT_TRY(ort, ort->api.value_item_count(value, &count));
    *out = (pg_value){.kind = PG_VALUE_SEQUENCE};
    out->sequence.items = pg_calloc(PG_MAX(count, (size_t)1), sizeof *out->sequence.items);
    for (size_t i = 0; i < count; i++) {
        PG_TRY(item_to(ort, value, (int)i, &out->sequence.items[i]));
        out->sequence.count++;
    }
    if (count > 0 && out->sequence.items[0].kind == PG_VALUE_TENSOR)
        out->elem = out->sequence.items[0].tensor.dtype;
    return NULL;
}

/* Splits a 1-D tensor into scalars that share its bytes. */
static void split_values(const pg_tensor *values, pg_value *items, size_t count)
{
    size_t size = pg_dtype_get(values->dtype)->bits / 8;
    for (size_t i = 0; i < count; i++) {
        pg_tensor scalar = {.dtype = values->dtype, .data = (char *)values->data + i * size};
        scalar.buffer = pg_buffer_ref(values->buffer);
        items[i] = pg_value_of_tensor(scalar);
    }
}

static pg_status map_to(const pg_ort *ort, const ort_value *value, pg_value *out)
{
    pg_value keys = {0}, values = {0};
    pg_status status = NULL;
    PG_TRY_GOTO(status, item_to(ort, value, 0, &keys));
    PG_TRY_GOTO(status, item_to(ort, value, 1, &values));
    if (keys.kind != PG_VALUE_TENSOR || values.kind != PG_VALUE_TENSOR ||
        pg_tensor_count(&keys.tensor) != pg_tensor_count(&values.tensor)) {
        status = pg_err(PG_ERR_UNSUPPORTED, "a map whose values are not single numbers or texts");
        goto done;
    }
    size_t count = pg_tensor_count(&keys.tensor);
    *out = (pg_value){.kind = PG_VALUE_MAP, .elem = values.tensor.dtype};
    out->map.keys = PG_NEW(pg_tensor);
    *out->map.keys = pg_tensor_share(&keys.tensor);
    out->map.items = pg_calloc(PG_MAX(count, (size_t)1), sizeof *out->map.items);
    out->map.count = count;
    split_values(&values.tensor, out->map.items, count);
done:
    pg_value_deinit(&keys);
    pg_value_deinit(&values);
    return status;
}

/* Takes over `value` when *taken is set. */
static pg_status value_to(const pg_ort *ort, ort_value *value, pg_value *out, bool *taken)
{
    int present = 0, kind = 0;
    ORT_TRY(ort, ort->api.has_value(value, &present));
    if (!present)
        return NULL;
    ORT_TRY(ort, ort->api.value_kind(value, &kind));
    switch (kind) {
    case ORT_TYPE_TENSOR: {
        pg_tensor tensor;
        PG_TRY(tensor_to(ort, value, &tensor));
        *taken = true;
        *out = pg_value_of_tensor(tensor);
        return NULL;
    }
    case ORT_TYPE_SEQUENCE:
        return sequence_to(ort, value, out);
    case ORT_TYPE_MAP:
        return map_to(ort, value, out);
    case ORT_TYPE_SPARSE_TENSOR:
        return pg_err(PG_ERR_UNSUPPORTED, "sparse tensors as results are not supported");
    default:
        return pg_err(PG_ERR_UNSUPPORTED, "results of ONNX Runtime's kind %d are not supported", kind);
    }
}

pg_status pg_ort_value_to(const pg_ort *ort, ort_value *value, pg_value *out)
{
    *out = (pg_value){0};
    if (value == NULL)
        return NULL;
    bool taken = false;
    pg_status status = value_to(ort, value, out, &taken);
    if (!taken)
        ort->api.release_value(value);
    if (status != NULL)
        pg_value_deinit(out);
    return status;
}

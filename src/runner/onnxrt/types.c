/* Types as the runtime states them. */
#include "runner/onnxrt/internal.h"

pg_dtype pg_ort_dtype(int elem)
{
    switch (elem) {
    case ORT_ELEM_U2:
        return PG_U2;
    case ORT_ELEM_I2:
        return PG_I2;
    case ORT_ELEM_F8E8M0:
        return PG_F8E8M0;
    default:
        return elem > 0 && elem <= PG_F4E2M1 ? (pg_dtype)elem : PG_UNDEFINED;
    }
}

int pg_ort_elem(pg_dtype dtype)
{
    switch (dtype) {
    case PG_U2:
        return ORT_ELEM_U2;
    case PG_I2:
        return ORT_ELEM_I2;
    case PG_F8E8M0:
        return ORT_ELEM_F8E8M0;
    default:
        return (int)dtype;
    }
}

/* A rank of 0 may also mean that the runtime does not know the rank: the caller settles that. */
static pg_status tensor_type(const pg_ort *ort, pg_arena *arena, const ort_tensor_info *info, pg_type *out)
{
    int elem = 0;
    size_t rank = 0;
    ORT_TRY(ort, ort->api.tensor_elem(info, &elem));
    ORT_TRY(ort, ort->api.tensor_rank(info, &rank));
    if (rank > UINT32_MAX)
        return pg_err(PG_ERR_LIMIT, "ONNX Runtime states a rank of %zu", rank);
    int64_t *sizes = PG_ARENA_ARRAY(arena, int64_t, rank);
    const char **symbols = PG_ARENA_ARRAY(arena, const char *, rank);
    if (rank > 0) {
        ORT_TRY(ort, ort->api.tensor_dims(info, sizes, rank));
        ORT_TRY(ort, ort->api.tensor_symbols(info, symbols, rank));
    }
    pg_dim *dims = PG_ARENA_ARRAY(arena, pg_dim, rank);
    for (size_t i = 0; i < rank; i++) {
        dims[i].has_value = sizes[i] >= 0;
        dims[i].value = sizes[i] >= 0 ? sizes[i] : 0;
        if (!dims[i].has_value && symbols[i] != NULL)
            dims[i].name = pg_arena_str(arena, pg_str_c(symbols[i]));
    }
    out->elem = pg_ort_dtype(elem);
    out->has_shape = true;
    out->rank = (uint32_t)rank;
    out->dims = dims;
    return NULL;
}

/* Releases `info`, which may be NULL. */
static pg_status inner_type(const pg_ort *ort, pg_arena *arena, ort_type_info *info, pg_type *out)
{
    if (info == NULL)
        return NULL;
    pg_type *inner = PG_ARENA_NEW(arena, pg_type);
    pg_status status = pg_ort_type(ort, arena, info, inner);
    ort->api.release_type(info);
    out->inner = inner;
    return status;
}

static pg_status sequence_type(const pg_ort *ort, pg_arena *arena, const ort_type_info *info, pg_type *out)
{
    const ort_sequence_info *sequence = NULL;
    ort_type_info *element = NULL;
    ORT_TRY(ort, ort->api.type_as_sequence(info, &sequence));
    ORT_TRY(ort, ort->api.sequence_element(sequence, &element));
    return inner_type(ort, arena, element, out);
}

static pg_status map_type(const pg_ort *ort, pg_arena *arena, const ort_type_info *info, pg_type *out)
{
    const ort_map_info *map = NULL;
    ort_type_info *values = NULL;
    int key = 0;
    ORT_TRY(ort, ort->api.type_as_map(info, &map));
    ORT_TRY(ort, ort->api.map_key(map, &key));
    ORT_TRY(ort, ort->api.map_value(map, &values));
    out->elem = pg_ort_dtype(key);
    return inner_type(ort, arena, values, out);
}

static pg_status optional_type(const pg_ort *ort, pg_arena *arena, const ort_type_info *info, pg_type *out)
{
    const ort_optional_info *optional = NULL;
    ort_type_info *element = NULL;
    ORT_TRY(ort, ort->api.type_as_optional(info, &optional));
    ORT_TRY(ort, ort->api.optional_element(optional, &element));
    return inner_type(ort, arena, element, out);
}

static pg_status tensor_info_type(const pg_ort *ort, pg_arena *arena, const ort_type_info *info, pg_type *out)
{
    const ort_tensor_info *tensor = NULL;
    ORT_TRY(ort, ort->api.type_as_tensor(info, &tensor));
    return tensor != NULL ? tensor_type(ort, arena, tensor, out) : NULL;
}

pg_status pg_ort_type(const pg_ort *ort, pg_arena *arena, const ort_type_info *info, pg_type *out)
{
    *out = (pg_type){0};
    int kind = 0;
    ORT_TRY(ort, ort->api.type_kind(info, &kind));
    switch (kind) {
    case ORT_TYPE_TENSOR:
        out->kind = PG_TYPE_TENSOR;
        return tensor_info_type(ort, arena, info, out);
    case ORT_TYPE_SPARSE_TENSOR:
        out->kind = PG_TYPE_SPARSE_TENSOR;
        return tensor_info_type(ort, arena, info, out);
    case ORT_TYPE_SEQUENCE:
        out->kind = PG_TYPE_SEQUENCE;
        return sequence_type(ort, arena, info, out);
    case ORT_TYPE_MAP:
        out->kind = PG_TYPE_MAP;
        return map_type(ort, arena, info, out);
    case ORT_TYPE_OPTIONAL:
        out->kind = PG_TYPE_OPTIONAL;
        return optional_type(ort, arena, info, out);
    case ORT_TYPE_OPAQUE:
        out->kind = PG_TYPE_OPAQUE;
        return NULL;
    default:
        return NULL;
    }
}

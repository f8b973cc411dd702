#include "compare/internal.h"
#include "tensor/dtype_convert.h"

pg_dtype pg_cast_up(pg_dtype dtype)
{
    switch (dtype) {
    case PG_F32:
    case PG_F64:
    case PG_I32:
    case PG_I64:
    case PG_U64:
    case PG_BOOL:
        return dtype;
    case PG_U32:
        return PG_I64;
    default:
        break;
    }
    if (pg_dtype_is_float(dtype))
        return PG_F32;
    return pg_dtype_is_integer(dtype) ? PG_I32 : PG_UNDEFINED;
}

pg_status pg_values_init(pg_values *values, const pg_tensor *tensor)
{
    *values = (pg_values){.origin = tensor->dtype, .type = pg_cast_up(tensor->dtype)};
    if (values->type == PG_UNDEFINED)
        return pg_err(PG_ERR_UNSUPPORTED, "values of type %s have no numeric difference",
                      pg_dtype_name(tensor->dtype));
    if (pg_dtype_get(tensor->dtype)->bits < 8)
        return pg_tensor_cast(tensor, values->type, NULL, &values->tensor);
    values->tensor = pg_tensor_share(tensor);
    return NULL;
}

void pg_values_deinit(pg_values *values)
{
    pg_tensor_deinit(&values->tensor);
}

const void *pg_values_block(const pg_values *values, uint64_t begin, size_t n, void *scratch)
{
    pg_dtype stored = values->tensor.dtype;
    const uint8_t *from = (const uint8_t *)values->tensor.data + begin * (pg_dtype_get(stored)->bits / 8);
    if (stored == values->type)
        return from;
    if (stored == PG_F16)
        pg_f16_to_f32_array((const uint16_t *)(const void *)from, scratch, n);
    else
        pg_convert(stored, from, values->type, scratch, n, NULL);
    return scratch;
}

static void fill_values(const void *context, uint64_t begin, size_t n, void **blocks)
{
    blocks[0] = (void *)(uintptr_t)pg_values_block(context, begin, n, blocks[0]);
}

pg_stat_source pg_values_source(const pg_values *values)
{
    return (pg_stat_source){.count = pg_tensor_count(&values->tensor),
                            .n_streams = 1,
                            .streams = {{values->type, values->origin, false}},
                            .context = values,
                            .fill = fill_values};
}

uint64_t pg_block_bits(pg_dtype type, const void *block, size_t i)
{
    switch (type) {
    case PG_I32:
        return (uint64_t)(int64_t)((const int32_t *)block)[i];
    case PG_BOOL:
        return ((const uint8_t *)block)[i] != 0;
    default:
        return ((const uint64_t *)block)[i];
    }
}

double pg_block_real(pg_dtype type, const void *block, size_t i)
{
    switch (type) {
    case PG_F32:
        return (double)((const float *)block)[i];
    case PG_F64:
        return ((const double *)block)[i];
    case PG_U64:
        return (double)((const uint64_t *)block)[i];
    default:
        return (double)(int64_t)pg_block_bits(type, block, i);
    }
}

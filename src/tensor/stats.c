#include "tensor/stats.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "tensor/dtype_convert.h"

/* The type of the blocks: what the peer casts up to, or what holds the values exactly. */
static pg_dtype block_type(pg_dtype dtype)
{
    switch (dtype) {
    case PG_F64:
    case PG_I64:
    case PG_U64:
    case PG_BOOL:
        return dtype;
    case PG_U32:
        return PG_I64;
    default:
        return pg_dtype_is_float(dtype) ? PG_F32 : PG_I32;
    }
}

bool pg_tensor_has_stats(pg_dtype dtype)
{
    pg_dtype_kind kind = pg_dtype_kind_of(dtype);
    return kind != PG_KIND_STRING && kind != PG_KIND_COMPLEX && kind != PG_KIND_NONE;
}

static void fill_from_tensor(const void *context, uint64_t begin, size_t n, void **blocks)
{
    const pg_tensor *tensor = context;
    unsigned bits = pg_dtype_get(tensor->dtype)->bits;
    pg_dtype type = block_type(tensor->dtype);
    if (bits < 8) {
        uint8_t unpacked[PG_STAT_BLOCK];
        pg_unpack(tensor->dtype, tensor->data, begin, n, unpacked);
        if (tensor->dtype == PG_F4E2M1)
            for (size_t i = 0; i < n; i++)
                ((float *)blocks[0])[i] = pg_small_float_to_f32(PG_F4E2M1, unpacked[i]);
        else
            pg_convert(pg_dtype_kind_of(tensor->dtype) == PG_KIND_INT ? PG_I8 : PG_U8, unpacked, type,
                       blocks[0], n, NULL);
        return;
    }
    uint8_t *data = (uint8_t *)tensor->data + begin * (bits / 8);
    if (type == tensor->dtype)
        blocks[0] = data;
    else
        pg_convert(tensor->dtype, data, type, blocks[0], n, NULL);
}

static pg_stat_source source_of(const pg_tensor *tensor)
{
    /* Only the types that numpy computes in keep their own rules; the others act as what they widen to. */
    bool own = pg_dtype_get(tensor->dtype)->npy != NULL;
    pg_dtype type = block_type(tensor->dtype);
    return (pg_stat_source){.count = pg_tensor_count(tensor),
                            .n_streams = 1,
                            .streams = {{.dtype = type, .origin = own ? tensor->dtype : type}},
                            .context = tensor,
                            .fill = fill_from_tensor};
}

pg_status pg_tensor_stats(const pg_tensor *tensor, unsigned wanted, double quantile, pg_value_stats *out)
{
    if (!pg_tensor_has_stats(tensor->dtype))
        return pg_err(PG_ERR_UNSUPPORTED, "there are no statistics of %s tensors",
                      pg_dtype_name(tensor->dtype));
    pg_stat_source source = source_of(tensor);
    PG_TRY(pg_block_stats(&source, wanted, quantile, out));
    /* The two zeros are equal: show the one that stands there. */
    if (source.count > 0 && out->min == 0)
        out->min = pg_tensor_get_f64(tensor, out->argmin);
    if (source.count > 0 && out->max == 0)
        out->max = pg_tensor_get_f64(tensor, out->argmax);
    return NULL;
}

pg_dtype pg_histogram_edge_type(pg_dtype dtype)
{
    if (dtype == PG_F16)
        return PG_F16;
    return pg_dtype_is_float(dtype) && dtype != PG_F64 ? PG_F32 : PG_F64;
}

void pg_tensor_histogram(const pg_tensor *tensor, const double *range, pg_histogram *out)
{
    *out = (pg_histogram){0};
    if (!pg_tensor_has_stats(tensor->dtype) || tensor->dtype == PG_BOOL || pg_tensor_count(tensor) == 0)
        return;
    pg_stat_source source = source_of(tensor);
    pg_dtype edge_type = pg_histogram_edge_type(tensor->dtype), compute = range != NULL ? PG_F64 : edge_type;
    double own[2];
    if (range == NULL) {
        pg_value_stats stats;
        pg_status status = pg_tensor_stats(tensor, PG_STAT_RANGE, (double)NAN, &stats);
        if (status != NULL) {
            pg_status_drop(status); /* without quantiles there is nothing that can fail */
            return;
        }
        own[0] = stats.min;
        own[1] = stats.max;
        range = own;
    }
    if (!isfinite(range[0]) || !isfinite(range[1]) || range[0] > range[1])
        return;
    out->valid = pg_block_histogram_as(&source, 0, range[0], range[1], compute, edge_type, PG_HISTOGRAM_BINS,
                                       out->counts, out->edges);
}

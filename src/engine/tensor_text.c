#include "engine/tensor_text.h"

#include "base/alloc.h"

void pg_engine_dims_text(size_t rank, const int64_t *dims, pg_buf *out)
{
    pg_buf_putc(out, '(');
    for (size_t d = 0; d < rank; d++)
        pg_buf_printf(out, "%s%lld", d > 0 ? ", " : "", (long long)dims[d]);
    pg_buf_puts(out, rank == 1 ? ",)" : ")");
}

void pg_engine_shape_text(const pg_type *type, pg_buf *out)
{
    int64_t dims[PG_MAX_RANK];
    size_t rank = PG_MIN((size_t)type->rank, (size_t)PG_MAX_RANK);
    for (size_t d = 0; d < rank; d++)
        dims[d] = type->dims[d].has_value && type->dims[d].value >= 0 ? type->dims[d].value : -1;
    pg_engine_dims_text(rank, dims, out);
}

void pg_engine_tensor_text(pg_str name, const pg_type *type, const char *format, pg_buf *out)
{
    pg_buf_add_str(out, name);
    if (type == NULL || type->kind != PG_TYPE_TENSOR)
        return;
    pg_buf_printf(out, " [dtype=%s", pg_dtype_name(type->elem));
    if (type->has_shape) {
        pg_buf_puts(out, ", shape=");
        pg_engine_shape_text(type, out);
    }
    if (format != NULL)
        pg_buf_printf(out, ", Format: %s", format);
    pg_buf_putc(out, ']');
}

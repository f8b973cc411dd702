#include <math.h>
#include <stdlib.h>

#include "surgery/fp16_internal.h"
#include "tensor/dtype_convert.h"

/* ---- Elements ---- */

/* What rounding made infinite or zero becomes the nearest number that is neither. */
static void repair(pg_fp16 *pass, const float *in, uint16_t *out, uint64_t count)
{
    const uint16_t infinity = pass->options.to == PG_F16 ? 0x7c00 : 0x7f80;
    for (uint64_t i = 0; i < count; i++) {
        uint16_t magnitude = out[i] & 0x7fff;
        if (magnitude == infinity && isfinite(in[i])) {
            out[i] = (uint16_t)((out[i] & 0x8000) | (infinity - 1));
            pass->report.clamped++;
        } else if (magnitude == 0 && in[i] != 0) {
            out[i] |= 1;
            pass->report.raised++;
        }
    }
}

static pg_status convert(pg_fp16 *pass, const pg_tensor *tensor, pg_str name, pg_wire_message **out)
{
    uint64_t count = pg_tensor_count(tensor);
    const char *text = pg_arena_cstr(pass->arena, name);
    /* Asked for first: an arena ends the program when there is no memory. */
    void *probe = malloc(count * sizeof(uint16_t) + 1);
    if (probe == NULL)
        return pg_err(PG_ERR_NO_MEMORY, "no memory for the %llu bytes of '%s' as %s",
                      (unsigned long long)count * 2, text, pg_dtype_name(pass->options.to));
    free(probe);
    uint16_t *half = PG_ARENA_ARRAY(pass->arena, uint16_t, count + 1);
    pg_convert(PG_F32, tensor->data, pass->options.to, half, count, &pg_cast_onnx);
    repair(pass, tensor->data, half, count);
    *out = pg_build_raw_tensor(pass->arena, text, pass->options.to, tensor->rank, tensor->dims,
                               (pg_str){(const char *)half, count * sizeof *half});
    pass->report.weights++;
    return NULL;
}

pg_status pg_fp16_weight(pg_fp16 *pass, const pg_weight *weight, pg_str name, pg_wire_message **out)
{
    pg_tensor tensor;
    PG_TRY(pg_weight_load(pass->model, weight, &tensor));
    pg_status status = convert(pass, &tensor, name, out);
    pg_tensor_deinit(&tensor);
    return status;
}

/* ---- Constants ---- */

static pg_status of_floats(pg_fp16 *pass, const float *values, size_t count, size_t rank,
                           pg_wire_message **out)
{
    pg_tensor tensor;
    int64_t dims[] = {(int64_t)count};
    PG_TRY(pg_tensor_borrow(&tensor, PG_F32, rank, dims, values));
    return convert(pass, &tensor, PG_STR_EMPTY, out);
}

pg_status pg_fp16_constant(pg_fp16 *pass, const pg_node *node, pg_wire_message **out)
{
    const pg_attr *attr;
    if ((attr = pg_node_attr(node, "value")) != NULL && attr->type == PG_ATTR_TENSOR)
        return pg_fp16_weight(pass, attr->tensor, attr->tensor->name, out);
    if ((attr = pg_node_attr(node, "value_float")) != NULL && attr->type == PG_ATTR_FLOAT)
        return of_floats(pass, &attr->f, 1, 0, out);
    if ((attr = pg_node_attr(node, "value_floats")) != NULL && attr->type == PG_ATTR_FLOATS)
        return of_floats(pass, attr->floats, attr->count, 1, out);
    return pg_err(PG_ERR_UNSUPPORTED, "the sparse constant of node '%" PG_STR_FMT "' cannot be converted",
                  PG_STR_ARG(node->name));
}

/* ---- Types ---- */

static bool to_half(const pg_type *type, pg_dtype to, pg_type *out, pg_arena *arena)
{
    *out = *type;
    if (type->kind == PG_TYPE_TENSOR || type->kind == PG_TYPE_SPARSE_TENSOR) {
        out->elem = type->elem == PG_F32 ? to : type->elem;
        return type->elem == PG_F32;
    }
    if (type->inner == NULL)
        return false;
    pg_type *inner = PG_ARENA_NEW(arena, pg_type);
    out->inner = inner;
    return to_half(type->inner, to, inner, arena);
}

pg_wire_message *pg_fp16_type(pg_fp16 *pass, const pg_type *type)
{
    pg_type half;
    return to_half(type, pass->options.to, &half, &pass->scratch) ? pg_build_type(pass->arena, &half) : NULL;
}

/* Small pieces that the rules are made of. */
#include "shapes/internal.h"

#include <stdio.h>

bool pg_has_shape(const pg_fact *fact)
{
    return fact != NULL && fact->type.kind == PG_TYPE_TENSOR && fact->type.has_shape;
}

bool pg_get_shape(const pg_fact *fact, uint32_t *out_rank, const pg_dim **out_dims)
{
    if (!pg_has_shape(fact))
        return false;
    *out_rank = fact->type.rank;
    *out_dims = fact->type.dims;
    return true;
}

bool pg_get_length(const pg_infer *c, size_t i, uint32_t *out)
{
    uint32_t rank;
    const pg_dim *dims;
    if (!pg_get_shape(pg_in(c, i), &rank, &dims) || rank != 1 || !pg_dim_known(dims[0]) || dims[0].value > 64)
        return false;
    *out = (uint32_t)dims[0].value;
    return true;
}

bool pg_get_ints(const pg_infer *c, size_t i, int64_t *out, size_t most, size_t *out_count)
{
    const pg_fact *fact = pg_in(c, i);
    if (fact == NULL || fact->values == NULL || fact->n_values > most)
        return false;
    for (size_t k = 0; k < fact->n_values; k++) {
        if (!fact->values[k].has_value)
            return false;
        out[k] = fact->values[k].value;
    }
    *out_count = fact->n_values;
    return true;
}

int64_t pg_int_attr(const pg_infer *c, const char *name, int64_t missing)
{
    const pg_attr *attr = pg_node_attr(c->node, name);
    return attr != NULL && attr->type == PG_ATTR_INT ? attr->i : missing;
}

bool pg_ints_attr(const pg_infer *c, const char *name, const int64_t **out, size_t *out_count)
{
    const pg_attr *attr = pg_node_attr(c->node, name);
    if (attr == NULL || attr->type != PG_ATTR_INTS)
        return false;
    *out = attr->ints;
    *out_count = attr->count;
    return true;
}

pg_str pg_str_attr(const pg_infer *c, const char *name, const char *missing)
{
    const pg_attr *attr = pg_node_attr(c->node, name);
    return attr != NULL && attr->type == PG_ATTR_STRING ? attr->s : pg_str_c(missing);
}

pg_status pg_infer_err(const pg_infer *c, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const pg_node *node = c->node;
    pg_str name = node->name.len > 0 || node->n_outputs == 0 ? node->name : node->outputs[0];
    return pg_err(PG_ERR_INVALID, "%" PG_STR_FMT " '%" PG_STR_FMT "': %s", PG_STR_ARG(node->op_type),
                  PG_STR_ARG(name), text);
}

pg_status pg_norm_axis(const pg_infer *c, int64_t axis, uint32_t rank, uint32_t *out)
{
    if (axis < -(int64_t)rank || axis >= (int64_t)rank)
        return pg_infer_err(c, "axis %lld is outside a tensor of rank %u", (long long)axis, rank);
    *out = (uint32_t)(axis < 0 ? axis + rank : axis);
    return NULL;
}

bool pg_dim_same(pg_dim a, pg_dim b)
{
    if (a.has_value || b.has_value)
        return a.has_value && b.has_value && a.value == b.value && a.value >= 0;
    return a.name.len > 0 && pg_str_eq(a.name, b.name);
}

pg_dim pg_dim_merge(pg_dim a, pg_dim b)
{
    if (pg_dim_known(a))
        return a;
    if (pg_dim_known(b))
        return b;
    return a.name.len > 0 ? a : b;
}

pg_dim *pg_new_dims(pg_infer *c, uint32_t rank)
{
    return PG_ARENA_ARRAY(c->arena, pg_dim, rank);
}

void pg_set_tensor(pg_infer *c, size_t o, pg_dtype elem, uint32_t rank, const pg_dim *dims)
{
    if (o < c->n_out)
        c->out[o].type =
            (pg_type){.kind = PG_TYPE_TENSOR, .elem = elem, .has_shape = true, .rank = rank, .dims = dims};
}

void pg_set_elem(pg_infer *c, size_t o, pg_dtype elem)
{
    if (o < c->n_out && elem != PG_UNDEFINED)
        c->out[o].type = (pg_type){.kind = PG_TYPE_TENSOR, .elem = elem};
}

void pg_set_like(pg_infer *c, size_t o, size_t i)
{
    if (o < c->n_out && pg_in(c, i) != NULL)
        c->out[o].type = pg_in(c, i)->type;
}

void pg_set_values(pg_infer *c, size_t o, const pg_dim *values, size_t count)
{
    if (o >= c->n_out || count > PG_MOST_VALUES)
        return;
    c->out[o].values = values;
    c->out[o].n_values = count;
}

/* One dimension of a broadcast result. */
static pg_status broadcast_dim(const pg_infer *c, pg_dim *into, pg_dim dim)
{
    if (pg_dim_is(dim, 1))
        return NULL;
    if (pg_dim_is(*into, 1)) {
        *into = dim;
    } else if (pg_dim_known(*into)) {
        if (pg_dim_known(dim) && dim.value != into->value)
            return pg_infer_err(c, "dimensions %lld and %lld do not broadcast", (long long)into->value,
                                (long long)dim.value);
    } else if (pg_dim_known(dim)) {
        *into = dim;
    } else if (!pg_dim_same(*into, dim)) {
        *into = (pg_dim){0};
    }
    return NULL;
}

pg_status pg_infer_broadcast(pg_infer *c, size_t first, size_t last, bool *known, uint32_t *out_rank,
                             pg_dim **out_dims)
{
    uint32_t rank = 0;
    *known = true;
    for (size_t i = first; i < last; i++) {
        *known &= pg_has_shape(pg_in(c, i));
        if (pg_in(c, i) != NULL)
            rank = PG_MAX(rank, pg_in(c, i)->type.rank);
    }
    if (!*known)
        return NULL;
    pg_dim *dims = pg_new_dims(c, rank);
    for (uint32_t k = 0; k < rank; k++)
        dims[k] = pg_dim_of(1);
    for (size_t i = first; i < last; i++) {
        const pg_type *type = &pg_in(c, i)->type;
        for (uint32_t k = 0; k < type->rank; k++)
            PG_TRY(broadcast_dim(c, &dims[rank - type->rank + k], type->dims[k]));
    }
    *out_rank = rank;
    *out_dims = dims;
    return NULL;
}

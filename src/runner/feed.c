/* Checks of what is fed to a model against what the model states, before any backend sees it. */
#include "runner/internal.h"

#include <inttypes.h>

enum { MAX_LISTED_NAMES = 20 };

/* ---- Words for types and values ---- */

/* numpy calls text "object"; people call it string. */
static const char *elem_name(pg_dtype dtype)
{
    return dtype == PG_STRING ? "string" : pg_dtype_name(dtype);
}

static void dims_text(pg_buf *out, const pg_type *type)
{
    pg_buf_putc(out, '(');
    for (uint32_t i = 0; i < type->rank; i++) {
        const pg_dim *dim = &type->dims[i];
        if (i > 0)
            pg_buf_puts(out, ", ");
        if (dim->has_value)
            pg_buf_printf(out, "%" PRId64, dim->value);
        else if (dim->name.len > 0)
            pg_buf_printf(out, "'%" PG_STR_FMT "'", PG_STR_ARG(dim->name));
        else
            pg_buf_puts(out, "-1");
    }
    pg_buf_puts(out, type->rank == 1 ? ",)" : ")");
}

static void inner_text(pg_buf *out, const char *word, const pg_type *inner)
{
    pg_buf_puts(out, word);
    if (inner != NULL && inner->kind != PG_TYPE_NONE) {
        pg_buf_puts(out, " of ");
        pg_type_text(out, inner);
    }
}

void pg_type_text(pg_buf *out, const pg_type *type)
{
    switch (type->kind) {
    case PG_TYPE_TENSOR:
    case PG_TYPE_SPARSE_TENSOR:
        pg_buf_printf(out, "%stensor(%s)", type->kind == PG_TYPE_SPARSE_TENSOR ? "sparse " : "",
                      elem_name(type->elem));
        if (type->has_shape) {
            pg_buf_puts(out, " of shape ");
            dims_text(out, type);
        }
        break;
    case PG_TYPE_SEQUENCE:
        inner_text(out, "sequence", type->inner);
        break;
    case PG_TYPE_OPTIONAL:
        inner_text(out, "optional", type->inner);
        break;
    case PG_TYPE_MAP:
        pg_buf_printf(out, "map from %s to ", elem_name(type->elem));
        inner_text(out, "values", type->inner);
        break;
    case PG_TYPE_OPAQUE:
        pg_buf_puts(out, "opaque value");
        break;
    case PG_TYPE_NONE:
        pg_buf_puts(out, "value");
        break;
    }
}

void pg_value_text(pg_buf *out, const pg_value *value)
{
    switch (value->kind) {
    case PG_VALUE_TENSOR:
        pg_buf_printf(out, "tensor(%s) of shape ", elem_name(value->tensor.dtype));
        pg_shape_text(out, value->tensor.rank, value->tensor.dims);
        break;
    case PG_VALUE_SEQUENCE:
        pg_buf_printf(out, "sequence of %zu values", value->sequence.count);
        break;
    case PG_VALUE_MAP:
        pg_buf_printf(out, "map of %zu values", value->map.count);
        break;
    case PG_VALUE_NONE:
        pg_buf_puts(out, "no value");
        break;
    }
}

/* ---- Does a value fit a type? ---- */

static bool shape_fits(const pg_type *type, const pg_tensor *tensor)
{
    if (!type->has_shape)
        return true;
    if (type->rank != tensor->rank)
        return false;
    for (uint32_t i = 0; i < type->rank; i++) {
        const pg_dim *dim = &type->dims[i];
        if (dim->has_value && dim->value >= 0 && dim->value != tensor->dims[i])
            return false;
    }
    return true;
}

static bool tensor_fits(const pg_type *type, const pg_tensor *tensor)
{
    return (type->elem == PG_UNDEFINED || type->elem == tensor->dtype) && shape_fits(type, tensor);
}

static bool value_fits(const pg_type *type, const pg_value *value)
{
    switch (type->kind) {
    case PG_TYPE_TENSOR:
        return value->kind == PG_VALUE_TENSOR && tensor_fits(type, &value->tensor);
    case PG_TYPE_SEQUENCE:
        if (value->kind != PG_VALUE_SEQUENCE)
            return false;
        for (size_t i = 0; i < value->sequence.count; i++)
            if (type->inner != NULL && !value_fits(type->inner, &value->sequence.items[i]))
                return false;
        return true;
    case PG_TYPE_OPTIONAL:
        return value->kind == PG_VALUE_NONE || type->inner == NULL || value_fits(type->inner, value);
    case PG_TYPE_MAP:
        return value->kind == PG_VALUE_MAP &&
               (type->elem == PG_UNDEFINED || value->map.keys->dtype == type->elem);
    default:
        return value->kind != PG_VALUE_NONE; /* not stated, or for the backend to judge */
    }
}

/* ---- The check ---- */

static void name_list(pg_buf *out, pg_io_list inputs)
{
    if (inputs.count == 0)
        pg_buf_puts(out, "it has no inputs");
    else
        pg_buf_puts(out, inputs.count == 1 ? "its input is " : "its inputs are ");
    for (size_t i = 0; i < inputs.count && i < MAX_LISTED_NAMES; i++)
        pg_buf_printf(out, "%s'%" PG_STR_FMT "'", i > 0 ? ", " : "", PG_STR_ARG(inputs.items[i].name));
    if (inputs.count > MAX_LISTED_NAMES)
        pg_buf_printf(out, " and %zu more", inputs.count - MAX_LISTED_NAMES);
}

static bool has_input(pg_io_list inputs, const char *name)
{
    for (size_t i = 0; i < inputs.count; i++)
        if (pg_str_is(inputs.items[i].name, name))
            return true;
    return false;
}

static pg_status unknown_input(pg_io_list inputs, const char *name)
{
    pg_buf names = {0};
    name_list(&names, inputs);
    pg_status status = pg_err(PG_ERR_INVALID, "the model has no input '%s': %s", name, pg_buf_cstr(&names));
    pg_buf_deinit(&names);
    return status;
}

static pg_status missing_input(const pg_io *input, const pg_feed *feed)
{
    pg_buf text = {0};
    pg_type_text(&text, &input->type);
    pg_buf_puts(&text, feed->count == 0 ? "); nothing was given" : "); given:");
    for (size_t i = 0; i < feed->count && i < MAX_LISTED_NAMES; i++)
        pg_buf_printf(&text, "%s '%s'", i > 0 ? "," : "", feed->items[i].name);
    pg_status status = pg_err(PG_ERR_INVALID, "no value for the input '%" PG_STR_FMT "' (%s",
                              PG_STR_ARG(input->name), pg_buf_cstr(&text));
    pg_buf_deinit(&text);
    return status;
}

static pg_status wrong_input(const pg_io *input, const pg_value *value)
{
    pg_buf expected = {0}, found = {0};
    pg_type_text(&expected, &input->type);
    pg_value_text(&found, value);
    pg_status status = pg_err(PG_ERR_INVALID, "the input '%" PG_STR_FMT "' takes %s, but was given %s",
                              PG_STR_ARG(input->name), pg_buf_cstr(&expected), pg_buf_cstr(&found));
    pg_buf_deinit(&expected);
    pg_buf_deinit(&found);
    return status;
}

pg_status pg_feed_check(pg_io_list inputs, const pg_feed *feed)
{
    for (size_t i = 0; i < feed->count; i++)
        if (!has_input(inputs, feed->items[i].name))
            return unknown_input(inputs, feed->items[i].name);
    for (size_t i = 0; i < inputs.count; i++) {
        const pg_io *input = &inputs.items[i];
        const pg_value *value = pg_feed_find(feed, input->name);
        if (value == NULL || (value->kind == PG_VALUE_NONE && input->type.kind != PG_TYPE_OPTIONAL))
            return missing_input(input, feed);
        if (!value_fits(&input->type, value))
            return wrong_input(input, value);
    }
    return NULL;
}

#include "data/loader.h"

#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "log/log.h"
#include "onnx/text.h"
#include "tensor/dtype_convert.h"
#include "tensor/number_text.h"
#include "tensor/random.h"
#include "tensor/text.h"

const pg_loader_options pg_loader_defaults = {.seed = 1};

/* ---- Shapes as text ---- */

/* "'N'", "None" or a number. */
static void put_dim(pg_buf *out, const pg_dim *dim)
{
    if (dim->has_value)
        pg_buf_printf(out, "%lld", (long long)dim->value);
    else if (dim->name.len > 0)
        pg_text_quote(out, dim->name);
    else
        pg_buf_puts(out, "None");
}

/* As the peer prints a shape of its own kind. */
static void put_model_shape(pg_buf *out, const pg_type *type)
{
    pg_buf_puts(out, "BoundedShape([");
    for (uint32_t i = 0; i < type->rank; i++) {
        pg_buf_puts(out, i > 0 ? ", " : "");
        put_dim(out, &type->dims[i]);
    }
    pg_buf_puts(out, "], min=None, max=None)");
}

static void put_list(pg_buf *out, size_t rank, const int64_t *dims)
{
    pg_buf_putc(out, '[');
    for (size_t i = 0; i < rank; i++)
        pg_buf_printf(out, "%s%lld", i > 0 ? ", " : "", (long long)dims[i]);
    pg_buf_putc(out, ']');
}

void pg_loader_announce(const pg_loader_options *options)
{
    pg_buf text = {0};
    if (options->n_shapes == 0)
        return;
    for (size_t i = 0; i < options->n_shapes; i++) {
        pg_buf_puts(&text, i > 0 ? ",\n " : "");
        pg_buf_add_str(&text, options->shapes[i].name);
        pg_buf_puts(&text, " [shape=");
        pg_shape_text(&text, options->shapes[i].rank, options->shapes[i].dims);
        pg_buf_putc(&text, ']');
    }
    PG_LOG_INFO("Will generate inference input data according to provided TensorMetadata: {%s}",
                pg_buf_cstr(&text));
    pg_buf_deinit(&text);
}

static void put_input(pg_buf *out, const pg_io *input)
{
    const char *dtype = pg_onnx_type_name(input->type.data_type);
    pg_buf_add_str(out, input->name);
    if (input->type.kind != PG_TYPE_TENSOR)
        return;
    pg_buf_printf(out, " [dtype=%s", dtype != NULL ? dtype : "None");
    for (uint32_t i = 0; input->type.has_shape && i < input->type.rank; i++) {
        pg_buf_puts(out, i > 0 ? ", " : ", shape=(");
        put_dim(out, &input->type.dims[i]);
    }
    if (input->type.has_shape)
        pg_buf_puts(out, input->type.rank == 0 ? ", shape=()" : input->type.rank == 1 ? ",)" : ")");
    pg_buf_putc(out, ']');
}

void pg_loader_announce_inputs(pg_io_list inputs)
{
    pg_buf text = {0};
    for (size_t i = 0; i < inputs.count; i++) {
        pg_buf_puts(&text, i > 0 ? ",\n " : "");
        put_input(&text, &inputs.items[i]);
    }
    PG_LOG_INFO("Will generate inference input data according to provided TensorMetadata: {%s}",
                pg_buf_cstr(&text));
    pg_buf_deinit(&text);
}

/* ---- Which shape ---- */

static bool is_wildcard(pg_str name)
{
    return pg_str_find(name, '*') != SIZE_MAX || pg_str_find(name, '?') != SIZE_MAX ||
           pg_str_find(name, '[') != SIZE_MAX;
}

static bool shape_matches(const pg_input_shape *shape, pg_io_list inputs, pg_str name)
{
    if (shape->name.len == 0)
        return inputs.count == 1;
    return pg_str_eq(shape->name, name) || pg_str_wildcard(shape->name, name);
}

static pg_status unknown_input(const pg_input_shape *shape, pg_io_list inputs)
{
    pg_buf names = {0};
    for (size_t i = 0; i < inputs.count; i++)
        pg_buf_printf(&names, "%s'%" PG_STR_FMT "'", i > 0 ? ", " : "", PG_STR_ARG(inputs.items[i].name));
    pg_status status;
    if (shape->name.len == 0)
        status =
            pg_err(PG_ERR_INVALID,
                   "an input shape without a name fits models with one input; this model's inputs are: %s",
                   pg_buf_cstr(&names));
    else
        status =
            pg_err(PG_ERR_INVALID, "input shapes name %s'%" PG_STR_FMT "', but the model's inputs are: %s",
                   is_wildcard(shape->name) ? "the pattern " : "", PG_STR_ARG(shape->name),
                   names.len > 0 ? pg_buf_cstr(&names) : "none");
    pg_buf_deinit(&names);
    return status;
}

static pg_status check_names(const pg_loader_options *options, pg_io_list inputs)
{
    for (size_t s = 0; s < options->n_shapes; s++) {
        bool found = false;
        for (size_t i = 0; i < inputs.count; i++)
            found = found || shape_matches(&options->shapes[s], inputs, inputs.items[i].name);
        if (!found)
            return unknown_input(&options->shapes[s], inputs);
    }
    return NULL;
}

static const pg_input_shape *find_shape(const pg_loader_options *options, pg_io_list inputs, pg_str name)
{
    for (size_t s = options->n_shapes; s-- > 0;)
        if (shape_matches(&options->shapes[s], inputs, name))
            return &options->shapes[s];
    return NULL;
}

static bool is_open(const pg_dim *dim)
{
    return !dim->has_value || dim->value < 0;
}

static bool has_open_dim(size_t rank, const int64_t *dims)
{
    for (size_t i = 0; i < rank; i++)
        if (dims[i] < 0)
            return true;
    return false;
}

/* Same rank, and the dims that the model fixes. */
static bool overrides(const pg_input_shape *shape, const pg_type *type)
{
    if (!type->has_shape)
        return true;
    if (shape->rank != type->rank)
        return false;
    for (uint32_t i = 0; i < type->rank; i++)
        if (!is_open(&type->dims[i]) && type->dims[i].value != shape->dims[i])
            return false;
    return true;
}

static bool is_shape_tensor(const pg_input_shape *shape, const pg_io *input)
{
    const pg_type *type = &input->type;
    return shape != NULL && !is_wildcard(shape->name) && pg_dtype_is_integer(type->elem) && type->has_shape &&
           type->rank == 1 && !is_open(&type->dims[0]) && !has_open_dim(shape->rank, shape->dims) &&
           (uint64_t)type->dims[0].value == shape->rank;
}

/* A shape with open dims cannot make data: the model's own is used, as the peer does, with a warning. One
 * that contradicts the model is a mistake of the command line: running another shape than the one asked for
 * would hide it. */
static pg_status refuse_shape(const pg_io *input, const pg_input_shape *shape)
{
    pg_buf own = {0}, given = {0};
    pg_status status = NULL;
    put_model_shape(&own, &input->type);
    put_list(&given, shape->rank, shape->dims);
    if (has_open_dim(shape->rank, shape->dims))
        PG_LOG_ONCE(
            PG_WARNING,
            "Input tensor: %" PG_STR_FMT " [shape=%s] | Provided input shape: BoundedShape(%s, "
            "min=None, max=None) is dynamic.\nDynamic shapes cannot be used to generate inference data. "
            "Will use default shape instead.\nTo avoid this, please provide a fixed shape to the data "
            "loader. ",
            PG_STR_ARG(input->name), pg_buf_cstr(&own), pg_buf_cstr(&given));
    else
        status = pg_err(PG_ERR_INVALID,
                        "input '%" PG_STR_FMT
                        "' cannot have the shape %s that --input-shapes gives: the model states %s",
                        PG_STR_ARG(input->name), pg_buf_cstr(&given), pg_buf_cstr(&own));
    pg_buf_deinit(&own);
    pg_buf_deinit(&given);
    return status;
}

/* The model's own shape, with 1 for every open dim. */
static pg_status default_shape(const pg_io *input, size_t *out_rank, int64_t *out_dims)
{
    bool open = false;
    if (!input->type.has_shape)
        return pg_err(PG_ERR_INVALID,
                      "input '%" PG_STR_FMT
                      "' states no shape, not even its rank: give one with --input-shapes",
                      PG_STR_ARG(input->name));
    if (input->type.rank > PG_MAX_RANK)
        return pg_err(PG_ERR_LIMIT, "input '%" PG_STR_FMT "' has rank %u, beyond the limit of %d",
                      PG_STR_ARG(input->name), (unsigned)input->type.rank, PG_MAX_RANK);
    *out_rank = input->type.rank;
    for (uint32_t i = 0; i < input->type.rank; i++) {
        open = open || is_open(&input->type.dims[i]);
        out_dims[i] = is_open(&input->type.dims[i]) ? 1 : input->type.dims[i].value;
    }
    if (!open)
        return NULL;
    pg_buf own = {0}, used = {0};
    put_model_shape(&own, &input->type);
    put_list(&used, *out_rank, out_dims);
    PG_LOG_ONCE(PG_WARNING,
                "Input tensor: %" PG_STR_FMT " [shape=%s] | Will generate data of shape: %s.\nIf this is "
                "incorrect, please provide a custom data loader.",
                PG_STR_ARG(input->name), pg_buf_cstr(&own), pg_buf_cstr(&used));
    pg_buf_deinit(&own);
    pg_buf_deinit(&used);
    return NULL;
}

/* ---- Which range ---- */

typedef struct value_range {
    pg_range_bound low, high;
} value_range;

static const pg_range_bound zero = {.given = true, .real = 0}, one = {.given = true, .real = 1};

static value_range find_range(const pg_loader_options *options, pg_str name, bool whole)
{
    value_range range = whole ? (value_range){options->int_low, options->int_high}
                              : (value_range){options->float_low, options->float_high};
    const pg_input_range *found = NULL;
    for (size_t i = 0; i < options->n_ranges; i++)
        if (pg_str_eq(options->ranges[i].name, name))
            found = &options->ranges[i];
    for (size_t i = 0; found == NULL && i < options->n_ranges; i++)
        if (options->ranges[i].name.len == 0)
            found = &options->ranges[i];
    if (found != NULL)
        range = (value_range){found->low, found->high};
    if (!range.low.given)
        range.low = zero;
    if (!range.high.given)
        range.high = one;
    return range;
}

/* A bound of an integer or bool input. */
static pg_status whole_bound(const pg_io *input, pg_range_bound bound, int64_t *out)
{
    if (input->type.elem == PG_BOOL) {
        *out = bound.is_integer ? bound.integer != 0 : bound.real != 0;
        return NULL;
    }
    if (bound.is_integer) {
        *out = bound.integer;
        return NULL;
    }
    if (!(bound.real > -0x1p63 && bound.real < 0x1p63))
        return pg_err(PG_ERR_INVALID,
                      "the range of input '%" PG_STR_FMT "' has the bound %g, which no %s holds",
                      PG_STR_ARG(input->name), bound.real, pg_dtype_name(input->type.elem));
    *out = (int64_t)bound.real;
    return NULL;
}

/* Lowest and highest value of a type, as far as int64 goes. */
static void type_limits(pg_dtype dtype, int64_t *low, int64_t *high)
{
    unsigned bits = pg_dtype_get(dtype)->bits;
    bool is_signed = pg_dtype_kind_of(dtype) == PG_KIND_INT;
    *high = bits == 64 ? INT64_MAX : (int64_t)(((uint64_t)1 << (is_signed ? bits - 1 : bits)) - 1);
    *low = is_signed ? -*high - 1 : 0;
    if (dtype == PG_BOOL)
        *high = 1;
}

static pg_status fill_whole(pg_random *random, const pg_io *input, value_range range, pg_tensor *tensor)
{
    int64_t low, high, lowest, highest;
    PG_TRY(whole_bound(input, range.low, &low));
    PG_TRY(whole_bound(input, range.high, &high));
    type_limits(tensor->dtype, &lowest, &highest);
    if (low > high)
        return pg_err(PG_ERR_INVALID, "the range of input '%" PG_STR_FMT "' is empty: %lld is above %lld",
                      PG_STR_ARG(input->name), (long long)low, (long long)high);
    if (low < lowest || high > highest)
        return pg_err(PG_ERR_INVALID,
                      "the range [%lld, %lld] of input '%" PG_STR_FMT "' does not fit its type %s",
                      (long long)low, (long long)high, PG_STR_ARG(input->name), pg_dtype_name(tensor->dtype));
    if (tensor->dtype == PG_BOOL)
        PG_LOG_ONCE(PG_VERBOSE, "Input tensor: %" PG_STR_FMT " | Generating input data in range: [%s, %s]",
                    PG_STR_ARG(input->name), low ? "True" : "False", high ? "True" : "False");
    else
        PG_LOG_ONCE(PG_VERBOSE,
                    "Input tensor: %" PG_STR_FMT " | Generating input data in range: [%lld, %lld]",
                    PG_STR_ARG(input->name), (long long)low, (long long)high);
    pg_random_fill_int(random, low, high, tensor);
    return NULL;
}

static void fill_real(pg_random *random, const pg_io *input, value_range range, pg_tensor *tensor)
{
    double low = range.low.real, high = range.high.real, scale = high - low, shift = low;
    pg_buf text = {0};
    pg_text_repr(&text, low);
    pg_buf_puts(&text, ", ");
    pg_text_repr(&text, high);
    PG_LOG_ONCE(PG_VERBOSE, "Input tensor: %" PG_STR_FMT " | Generating input data in range: [%s]",
                PG_STR_ARG(input->name), pg_buf_cstr(&text));
    pg_buf_deinit(&text);
    /* The difference of two infinities would be NaN: an infinite bound becomes the scale. */
    if (isinf(low)) {
        scale = low;
        shift = 0;
    }
    if (isinf(high))
        scale = high;
    pg_random_fill_float(random, scale, shift, tensor);
}

/* ---- One input ---- */

static bool has_random_values(pg_dtype dtype)
{
    if (dtype == PG_F16 || dtype == PG_F32 || dtype == PG_F64 || dtype == PG_BOOL)
        return true;
    return pg_dtype_is_integer(dtype) && pg_dtype_get(dtype)->bits >= 8;
}

static pg_status check_type(const pg_io *input)
{
    static const char *const kinds[] = {
        "of no stated kind", "a tensor", "a sparse tensor", "a sequence", "a map", "optional", "opaque"};
    if (input->type.kind != PG_TYPE_TENSOR)
        return pg_err(PG_ERR_UNSUPPORTED,
                      "input '%" PG_STR_FMT
                      "' is %s, and the default data loader only makes tensors. Please use "
                      "a custom data loader to provide inputs",
                      PG_STR_ARG(input->name), kinds[input->type.kind]);
    if (has_random_values(input->type.elem))
        return NULL;
    return pg_err(
        PG_ERR_UNSUPPORTED,
        "Could not convert data type: %s to numpy, so the default data loader cannot generate a numpy "
        "array for input: %" PG_STR_FMT ". Please use a custom data loader to provide inputs",
        pg_dtype_name(input->type.elem), PG_STR_ARG(input->name));
}

/* A tensor that holds the user's shape as its values. */
static pg_status make_shape_tensor(const pg_io *input, const pg_input_shape *shape, pg_tensor *out)
{
    pg_tensor values;
    int64_t lowest, highest, count = (int64_t)shape->rank;
    type_limits(input->type.elem, &lowest, &highest);
    for (size_t i = 0; i < shape->rank; i++)
        if (shape->dims[i] > highest)
            return pg_err(
                PG_ERR_INVALID,
                "input '%" PG_STR_FMT "' takes a shape as its values, but %lld does not fit its type %s",
                PG_STR_ARG(input->name), (long long)shape->dims[i], pg_dtype_name(input->type.elem));
    PG_TRY(pg_tensor_borrow(&values, PG_I64, 1, &count, shape->dims));
    PG_TRY(pg_tensor_alloc(out, input->type.elem, 1, &count));
    pg_convert(PG_I64, values.data, input->type.elem, out->data, shape->rank, &pg_cast_numpy);
    pg_buf text = {0};
    pg_tensor_text(&text, out, NULL);
    PG_LOG_ONCE(PG_INFO,
                "Assuming %" PG_STR_FMT
                " is a shape tensor. Setting input values to: %s. If these values are not "
                "correct, please set it correctly in 'input_metadata' or by providing --input-shapes",
                PG_STR_ARG(input->name), pg_buf_cstr(&text));
    pg_buf_deinit(&text);
    return NULL;
}

static pg_status make_input(const pg_loader_options *options, pg_io_list inputs, const pg_io *input,
                            pg_random *random, pg_tensor *out)
{
    const pg_input_shape *shape = find_shape(options, inputs, input->name);
    PG_TRY(check_type(input));
    if (is_shape_tensor(shape, input))
        return make_shape_tensor(input, shape, out);
    size_t rank;
    int64_t dims[PG_MAX_RANK];
    if (shape != NULL && shape->rank <= PG_MAX_RANK && overrides(shape, &input->type) &&
        !has_open_dim(shape->rank, shape->dims)) {
        rank = shape->rank;
        memcpy(dims, shape->dims, rank * sizeof *dims);
    } else {
        if (shape != NULL)
            PG_TRY(refuse_shape(input, shape));
        PG_TRY(default_shape(input, &rank, dims));
    }
    PG_TRY_CTX(pg_tensor_alloc(out, input->type.elem, rank, dims), "for input '%" PG_STR_FMT "'",
               PG_STR_ARG(input->name));
    bool whole = !pg_dtype_is_float(input->type.elem);
    value_range range = find_range(options, input->name, whole);
    if (!whole) {
        fill_real(random, input, range, out);
        return NULL;
    }
    pg_status status = fill_whole(random, input, range, out);
    if (status != NULL)
        pg_tensor_deinit(out);
    return status;
}

static void warn_unused_ranges(const pg_loader_options *options, pg_io_list inputs)
{
    for (size_t r = 0; r < options->n_ranges; r++) {
        bool used = options->ranges[r].name.len == 0;
        for (size_t i = 0; i < inputs.count; i++)
            used = used || pg_str_eq(options->ranges[r].name, inputs.items[i].name);
        if (!used)
            PG_LOG_ONCE(PG_WARNING,
                        "Extra items in val_range: {'%" PG_STR_FMT "'}.\nNote: no input has this name",
                        PG_STR_ARG(options->ranges[r].name));
    }
}

pg_status pg_loader_get(const pg_loader_options *options, pg_io_list inputs, uint64_t iteration, pg_feed *out)
{
    pg_random random;
    *out = (pg_feed){0};
    PG_TRY(check_names(options, inputs));
    if (options->seed < 0 || options->seed > UINT32_MAX || iteration > UINT32_MAX - (uint64_t)options->seed)
        return pg_err(PG_ERR_INVALID, "seed %lld of iteration %llu is outside 0 .. 4294967295",
                      (long long)options->seed, (unsigned long long)iteration);
    uint32_t seed = (uint32_t)((uint64_t)options->seed + iteration);
    PG_LOG_VERBOSE("Generating data using numpy seed: %u", (unsigned)seed);
    pg_random_seed(&random, seed);
    for (size_t i = 0; i < inputs.count; i++) {
        pg_tensor tensor;
        pg_status status = make_input(options, inputs, &inputs.items[i], &random, &tensor);
        if (status != NULL) {
            pg_feed_deinit(out);
            return status;
        }
        pg_feed_add(out, inputs.items[i].name, pg_value_of_tensor(tensor));
    }
    warn_unused_ranges(options, inputs);
    return NULL;
}

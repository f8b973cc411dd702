#include "base/alloc.h"
#include "log/log.h"
#include "runner/runner.h"
#include "tensor/dtype_convert.h"
#include "tensor/permute.h"

/* By exact name, or by a name that contains the other in any case. The peer goes on by position; data under a
 * name that has nothing to do with the input is rather a mistake. */
static const pg_named_value *find_input(const pg_feed *feed, pg_str name)
{
    for (size_t i = 0; i < feed->count; i++)
        if (pg_str_is(name, feed->items[i].name))
            return &feed->items[i];
    for (size_t i = 0; i < feed->count; i++) {
        pg_str other = pg_str_c(feed->items[i].name);
        if (pg_str_contains_nocase(name, other) || pg_str_contains_nocase(other, name))
            return &feed->items[i];
    }
    return NULL;
}

static pg_status missing_input(const pg_feed *feed, pg_str name)
{
    pg_buf names = {0};
    for (size_t i = 0; i < feed->count; i++)
        pg_buf_printf(&names, "%s'%s'", i > 0 ? ", " : "", feed->items[i].name);
    pg_status status = pg_err(PG_ERR_INVALID,
                              "the input data has nothing for the model's input '%" PG_STR_FMT "'; it has %s",
                              PG_STR_ARG(name), names.len > 0 ? pg_buf_cstr(&names) : "no tensors");
    pg_buf_deinit(&names);
    return status;
}

static pg_status cast_tensor(const pg_io *input, pg_tensor *tensor)
{
    pg_tensor cast = {0};
    PG_LOG_WARNING("Input tensor: %" PG_STR_FMT
                   " | Buffer dtype (%s) does not match expected input dtype (%s), attempting to cast.",
                   PG_STR_ARG(input->name), pg_dtype_name(tensor->dtype), pg_dtype_name(input->type.elem));
    PG_TRY(pg_tensor_cast(tensor, input->type.elem, &pg_cast_numpy, &cast));
    pg_tensor_deinit(tensor);
    *tensor = cast;
    return NULL;
}

/* The dims the input asks for, with at most one open dim filled so that the elements fit; false when they
 * cannot. */
static bool wanted_dims(const pg_type *type, const pg_tensor *tensor, int64_t *dims)
{
    uint64_t known = 1, count = pg_tensor_count(tensor);
    size_t n_open = 0, open = 0;
    for (size_t i = 0; i < type->rank; i++) {
        bool fixed = type->dims[i].has_value && type->dims[i].value >= 0;
        dims[i] = fixed ? type->dims[i].value : 1;
        if (fixed && pg_mul_overflow(known, (uint64_t)dims[i], &known))
            return false;
        if (!fixed) {
            n_open++;
            open = i;
        }
    }
    if (n_open == 0 || known == 0)
        return n_open == 0 && known == count;
    dims[open] = (int64_t)(count / known);
    return n_open == 1 && count % known == 0;
}

static bool shape_fits(const pg_type *type, const pg_tensor *tensor)
{
    bool fits = !type->has_shape || type->rank == tensor->rank;
    for (size_t i = 0; fits && type->has_shape && i < type->rank; i++)
        fits = !type->dims[i].has_value || type->dims[i].value < 0 || type->dims[i].value == tensor->dims[i];
    return fits;
}

/* As the peer: axes in another order where that is enough, else the same elements under other dims. */
static pg_status reshape_tensor(const pg_io *input, pg_tensor *tensor)
{
    int64_t dims[PG_MAX_RANK];
    if (input->type.rank > PG_MAX_RANK || !wanted_dims(&input->type, tensor, dims))
        return NULL; /* the runner's own check tells what is wrong */
    size_t perm[PG_MAX_RANK];
    bool permuted = pg_permutation_find(tensor, input->type.rank, dims, perm);
    pg_buf found = {0}, wanted = {0};
    pg_shape_text(&found, tensor->rank, tensor->dims);
    pg_shape_text(&wanted, input->type.rank, dims);
    PG_LOG_WARNING("Input tensor: %" PG_STR_FMT
                   " | Buffer shape (%s) does not match expected input shape (%s). Attempting to %s.",
                   PG_STR_ARG(input->name), pg_buf_cstr(&found), pg_buf_cstr(&wanted),
                   permuted ? "permute" : "reshape");
    pg_buf_deinit(&found);
    pg_buf_deinit(&wanted);
    if (!permuted)
        return pg_tensor_reshape(tensor, input->type.rank, dims);
    pg_tensor moved;
    PG_TRY(pg_tensor_permute(tensor, perm, &moved));
    pg_tensor_deinit(tensor);
    *tensor = moved;
    return NULL;
}

static pg_status fit_value(const pg_io *input, pg_value *value)
{
    if (input->type.kind != PG_TYPE_TENSOR || value->kind != PG_VALUE_TENSOR)
        return NULL;
    if (input->type.elem != PG_UNDEFINED && input->type.elem != value->tensor.dtype)
        PG_TRY_CTX(cast_tensor(input, &value->tensor), "while casting input '%" PG_STR_FMT "'",
                   PG_STR_ARG(input->name));
    return shape_fits(&input->type, &value->tensor) ? NULL : reshape_tensor(input, &value->tensor);
}

pg_status pg_feed_fit(const pg_feed *feed, pg_io_list inputs, pg_feed *out)
{
    for (size_t i = 0; i < inputs.count; i++) {
        const pg_io *input = &inputs.items[i];
        const pg_named_value *found = find_input(feed, input->name);
        if (found == NULL)
            return missing_input(feed, input->name);
        if (!pg_str_is(input->name, found->name))
            PG_LOG_WARNING("Input tensor: %" PG_STR_FMT
                           " | Buffer name (%s) does not match expected input name (%" PG_STR_FMT ").",
                           PG_STR_ARG(input->name), found->name, PG_STR_ARG(input->name));
        PG_TRY(fit_value(input, pg_feed_add(out, input->name, pg_value_share(&found->value))));
    }
    return NULL;
}

pg_status pg_runner_fit(pg_runner *runner, const pg_feed *feed, pg_feed *out)
{
    return pg_feed_fit(feed, runner->ops->inputs(runner), out);
}

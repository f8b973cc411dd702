/* Which output belongs to which, and how shapes are brought together. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "compare/internal.h"
#include "log/log.h"
#include "tensor/permute.h"

/* ---- Names ---- */

static bool alike(pg_str a, pg_str b)
{
    return pg_str_contains_nocase(a, b) || pg_str_contains_nocase(b, a);
}

/* The index of the output with this name, else of the first that contains it or is contained in it, ignoring
 * case, else `position`; SIZE_MAX when that is beyond the end. */
static size_t find_output(const pg_feed *outputs, pg_str name, size_t position)
{
    for (size_t i = 0; i < outputs->count; i++)
        if (pg_str_is(name, outputs->items[i].name))
            return i;
    for (size_t i = 0; i < outputs->count; i++)
        if (alike(name, pg_str_c(outputs->items[i].name)))
            return i;
    return position < outputs->count ? position : SIZE_MAX;
}

const pg_named_value *pg_match_output(const pg_iteration *base, size_t index, const pg_iteration *other)
{
    pg_str name = pg_str_c(base->outputs.items[index].name);
    size_t found = find_output(&other->outputs, name, index);
    if (found == SIZE_MAX)
        return NULL;
    const pg_named_value *item = &other->outputs.items[found];
    pg_str found_name = pg_str_c(item->name);
    if (pg_str_eq(found_name, name))
        return item;
    size_t back = find_output(&base->outputs, found_name, SIZE_MAX);
    if (back != SIZE_MAX && pg_str_is(found_name, base->outputs.items[back].name)) {
        PG_LOG_VERBOSE("Will not compare %s with %s, since the former already has an exact match: %s",
                       item->name, base->outputs.items[index].name, item->name);
        return NULL;
    }
    PG_LOG_WARNING("Output names did not match exactly. Assuming %s output: %s corresponds to output: %s",
                   other->runner_name != NULL ? other->runner_name : "", item->name,
                   base->outputs.items[index].name);
    return item;
}

/* ---- Shapes ---- */

static void log_reshaped(const pg_tensor *from, const pg_tensor *to)
{
    pg_buf before = {0}, after = {0};
    pg_shape_text(&before, from->rank, from->dims);
    pg_shape_text(&after, to->rank, to->dims);
    PG_LOG_INFO("Reshaped array from shape: %s to: %s", pg_buf_cstr(&before), pg_buf_cstr(&after));
    pg_buf_deinit(&before);
    pg_buf_deinit(&after);
}

/* Replaces *tensor by a view in the wanted shape; leaves it with a warning when the counts differ. */
static void try_reshape(pg_tensor *tensor, const pg_tensor *like)
{
    pg_tensor view = pg_tensor_share(tensor);
    pg_status status = pg_tensor_reshape(&view, like->rank, like->dims);
    if (status != NULL) {
        pg_buf from = {0}, to = {0};
        pg_shape_text(&from, tensor->rank, tensor->dims);
        pg_shape_text(&to, like->rank, like->dims);
        PG_LOG_WARNING("Could not reshape array from shape: %s to %s. Skipping reshape.", pg_buf_cstr(&from),
                       pg_buf_cstr(&to));
        pg_buf_deinit(&from);
        pg_buf_deinit(&to);
        pg_status_drop(status);
        pg_tensor_deinit(&view);
        return;
    }
    if (!pg_tensor_same_shape(tensor, &view))
        log_reshaped(tensor, &view);
    pg_tensor_deinit(tensor);
    *tensor = view;
}

static void log_permuted(const pg_tensor *from, const pg_tensor *to, const size_t *perm)
{
    pg_buf before = {0}, after = {0}, axes = {0};
    pg_shape_text(&before, from->rank, from->dims);
    pg_shape_text(&after, to->rank, to->dims);
    for (size_t i = 0; i < to->rank; i++)
        pg_buf_printf(&axes, "%s%zu", i > 0 ? ", " : "", perm[i]);
    PG_LOG_INFO("Permuted array of shape: %s to: %s using permutation [%s]", pg_buf_cstr(&before),
                pg_buf_cstr(&after), pg_buf_cstr(&axes));
    pg_buf_deinit(&before);
    pg_buf_deinit(&after);
    pg_buf_deinit(&axes);
}

static pg_status try_permute(pg_tensor *tensor, const pg_tensor *like, bool *out_permuted)
{
    size_t perm[PG_MAX_RANK];
    if (!pg_permutation_find(tensor, like->rank, like->dims, perm)) {
        pg_buf from = {0}, to = {0};
        pg_shape_text(&from, tensor->rank, tensor->dims);
        pg_shape_text(&to, like->rank, like->dims);
        PG_LOG(PG_EXTRA_VERBOSE, "Array of shape: %s cannot be permuted to: %s", pg_buf_cstr(&from),
               pg_buf_cstr(&to));
        pg_buf_deinit(&from);
        pg_buf_deinit(&to);
        return NULL;
    }
    if (pg_tensor_same_shape(tensor, like))
        return NULL;
    pg_tensor permuted;
    PG_TRY(pg_tensor_permute(tensor, perm, &permuted));
    log_permuted(tensor, &permuted, perm);
    pg_tensor_deinit(tensor);
    *tensor = permuted;
    *out_permuted = true;
    return NULL;
}

pg_status pg_match_shape(const pg_tensor *b, const pg_tensor *a, pg_tensor *out, bool *out_permuted)
{
    *out = pg_tensor_share(b);
    *out_permuted = false;
    if (pg_tensor_same_shape(b, a))
        return NULL;
    if (out->rank != a->rank)
        try_reshape(out, a);
    pg_status status = out->rank == a->rank ? try_permute(out, a, out_permuted) : NULL;
    if (status != NULL) {
        pg_tensor_deinit(out);
        return status;
    }
    try_reshape(out, a);
    return NULL;
}

pg_status pg_compare_align(const pg_compare_call *call, const pg_compare_item *item,
                           pg_output_comparison *out, pg_tensor *aligned, bool *out_permuted)
{
    const pg_tensor *a = &item->value0->tensor, *b = &item->value1->tensor;
    pg_buf left = {0}, right = {0};
    pg_status status = NULL;
    pg_shape_text(&left, a->rank, a->dims);
    pg_shape_text(&right, b->rank, b->dims);
    if (!call->options->no_shape_check && !pg_tensor_same_shape(a, b)) {
        out->problem = PG_COMPARE_SHAPES;
        PG_LOG_ERROR("FAILED | Output: `%s` | Will not compare outputs of different shapes.\n"
                     "Note: Output shapes are %s and %s.",
                     item->name0, pg_buf_cstr(&left), pg_buf_cstr(&right));
        PG_LOG_ONCE(PG_ERROR, "Note: Use --no-shape-check or set check_shapes=False to attempt to compare "
                              "values anyway.");
        goto done;
    }
    PG_TRY_GOTO(status, pg_match_shape(b, a, aligned, out_permuted));
    if (pg_tensor_count(aligned) != pg_tensor_count(a)) {
        out->problem = PG_COMPARE_UNALIGNABLE;
        PG_LOG_ERROR("FAILED | Output: '%s' | Shapes %s and %s hold different numbers of elements",
                     item->name0, pg_buf_cstr(&left), pg_buf_cstr(&right));
        pg_tensor_deinit(aligned);
        goto done;
    }
    out->rank = a->rank;
    memcpy(out->dims, a->dims, a->rank * sizeof a->dims[0]);
    out->count = pg_tensor_count(a);
done:
    pg_buf_deinit(&left);
    pg_buf_deinit(&right);
    return status;
}

/* Lists of indices, such as a top-k's: each index may stand a few places off. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "compare/internal.h"
#include "log/log.h"
#include "tensor/text.h"

/* Where a value stands in a row; sorted by value, then by place. */
typedef struct place {
    uint64_t bits; /* equal for equal values */
    uint64_t index;
    bool comparable; /* false for NaN, which equals nothing */
} place;

typedef struct row_pair {
    const pg_tensor *a, *b;
    bool integers;
    uint64_t begin;  /* of the row in both */
    uint64_t length; /* of the row; the last `tolerance` places of a are not looked at */
    place *sorted;   /* places of b's row; made when first needed */
    bool is_sorted;
} row_pair;

static place place_of(const row_pair *row, const pg_tensor *tensor, uint64_t index)
{
    place result = {.index = index, .comparable = true};
    if (row->integers) {
        result.bits = (uint64_t)pg_tensor_get_i64(tensor, row->begin + index);
        return result;
    }
    double value = pg_tensor_get_f64(tensor, row->begin + index) + 0.0;
    result.comparable = value == value;
    memcpy(&result.bits, &value, sizeof value);
    return result;
}

static int compare_places(const void *a, const void *b)
{
    const place *x = a, *y = b;
    if (x->bits != y->bits)
        return x->bits < y->bits ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

/* The first place of a value in b's row, or UINT64_MAX. */
static uint64_t find_place(row_pair *row, place wanted)
{
    if (!row->is_sorted) {
        for (uint64_t i = 0; i < row->length; i++)
            row->sorted[i] = place_of(row, row->b, i);
        qsort(row->sorted, row->length, sizeof *row->sorted, compare_places);
        row->is_sorted = true;
    }
    uint64_t low = 0, high = row->length;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (row->sorted[middle].bits < wanted.bits)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = wanted.comparable && low < row->length && row->sorted[low].bits == wanted.bits;
    return found ? row->sorted[low].index : UINT64_MAX;
}

static void note_mismatch(pg_output_comparison *out, uint64_t index, int64_t distance)
{
    pg_element_diff element = {.index = index, .abs = (double)distance};
    bool worse = !out->has_elements || (distance < 0 && out->worst.abs >= 0) ||
                 (out->worst.abs >= 0 && element.abs > out->worst.abs);
    if (!out->has_elements)
        out->first = element;
    if (worse)
        out->worst = element;
    out->has_elements = true;
    out->mismatches++;
    if (distance < 0 || out->required_index_tolerance < 0)
        out->required_index_tolerance = -1;
    else
        out->required_index_tolerance = PG_MAX(out->required_index_tolerance, distance);
}

/* One element; false when it is a mismatch. */
static bool check_place(row_pair *row, uint64_t i, pg_output_comparison *out)
{
    place wanted = place_of(row, row->a, i), there = place_of(row, row->b, i);
    if (wanted.comparable && wanted.bits == there.bits)
        return true;
    uint64_t found = find_place(row, wanted);
    if (found == UINT64_MAX) {
        pg_buf text = {0};
        pg_tensor_text_element(&text, row->a, row->begin + i);
        PG_LOG_ERROR("FAILED | Value: %s not found in output", pg_buf_cstr(&text));
        pg_buf_deinit(&text);
        note_mismatch(out, row->begin + i, -1);
        return false;
    }
    int64_t distance = (int64_t)(found > i ? found - i : i - found);
    if (distance <= out->index_tolerance)
        return true;
    PG_LOG_ERROR("FAILED | Difference exceeds index tolerance (%lld)", (long long)out->index_tolerance);
    note_mismatch(out, row->begin + i, distance);
    return false;
}

static void check_rows(const pg_compare_call *call, row_pair *row, pg_output_comparison *out)
{
    uint64_t looked_at =
        row->length - PG_MIN(row->length, (uint64_t)PG_MAX(out->index_tolerance, (int64_t)0));
    for (row->begin = 0; row->begin < out->count; row->begin += row->length) {
        row->is_sorted = false;
        for (uint64_t i = 0; i < looked_at; i++)
            if (!check_place(row, i, out) && call->options->fail_fast)
                return;
    }
}

static void log_culprit(const row_pair *row, const pg_compare_call *call, const pg_output_comparison *out)
{
    pg_buf text = {0};
    pg_buf_puts(&text, "Worst Element: ");
    pg_report_index(&text, out->worst.index, row->a);
    pg_buf_printf(&text, " | %s: ", call->run0);
    pg_tensor_text_element(&text, row->a, out->worst.index);
    pg_buf_printf(&text, ", %s: ", call->run1);
    pg_tensor_text_element(&text, row->b, out->worst.index);
    pg_buf_printf(&text, " | %llu of %llu elements mismatch", (unsigned long long)out->mismatches,
                  (unsigned long long)out->count);
    if (out->required_index_tolerance < 0)
        pg_buf_puts(&text, " | no index tolerance accepts a missing value");
    else if (!call->options->fail_fast)
        pg_buf_printf(&text, " | would pass with --index-tolerance %lld",
                      (long long)out->required_index_tolerance);
    PG_LOG_INFO("%s", pg_buf_cstr(&text));
    pg_buf_deinit(&text);
}

pg_status pg_compare_indices(const pg_compare_call *call, pg_compare_item *item, pg_output_comparison *out)
{
    const pg_tensor *a = &item->value0->tensor, *b = &item->value1->tensor;
    double tolerance = pg_output_number_for(call->options->index_tolerance, item->option_name, 0).value;
    if (!(tolerance >= 0 && tolerance <= 9e15))
        return pg_err(PG_ERR_INVALID, "index tolerance %g of output '%s' is not a number of places",
                      tolerance, item->name0);
    out->index_tolerance = (int64_t)tolerance;
    if (pg_cast_up(a->dtype) == PG_UNDEFINED)
        return pg_err(PG_ERR_UNSUPPORTED, "output '%s' of type %s cannot be compared as indices", item->name0,
                      pg_dtype_name(a->dtype));
    if (!pg_tensor_same_shape(a, b)) {
        out->problem = PG_COMPARE_SHAPES;
        PG_LOG_ERROR("Cannot compare outputs of different shapes.");
        return NULL;
    }
    out->rank = a->rank;
    memcpy(out->dims, a->dims, a->rank * sizeof a->dims[0]);
    out->count = pg_tensor_count(a);
    row_pair row = {.a = a, .b = b, .length = a->rank > 0 ? (uint64_t)a->dims[a->rank - 1] : 1};
    row.integers = !pg_dtype_is_float(a->dtype) && !pg_dtype_is_float(b->dtype);
    row.sorted = pg_calloc(PG_MAX(row.length, (uint64_t)1), sizeof *row.sorted);
    if (out->count > 0)
        check_rows(call, &row, out);
    out->passed = out->mismatches == 0;
    if (out->passed)
        PG_LOG(PG_FINISH, "PASSED | Difference is within index tolerance (%lld)",
               (long long)out->index_tolerance);
    else
        log_culprit(&row, call, out);
    free(row.sorted);
    return NULL;
}

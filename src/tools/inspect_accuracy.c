/* Saved accuracy results as text: the numbers of each output and the verdict that follows from them and the
 * thresholds stored beside them. */
#include "base/alloc.h"
#include "compare/accuracy.h"
#include "tensor/number_text.h"
#include "tools/inspect_data.h"

static void put_number(pg_buf *out, const char *field, bool present, double value, bool *any)
{
    if (!present)
        return;
    pg_buf_printf(out, "%s%s=", *any ? ", " : " | ", field);
    pg_text_g(out, value, 5);
    *any = true;
}

static pg_status put_output(const pg_accuracy_output *output, pg_buf *out)
{
    bool passed, any = false;
    PG_TRY(pg_accuracy_output_passed(output, &passed));
    pg_buf_printf(out, "        \n        %s | %s", output->name, passed ? "PASSED" : "FAILED");
    if (output->kind == PG_ACCURACY_METRIC)
        put_number(out, output->metric->field, output->present[0], output->values[0], &any);
    for (size_t i = 0; output->kind == PG_ACCURACY_SIMPLE && i < PG_ACCURACY_DIFFS; i++)
        put_number(out, pg_accuracy_diff_fields[i], output->present[i], output->values[i], &any);
    return NULL;
}

static pg_status put_pair(const pg_accuracy_pair *pair, bool all, pg_buf *out)
{
    size_t matched = 0;
    for (size_t i = 0; i < pair->count; i++) {
        bool passed;
        PG_TRY(pg_accuracy_iteration_passed(&pair->iterations[i], &passed));
        matched += passed;
    }
    pg_buf_printf(out, "\n%s vs. %s | %zu/%zu iteration(s) matched", pair->run0, pair->run1, matched,
                  pair->count);
    for (size_t i = 0; i < (all ? pair->count : PG_MIN(pair->count, (size_t)1)); i++) {
        pg_buf_printf(out, "    \n    -- Iteration: %zu", i);
        for (size_t k = 0; k < pair->iterations[i].count; k++)
            PG_TRY(put_output(&pair->iterations[i].items[k], out));
    }
    pg_buf_putc(out, '\n');
    return NULL;
}

static pg_status put_results(const pg_accuracy *accuracy, bool all, pg_buf *out)
{
    pg_buf_printf(out, "==== Accuracy Results (%zu comparison(s)) ====\n", accuracy->count);
    for (size_t r = 0; r < accuracy->count; r++) {
        const pg_accuracy_result *result = &accuracy->items[r];
        pg_buf_printf(out, "\n---- Aggregation: %s ----\n", result->average ? "average" : "per_sample");
        for (size_t p = 0; p < result->count; p++)
            PG_TRY(put_pair(&result->pairs[p], all, out));
    }
    return NULL;
}

pg_status pg_inspect_accuracy(const char *path, bool all, pg_buf *out)
{
    pg_accuracy accuracy;
    PG_TRY(pg_accuracy_load(path, &accuracy));
    pg_status status = put_results(&accuracy, all, out);
    pg_accuracy_deinit(&accuracy);
    return status;
}

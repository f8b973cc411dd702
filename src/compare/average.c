/* The end of a comparison with check_average: each number averaged over the iterations, judged and listed. */
#include <string.h>

#include "compare/accuracy.h"
#include "compare/internal.h"
#include "log/log.h"

/* The averages of one pair, one row per function. */
typedef struct averages {
    const pg_accuracy_pair *pair;
    pg_accuracy_iteration *rows;
    size_t n_rows;
} averages;

static const pg_accuracy_output *find(const pg_accuracy_iteration *row, const char *name)
{
    for (size_t i = 0; i < row->count; i++)
        if (strcmp(row->items[i].name, name) == 0)
            return &row->items[i];
    return NULL;
}

/* An output passes when every function that saw it passes it. */
static pg_status output_passed(const averages *of, const char *name, bool *out)
{
    *out = true;
    for (size_t r = 0; r < of->n_rows; r++) {
        const pg_accuracy_output *output = find(&of->rows[r], name);
        bool passed = true;
        if (output != NULL)
            PG_TRY(pg_accuracy_output_passed(output, &passed));
        *out = *out && passed;
    }
    return NULL;
}

/* All names in the order of their first appearance. */
static const char **list_names(const averages *of, pg_arena *arena, size_t *out_count)
{
    size_t most = 0, count = 0;
    for (size_t r = 0; r < of->n_rows; r++)
        most += of->rows[r].count;
    const char **names = PG_ARENA_ARRAY(arena, const char *, most + 1);
    for (size_t r = 0; r < of->n_rows; r++)
        for (size_t i = 0; i < of->rows[r].count; i++) {
            const char *name = of->rows[r].items[i].name;
            bool seen = false;
            for (size_t k = 0; k < count && !seen; k++)
                seen = strcmp(names[k], name) == 0;
            if (!seen)
                names[count++] = name;
        }
    *out_count = count;
    return names;
}

static void log_output(const averages *of, const char *name, bool passed)
{
    PG_LOG(passed ? PG_FINISH : PG_ERROR, "%s | %s:", name, passed ? "PASSED" : "FAILED");
    pg_log_indent(1);
    for (size_t r = 0; r < of->n_rows; r++) {
        const pg_accuracy_output *output = find(&of->rows[r], name);
        if (output == NULL || output->metric == NULL || !output->present[0])
            continue;
        pg_buf text = {0};
        bool ok = pg_metric_passes(output->metric, true, output->values[0], output->threshold.value);
        pg_metric_text(&text, output->metric, output->values[0], output->threshold.value);
        PG_LOG(ok ? PG_FINISH : PG_ERROR, "%s", pg_buf_cstr(&text));
        pg_buf_deinit(&text);
    }
    pg_log_indent(-1);
}

static pg_status summarize(const averages *of, pg_arena *arena, bool *out_failed)
{
    size_t count, n_passed = 0;
    const char **names = list_names(of, arena, &count);
    bool *passed = PG_ARENA_ARRAY(arena, bool, count + 1);
    for (size_t i = 0; i < count; i++) {
        PG_TRY(output_passed(of, names[i], &passed[i]));
        n_passed += passed[i];
    }
    PG_LOG(n_passed == count ? PG_FINISH : PG_ERROR, "Accuracy Summary | %s vs. %s | Passed: %zu/%zu outputs",
           of->pair->run0, of->pair->run1, n_passed, count);
    pg_log_indent(1);
    for (size_t i = 0; i < count; i++)
        log_output(of, names[i], passed[i]);
    pg_log_indent(-1);
    *out_failed = *out_failed || n_passed < count;
    return NULL;
}

pg_status pg_comparison_summarize_averages(const pg_comparison *comparison, bool *out_failed)
{
    pg_accuracy accuracy;
    pg_status status = NULL;
    pg_accuracy_of_comparison(comparison, &accuracy);
    for (size_t p = 0; p < accuracy.items[0].count && status == NULL; p++) {
        averages of = {.pair = &accuracy.items[0].pairs[p], .n_rows = accuracy.count};
        of.rows = PG_ARENA_ARRAY(&accuracy.arena, pg_accuracy_iteration, accuracy.count);
        for (size_t r = 0; r < accuracy.count && status == NULL; r++)
            status = pg_accuracy_average(&accuracy.items[r].pairs[p], &accuracy.arena, &of.rows[r]);
        if (status == NULL)
            status = summarize(&of, &accuracy.arena, out_failed);
    }
    *out_failed = *out_failed || status != NULL;
    pg_accuracy_deinit(&accuracy);
    return status;
}

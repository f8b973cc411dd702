/* Saved accuracy results, printed from their JSON: the numbers of each output and the verdict that follows
 * from them and the thresholds stored beside them. */
#include <math.h>

#include "base/alloc.h"
#include "data/files.h"
#include "tensor/number_text.h"
#include "tools/inspect_data.h"

/* Classes of results with one number: it passes at or beyond the threshold. */
typedef struct metric_class {
    const char *name, *field;
    bool higher_is_better;
    bool without_passes; /* null passes */
} metric_class;

static const metric_class metric_classes[] = {
    {"L2Result", "l2_norm", false, false},
    {"CosineSimilarityResult", "cosine_similarity", true, false},
    {"PsnrResult", "psnr", true, false},
    {"SnrResult", "snr", true, false},
    {"PerceptualMetricsResult", "lpips", false, true},
};

static const char *const simple_fields[] = {"max_absdiff",      "max_reldiff",     "mean_absdiff",
                                            "mean_reldiff",     "median_absdiff",  "median_reldiff",
                                            "quantile_absdiff", "quantile_reldiff"};

static pg_status malformed(const pg_json_doc *doc, const pg_json *value, const char *expected)
{
    return pg_err(PG_ERR_INVALID, "'%s' holds no accuracy results: expected %s at byte %llu", doc->map.path,
                  expected, (unsigned long long)(value != NULL ? value->offset : 0));
}

static bool number_of(const pg_json *object, const char *key, double *out)
{
    const pg_json *value = pg_json_find(object, key);
    return value != NULL && pg_json_f64(value, out);
}

/* ---- Verdicts ---- */

static bool beyond(double value, double tolerance)
{
    return value > tolerance || isnan(value);
}

static pg_status judge_simple(const pg_json_doc *doc, pg_arena *arena, const pg_json *result, bool *out)
{
    const pg_json *stored = pg_json_find(result, "passed"), *thresholds = pg_json_find(result, "thresholds");
    const pg_json *stat_value = thresholds != NULL ? pg_json_find(thresholds, "check_error_stat") : NULL;
    pg_str stat;
    double abs, rel, atol, rtol;
    if (stored != NULL && stored->kind == PG_JSON_BOOL) {
        *out = stored->truth;
        return NULL;
    }
    if (stat_value == NULL || !pg_json_text(stat_value, arena, &stat) ||
        !number_of(thresholds, "atol", &atol) || !number_of(thresholds, "rtol", &rtol))
        return malformed(doc, result, "thresholds");
    const char *abs_key = pg_arena_printf(arena, "%" PG_STR_FMT "_absdiff", PG_STR_ARG(stat));
    const char *rel_key = pg_arena_printf(arena, "%" PG_STR_FMT "_reldiff", PG_STR_ARG(stat));
    if (!number_of(result, abs_key, &abs) || !number_of(result, rel_key, &rel))
        return pg_err(PG_ERR_INVALID,
                      "'%s': the result at byte %llu was checked by its '%" PG_STR_FMT
                      "' difference, which it does not hold",
                      doc->map.path, (unsigned long long)result->offset, PG_STR_ARG(stat));
    *out = !(beyond(abs, atol) && beyond(rel, rtol));
    return NULL;
}

static pg_status judge_metric(const pg_json_doc *doc, const metric_class *metric, const pg_json *result,
                              bool *out)
{
    const pg_json *thresholds = pg_json_find(result, "thresholds");
    double value, threshold;
    if (thresholds == NULL || !number_of(thresholds, "threshold", &threshold))
        return malformed(doc, result, "a threshold");
    if (!number_of(result, metric->field, &value))
        *out = metric->without_passes;
    else
        *out = metric->higher_is_better ? value >= threshold : value <= threshold;
    return NULL;
}

static const metric_class *find_metric(pg_str name)
{
    for (size_t i = 0; i < PG_COUNT(metric_classes); i++)
        if (pg_str_is(name, metric_classes[i].name))
            return &metric_classes[i];
    return NULL;
}

static pg_status judge(const pg_json_doc *doc, pg_arena *arena, const pg_json *result, bool *out)
{
    if (result->kind == PG_JSON_BOOL) {
        *out = result->truth;
        return NULL;
    }
    pg_str name = pg_data_class(result);
    const metric_class *metric = find_metric(name);
    if (metric != NULL)
        return judge_metric(doc, metric, result, out);
    if (pg_str_is(name, "OutputCompareResult"))
        return judge_simple(doc, arena, result, out);
    return malformed(doc, result, "a result");
}

/* ---- Text ---- */

static void put_metric(pg_buf *out, const pg_json *result, const char *field, bool *any)
{
    double value;
    if (!number_of(result, field, &value))
        return;
    pg_buf_printf(out, "%s%s=", *any ? ", " : " | ", field);
    pg_text_g(out, value, 5);
    *any = true;
}

static pg_status put_output(const pg_json_doc *doc, pg_arena *arena, const pg_json_member *output,
                            pg_buf *out)
{
    bool passed, any = false;
    PG_TRY(judge(doc, arena, &output->value, &passed));
    pg_buf_printf(out, "        \n        %" PG_STR_FMT " | %s", PG_STR_ARG(output->key),
                  passed ? "PASSED" : "FAILED");
    if (output->value.kind == PG_JSON_BOOL)
        return NULL;
    const metric_class *metric = find_metric(pg_data_class(&output->value));
    if (metric != NULL)
        put_metric(out, &output->value, metric->field, &any);
    else
        for (size_t i = 0; i < PG_COUNT(simple_fields); i++)
            put_metric(out, &output->value, simple_fields[i], &any);
    return NULL;
}

static pg_status iteration_passed(const pg_json_doc *doc, pg_arena *arena, const pg_json *iteration,
                                  bool *out)
{
    if (iteration->kind != PG_JSON_OBJECT)
        return malformed(doc, iteration, "an object of outputs");
    *out = true;
    for (size_t i = 0; i < iteration->count; i++) {
        bool passed;
        PG_TRY(judge(doc, arena, &iteration->members[i].value, &passed));
        *out = *out && passed;
    }
    return NULL;
}

/* One pair of runners: [[name, name], [iteration, ...]]. */
static pg_status put_pair(const pg_json_doc *doc, pg_arena *arena, const pg_json *pair, bool all, pg_buf *out)
{
    pg_str first, second;
    if (pair->kind != PG_JSON_ARRAY || pair->count != 2 || pair->items[0].kind != PG_JSON_ARRAY ||
        pair->items[0].count != 2 || pair->items[1].kind != PG_JSON_ARRAY ||
        !pg_json_text(&pair->items[0].items[0], arena, &first) ||
        !pg_json_text(&pair->items[0].items[1], arena, &second))
        return malformed(doc, pair, "a pair of runners and its iterations");
    const pg_json *iterations = &pair->items[1];
    size_t matched = 0;
    for (size_t i = 0; i < iterations->count; i++) {
        bool passed;
        PG_TRY(iteration_passed(doc, arena, &iterations->items[i], &passed));
        matched += passed;
    }
    pg_buf_printf(out, "\n%" PG_STR_FMT " vs. %" PG_STR_FMT " | %zu/%zu iteration(s) matched",
                  PG_STR_ARG(first), PG_STR_ARG(second), matched, iterations->count);
    for (size_t i = 0; i < iterations->count; i++) {
        pg_buf_printf(out, "    \n    -- Iteration: %zu", i);
        for (size_t k = 0; k < iterations->items[i].count; k++)
            PG_TRY(put_output(doc, arena, &iterations->items[i].members[k], out));
        if (!all)
            break;
    }
    pg_buf_putc(out, '\n');
    return NULL;
}

static pg_status put_result(const pg_json_doc *doc, pg_arena *arena, const pg_json *result, bool all,
                            pg_buf *out)
{
    const pg_json *pairs = pg_json_find(result, "lst"), *stored = pg_json_find(result, "aggregation");
    pg_str aggregation = PG_STR("per_sample");
    if (pairs == NULL || pairs->kind != PG_JSON_ARRAY)
        return malformed(doc, result, "an AccuracyResult");
    if (stored != NULL && !pg_json_text(stored, arena, &aggregation))
        return malformed(doc, stored, "the name of an aggregation");
    pg_buf_printf(out, "\n---- Aggregation: %" PG_STR_FMT " ----\n", PG_STR_ARG(aggregation));
    for (size_t i = 0; i < pairs->count; i++)
        PG_TRY(put_pair(doc, arena, &pairs->items[i], all, out));
    return NULL;
}

static pg_status put_document(pg_json_doc *doc, bool all, pg_buf *out)
{
    const pg_json *results = pg_json_find(&doc->root, "lst");
    if (results == NULL || results->kind != PG_JSON_ARRAY)
        return malformed(doc, &doc->root, "AccuracyResults");
    pg_buf_printf(out, "==== Accuracy Results (%zu comparison(s)) ====\n", results->count);
    for (size_t i = 0; i < results->count; i++)
        PG_TRY(put_result(doc, &doc->arena, &results->items[i], all, out));
    return NULL;
}

pg_status pg_inspect_accuracy(const char *path, bool all, pg_buf *out)
{
    pg_json_doc doc = {0};
    PG_TRY(pg_json_open(path, &doc));
    pg_status status = put_document(&doc, all, out);
    pg_json_close(&doc);
    return status;
}

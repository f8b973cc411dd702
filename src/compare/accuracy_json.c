/* Files of accuracy results, in the peer's layout. */
#include <string.h>

#include "base/alloc.h"
#include "compare/accuracy.h"
#include "data/files.h"
#include "json/json.h"

/* ---- Writing ---- */

static void put_number(pg_json_writer *json, const char *key, pg_output_number number)
{
    pg_json_key(json, key);
    if (number.integer)
        pg_json_put_i64(json, (int64_t)number.value);
    else
        pg_json_put_f64(json, number.value);
}

static void put_value(pg_json_writer *json, const char *key, bool present, double value)
{
    pg_json_key(json, key);
    if (present)
        pg_json_put_f64(json, value);
    else
        pg_json_put_null(json);
}

static void put_class(pg_json_writer *json, const char *name)
{
    pg_json_field_str(json, "polygraphy_class", pg_str_c(name));
    pg_json_end_object(json);
}

static void put_simple(pg_json_writer *json, const pg_accuracy_output *output)
{
    pg_json_begin_object(json);
    for (size_t i = 0; i < PG_ACCURACY_DIFFS; i++)
        put_value(json, pg_accuracy_diff_fields[i], output->present[i], output->values[i]);
    pg_json_key(json, "thresholds");
    pg_json_begin_object(json);
    pg_json_field_str(json, "check_error_stat", pg_str_c(pg_error_stat_name(output->stat)));
    put_number(json, "atol", output->atol);
    put_number(json, "rtol", output->rtol);
    put_class(json, "SimpleThreshold");
    pg_json_key(json, "passed");
    if (output->has_verdict)
        pg_json_put_bool(json, output->verdict);
    else
        pg_json_put_null(json);
    put_class(json, "OutputCompareResult");
}

static void put_metric(pg_json_writer *json, const pg_accuracy_output *output)
{
    pg_json_begin_object(json);
    put_value(json, output->metric->field, output->present[0], output->values[0]);
    pg_json_key(json, "thresholds");
    pg_json_begin_object(json);
    put_number(json, "threshold", output->threshold);
    put_class(json, output->metric->threshold_class);
    put_class(json, output->metric->result_class);
}

static void put_iteration(pg_json_writer *json, const pg_accuracy_iteration *iteration)
{
    pg_json_begin_object(json);
    for (size_t i = 0; i < iteration->count; i++) {
        const pg_accuracy_output *output = &iteration->items[i];
        pg_json_key(json, output->name);
        if (output->kind == PG_ACCURACY_VERDICT)
            pg_json_put_bool(json, output->verdict);
        else if (output->kind == PG_ACCURACY_SIMPLE)
            put_simple(json, output);
        else
            put_metric(json, output);
    }
    pg_json_end_object(json);
}

static void put_pair(pg_json_writer *json, const pg_accuracy_pair *pair)
{
    pg_json_begin_array(json);
    pg_json_begin_array(json);
    pg_json_put_cstr(json, pair->run0);
    pg_json_put_cstr(json, pair->run1);
    pg_json_end_array(json);
    pg_json_begin_array(json);
    for (size_t i = 0; i < pair->count; i++)
        put_iteration(json, &pair->iterations[i]);
    pg_json_end_array(json);
    pg_json_end_array(json);
}

static void put_result(pg_json_writer *json, const pg_accuracy_result *result)
{
    pg_json_begin_object(json);
    pg_json_key(json, "lst");
    pg_json_begin_array(json);
    for (size_t p = 0; p < result->count; p++)
        put_pair(json, &result->pairs[p]);
    pg_json_end_array(json);
    pg_json_field_str(json, "aggregation", pg_str_c(result->average ? "average" : "per_sample"));
    put_class(json, "AccuracyResult");
}

pg_status pg_accuracy_save(const char *path, const pg_accuracy *accuracy)
{
    pg_writer writer;
    pg_json_writer json;
    PG_TRY(pg_writer_open(&writer, path));
    pg_json_to_file(&json, &writer, 4);
    pg_json_begin_object(&json);
    pg_json_key(&json, "lst");
    pg_json_begin_array(&json);
    for (size_t r = 0; r < accuracy->count; r++)
        put_result(&json, &accuracy->items[r]);
    pg_json_end_array(&json);
    put_class(&json, "AccuracyResults");
    return pg_writer_commit(&writer);
}

/* ---- Reading ---- */

typedef struct reader {
    const pg_json_doc *doc;
    pg_arena *arena;
} reader;

static pg_status malformed(const reader *in, const pg_json *value, const char *expected)
{
    return pg_err(PG_ERR_INVALID, "'%s' holds no accuracy results: expected %s at byte %llu",
                  in->doc->map.path, expected, (unsigned long long)(value != NULL ? value->offset : 0));
}

static pg_status get_list(const reader *in, const pg_json *value, const char *what)
{
    return value != NULL && value->kind == PG_JSON_ARRAY ? NULL : malformed(in, value, what);
}

static pg_status get_text(const reader *in, const pg_json *value, const char *what, const char **out)
{
    pg_str text;
    if (value == NULL || !pg_json_text(value, in->arena, &text))
        return malformed(in, value, what);
    *out = pg_arena_cstr(in->arena, text);
    return NULL;
}

static pg_status get_number(const reader *in, const pg_json *object, const char *key, pg_output_number *out)
{
    const pg_json *value = pg_json_find(object, key);
    int64_t integer;
    if (value == NULL || !pg_json_f64(value, &out->value))
        return malformed(in, value != NULL ? value : object, "a threshold");
    out->integer = pg_json_i64(value, &integer);
    return NULL;
}

/* A number or null. */
static pg_status get_value(const reader *in, const pg_json *object, const char *key, bool *present,
                           double *out)
{
    const pg_json *value = pg_json_find(object, key);
    *present = value != NULL && pg_json_f64(value, out);
    if (value == NULL || (!*present && value->kind != PG_JSON_NULL))
        return malformed(in, value != NULL ? value : object, "a number or null");
    return NULL;
}

static pg_status get_simple(const reader *in, const pg_json *value, pg_accuracy_output *out)
{
    const pg_json *thresholds = pg_json_find(value, "thresholds"), *passed = pg_json_find(value, "passed");
    const char *stat;
    out->kind = PG_ACCURACY_SIMPLE;
    for (size_t i = 0; i < PG_ACCURACY_DIFFS; i++)
        PG_TRY(get_value(in, value, pg_accuracy_diff_fields[i], &out->present[i], &out->values[i]));
    if (thresholds == NULL || thresholds->kind != PG_JSON_OBJECT)
        return malformed(in, value, "thresholds");
    PG_TRY(get_text(in, pg_json_find(thresholds, "check_error_stat"), "a statistic", &stat));
    if (!pg_error_stat_parse(pg_str_c(stat), &out->stat))
        return malformed(in, thresholds, "one of the statistics max, mean, median, elemwise and quantile");
    PG_TRY(get_number(in, thresholds, "atol", &out->atol));
    PG_TRY(get_number(in, thresholds, "rtol", &out->rtol));
    out->has_verdict = passed != NULL && passed->kind == PG_JSON_BOOL;
    out->verdict = out->has_verdict && passed->truth;
    return NULL;
}

static pg_status get_output(const reader *in, const pg_json_member *member, pg_accuracy_output *out)
{
    const pg_json *value = &member->value;
    out->name = pg_arena_cstr(in->arena, member->key);
    if (value->kind == PG_JSON_BOOL) {
        out->has_verdict = true;
        out->verdict = value->truth;
        return NULL;
    }
    pg_str name = pg_data_class(value);
    if (pg_str_is(name, "OutputCompareResult"))
        return get_simple(in, value, out);
    out->metric = pg_metric_of_class(name);
    if (out->metric == NULL)
        return malformed(in, value, "a result");
    out->kind = PG_ACCURACY_METRIC;
    PG_TRY(get_value(in, value, out->metric->field, &out->present[0], &out->values[0]));
    const pg_json *thresholds = pg_json_find(value, "thresholds");
    if (thresholds == NULL || thresholds->kind != PG_JSON_OBJECT)
        return malformed(in, value, "a threshold");
    return get_number(in, thresholds, "threshold", &out->threshold);
}

static pg_status get_iteration(const reader *in, const pg_json *value, pg_accuracy_iteration *out)
{
    if (value->kind != PG_JSON_OBJECT)
        return malformed(in, value, "an object of outputs");
    out->items = PG_ARENA_ARRAY(in->arena, pg_accuracy_output, value->count + 1);
    for (size_t i = 0; i < value->count; i++)
        PG_TRY(get_output(in, &value->members[i], &out->items[i]));
    out->count = value->count;
    return NULL;
}

/* [[run, run], [iteration, ...]] */
static pg_status get_pair(const reader *in, const pg_json *value, pg_accuracy_pair *out)
{
    static const char what[] = "a pair of runners and its iterations";
    if (value->kind != PG_JSON_ARRAY || value->count != 2 || value->items[0].kind != PG_JSON_ARRAY ||
        value->items[0].count != 2)
        return malformed(in, value, what);
    PG_TRY(get_text(in, &value->items[0].items[0], what, &out->run0));
    PG_TRY(get_text(in, &value->items[0].items[1], what, &out->run1));
    const pg_json *iterations = &value->items[1];
    PG_TRY(get_list(in, iterations, what));
    out->iterations = PG_ARENA_ARRAY(in->arena, pg_accuracy_iteration, iterations->count + 1);
    for (size_t i = 0; i < iterations->count; i++)
        PG_TRY(get_iteration(in, &iterations->items[i], &out->iterations[i]));
    out->count = iterations->count;
    return NULL;
}

static pg_status get_result(const reader *in, const pg_json *value, pg_accuracy_result *out)
{
    const pg_json *pairs = pg_json_find(value, "lst"), *stored = pg_json_find(value, "aggregation");
    const char *aggregation = "per_sample";
    if (pairs == NULL || pairs->kind != PG_JSON_ARRAY)
        return malformed(in, value, "an AccuracyResult");
    if (stored != NULL)
        PG_TRY(get_text(in, stored, "the name of an aggregation", &aggregation));
    out->average = strcmp(aggregation, "average") == 0;
    if (!out->average && strcmp(aggregation, "per_sample") != 0)
        return malformed(in, stored, "the aggregation per_sample or average");
    out->pairs = PG_ARENA_ARRAY(in->arena, pg_accuracy_pair, pairs->count + 1);
    for (size_t p = 0; p < pairs->count; p++)
        PG_TRY(get_pair(in, &pairs->items[p], &out->pairs[p]));
    out->count = pairs->count;
    return NULL;
}

static pg_status get_all(const reader *in, pg_accuracy *out)
{
    const pg_json *results = pg_json_find(&in->doc->root, "lst");
    if (!pg_str_is(pg_data_class(&in->doc->root), "AccuracyResults") || results == NULL ||
        results->kind != PG_JSON_ARRAY)
        return malformed(in, &in->doc->root, "AccuracyResults");
    out->items = PG_ARENA_ARRAY(in->arena, pg_accuracy_result, results->count + 1);
    for (size_t r = 0; r < results->count; r++)
        PG_TRY(get_result(in, &results->items[r], &out->items[r]));
    out->count = results->count;
    return NULL;
}

pg_status pg_accuracy_load(const char *path, pg_accuracy *out)
{
    pg_json_doc doc = {0};
    *out = (pg_accuracy){0};
    PG_TRY(pg_json_open(path, &doc));
    reader in = {&doc, &out->arena};
    pg_status status = get_all(&in, out);
    pg_json_close(&doc);
    if (status != NULL)
        pg_accuracy_deinit(out);
    return status;
}

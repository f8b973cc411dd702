/* The report for programs. Numbers that JSON does not have are the texts "NaN", "Infinity" and "-Infinity". */
#include <math.h>

#include "json/json.h"
#include "report/internal.h"

static void put_real(pg_json_writer *json, const char *key, double value)
{
    pg_json_key(json, key);
    if (isnan(value))
        pg_json_put_cstr(json, "NaN");
    else if (isinf(value))
        pg_json_put_cstr(json, value > 0 ? "Infinity" : "-Infinity");
    else
        pg_json_put_f64(json, value);
}

static void put_text(pg_json_writer *json, const char *key, const char *text)
{
    pg_json_key(json, key);
    if (text != NULL)
        pg_json_put_cstr(json, text);
    else
        pg_json_put_null(json);
}

static void put_run(pg_json_writer *json, const pg_report_run *run)
{
    pg_json_begin_object(json);
    put_text(json, "name", run->name);
    put_text(json, "runtime", run->runtime);
    put_text(json, "file", run->file);
    pg_json_field_i64(json, "iterations", (int64_t)run->iterations);
    pg_json_key(json, "latency_ms");
    if (run->has_latency) {
        pg_json_begin_object(json);
        put_real(json, "min", run->min * 1e3);
        put_real(json, "mean", run->mean * 1e3);
        put_real(json, "p50", run->p50 * 1e3);
        put_real(json, "p90", run->p90 * 1e3);
        put_real(json, "p99", run->p99 * 1e3);
        pg_json_end_object(json);
    } else {
        pg_json_put_null(json);
    }
    pg_json_end_object(json);
}

static void put_input(pg_json_writer *json, const pg_report_input *input)
{
    pg_json_begin_object(json);
    put_text(json, "name", input->name);
    put_text(json, "type", input->type);
    put_text(json, "shape", input->shape);
    if (input->has_stats) {
        put_real(json, "min", input->min);
        put_real(json, "max", input->max);
        put_real(json, "mean", input->mean);
    }
    pg_json_end_object(json);
}

static void put_indices(pg_json_writer *json, const pg_output_comparison *output, uint64_t index)
{
    uint64_t strides[16] = {0}, stride = 1;
    for (size_t axis = output->rank; axis-- > 0;) {
        strides[axis] = stride;
        stride *= (uint64_t)output->dims[axis];
    }
    pg_json_begin_array(json);
    for (size_t axis = 0; axis < output->rank; axis++)
        pg_json_put_u64(json, index / strides[axis] % (uint64_t)output->dims[axis]);
    pg_json_end_array(json);
}

static void put_element(pg_json_writer *json, const char *key, const pg_output_comparison *output,
                        const pg_element_diff *element)
{
    pg_json_key(json, key);
    pg_json_begin_object(json);
    pg_json_key(json, "index");
    put_indices(json, output, element->index);
    if (output->function == PG_COMPARE_SIMPLE && output->dtype0 != PG_STRING) {
        put_real(json, "value0", element->a);
        put_real(json, "value1", element->b);
        put_real(json, "absolute", element->abs);
        put_real(json, "relative", element->rel);
    }
    pg_json_end_object(json);
}

static void put_differences(pg_json_writer *json, const char *key, const pg_value_stats *stats)
{
    pg_json_key(json, key);
    pg_json_begin_object(json);
    put_real(json, "max", stats->max);
    put_real(json, "mean", stats->mean);
    put_real(json, "median", stats->median);
    put_real(json, "p90", stats->p90);
    put_real(json, "p99", stats->p99);
    pg_json_end_object(json);
}

static void put_simple(pg_json_writer *json, const pg_output_comparison *output)
{
    put_text(json, "statistic", pg_error_stat_name(output->stat));
    put_real(json, "atol", output->atol);
    put_real(json, "rtol", output->rtol);
    if (output->dtype0 == PG_STRING)
        return;
    put_differences(json, "absolute", &output->abs);
    put_differences(json, "relative", &output->rel);
    if (!output->passed) {
        put_real(json, "passing_atol", output->pass_atol);
        put_real(json, "passing_rtol", output->pass_rtol);
    }
}

static void put_numbers(pg_json_writer *json, const pg_output_comparison *output)
{
    const pg_metric *metric = pg_metric_of(output->function);
    if (metric != NULL) {
        put_text(json, "metric", metric->field);
        put_real(json, "value", output->value);
        put_real(json, "threshold", output->threshold.value);
        pg_json_field_bool(json, "higher_is_better", metric->higher_is_better);
        return;
    }
    pg_json_field_i64(json, "mismatches", (int64_t)output->mismatches);
    if (output->function == PG_COMPARE_SIMPLE)
        put_simple(json, output);
    else
        pg_json_field_i64(json, "index_tolerance", output->index_tolerance);
    if (!output->passed && output->has_elements) {
        put_element(json, "first", output, &output->first);
        put_element(json, "worst", output, &output->worst);
    }
}

static void put_output(pg_json_writer *json, const pg_output_comparison *output)
{
    static const char *const problems[] = {
        [PG_COMPARED] = NULL,
        [PG_COMPARE_SHAPES] = "shapes",
        [PG_COMPARE_KINDS] = "kinds",
        [PG_COMPARE_COUNTS] = "counts",
        [PG_COMPARE_UNALIGNABLE] = "unalignable",
    };
    pg_buf sentence = {0};
    pg_json_begin_object(json);
    put_text(json, "name0", output->name0);
    put_text(json, "name1", output->name1);
    pg_json_field_bool(json, "passed", output->passed);
    put_text(json, "type0", pg_report_type_name(output->dtype0));
    put_text(json, "type1", pg_report_type_name(output->dtype1));
    put_text(json, "problem", problems[output->problem]);
    if (output->problem == PG_COMPARED) {
        pg_json_key(json, "shape");
        pg_json_begin_array(json);
        for (size_t axis = 0; axis < output->rank; axis++)
            pg_json_put_i64(json, output->dims[axis]);
        pg_json_end_array(json);
        pg_json_field_i64(json, "elements", (int64_t)output->count);
        put_numbers(json, output);
    }
    pg_report_sentence(&sentence, output);
    put_text(json, "sentence", pg_buf_cstr(&sentence));
    pg_json_end_object(json);
    pg_buf_deinit(&sentence);
}

static void put_function(pg_json_writer *json, const pg_function_comparison *function)
{
    pg_json_begin_object(json);
    put_text(json, "function", pg_compare_function_name(function->function));
    pg_json_field_bool(json, "passed", function->passed);
    pg_json_key(json, "outputs");
    pg_json_begin_array(json);
    for (size_t i = 0; i < function->count; i++)
        put_output(json, &function->outputs[i]);
    pg_json_end_array(json);
    pg_json_end_object(json);
}

static void put_pair(pg_json_writer *json, const pg_pair_comparison *pair)
{
    pg_json_begin_object(json);
    put_text(json, "run0", pair->run0);
    put_text(json, "run1", pair->run1);
    pg_json_field_i64(json, "iterations_passed", (int64_t)pair->passed);
    pg_json_key(json, "iterations");
    pg_json_begin_array(json);
    for (size_t i = 0; i < pair->count; i++) {
        pg_json_begin_object(json);
        pg_json_field_bool(json, "passed", pair->iterations[i].passed);
        pg_json_key(json, "functions");
        pg_json_begin_array(json);
        for (size_t f = 0; f < pair->iterations[i].n_functions; f++)
            put_function(json, &pair->iterations[i].functions[f]);
        pg_json_end_array(json);
        pg_json_end_object(json);
    }
    pg_json_end_array(json);
    pg_json_end_object(json);
}

static void put_head(pg_json_writer *json, const pg_report *report)
{
    pg_json_field_i64(json, "schema", PG_REPORT_SCHEMA);
    pg_json_key(json, "program");
    pg_json_begin_object(json);
    put_text(json, "name", "polygraphy");
    put_text(json, "version", report->program_version);
    put_text(json, "compatible_with", report->peer_version);
    pg_json_end_object(json);
    put_text(json, "command", report->command);
    put_text(json, "folder", report->folder);
    put_text(json, "model", report->model);
    put_text(json, "started", report->started);
    put_real(json, "seconds", report->seconds);
    put_text(json, "verdict", pg_report_verdict_name(report->verdict));
    put_text(json, "error", report->error);
    pg_json_field_bool(json, "judged_by_average", pg_report_averages(report));
}

void pg_report_json(const pg_report *report, pg_buf *out)
{
    pg_json_writer json;
    size_t n_pairs;
    const pg_pair_comparison *pairs = pg_report_pairs(report, &n_pairs);
    pg_json_to_memory(&json, out, 2);
    pg_json_begin_object(&json);
    put_head(&json, report);
    pg_json_key(&json, "runs");
    pg_json_begin_array(&json);
    for (size_t i = 0; i < report->n_runs; i++)
        put_run(&json, &report->runs[i]);
    pg_json_end_array(&json);
    pg_json_key(&json, "inputs");
    pg_json_begin_array(&json);
    for (size_t i = 0; i < report->n_inputs; i++)
        put_input(&json, &report->inputs[i]);
    pg_json_end_array(&json);
    pg_json_key(&json, "comparisons");
    pg_json_begin_array(&json);
    for (size_t p = 0; p < n_pairs; p++)
        put_pair(&json, &pairs[p]);
    pg_json_end_array(&json);
    pg_json_end_object(&json);
    pg_buf_putc(out, '\n');
}

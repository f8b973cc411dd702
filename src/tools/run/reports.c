/* --report, --junit, --sarif, --json: what the run was made of, handed to the writers. */
#include <math.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/version.h"
#include "log/log.h"
#include "report/report.h"
#include "tensor/stats.h"
#include "tools/run/internal.h"
#include "tools/tools.h"

bool run_reports_wanted(const run_args *args)
{
    const pg_args_reports *paths = &args->reports;
    return paths->html != NULL || paths->junit != NULL || paths->sarif != NULL || paths->json != NULL;
}

static const char *utc_now(pg_arena *arena)
{
    struct tm utc;
    time_t now = time(NULL);
    gmtime_r(&now, &utc);
    return pg_arena_printf(arena, "%04d-%02d-%02dT%02d:%02d:%02dZ", utc.tm_year + 1900, utc.tm_mon + 1,
                           utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

void run_reports_begin(run_reports *reports, const run_args *args)
{
    *reports = (run_reports){.args = args, .started_ns = pg_clock_ns()};
    reports->started = utc_now(&reports->arena);
}

/* ---- Inputs ---- */

static void describe_tensor(run_reports *reports, const pg_tensor *tensor, pg_report_input *out)
{
    pg_buf shape = {0};
    pg_value_stats stats;
    pg_shape_text(&shape, tensor->rank, tensor->dims);
    out->type = pg_dtype_name(tensor->dtype);
    out->shape = pg_arena_cstr(&reports->arena, pg_buf_str(&shape));
    pg_buf_deinit(&shape);
    if (!pg_tensor_has_stats(tensor->dtype) || pg_tensor_count(tensor) == 0)
        return;
    pg_status status = pg_tensor_stats(tensor, PG_STAT_RANGE | PG_STAT_MEAN, NAN, &stats);
    out->has_stats = status == NULL;
    if (status == NULL) {
        out->min = stats.min;
        out->max = stats.max;
        out->mean = stats.mean;
    }
    pg_status_drop(status);
}

void run_reports_add_inputs(run_reports *reports, const pg_feed *feed)
{
    static const char *const kinds[] = {
        [PG_VALUE_SEQUENCE] = "sequence", [PG_VALUE_MAP] = "map", [PG_VALUE_NONE] = "absent"};
    if (!run_reports_wanted(reports->args) || reports->inputs != NULL)
        return;
    reports->inputs = PG_ARENA_ARRAY(&reports->arena, pg_report_input, feed->count + 1);
    reports->n_inputs = feed->count;
    for (size_t i = 0; i < feed->count; i++) {
        pg_report_input *input = &reports->inputs[i];
        const pg_value *value = &feed->items[i].value;
        input->name = pg_arena_cstr(&reports->arena, pg_str_c(feed->items[i].name));
        input->shape = "";
        if (value->kind == PG_VALUE_TENSOR)
            describe_tensor(reports, &value->tensor, input);
        else
            input->type = kinds[value->kind];
    }
}

/* ---- Runs ---- */

static pg_report_run *list_runs(run_reports *reports, const run_live *live, const run_judge *judge,
                                size_t *out_count)
{
    pg_report_run *runs =
        PG_ARENA_ARRAY(&reports->arena, pg_report_run, live->count + judge->loaded.count + 1);
    for (size_t i = 0; i < live->count; i++) {
        runs[i] = (pg_report_run){.name = live->runners[i]->name, .runtime = live->runners[i]->runtime};
        run_live_latency(live, i, &runs[i]);
    }
    for (size_t i = 0; i < judge->loaded.count; i++)
        runs[live->count + i] =
            (pg_report_run){.name = judge->loaded.items[i].name,
                            .file = reports->args->compare.load_outputs.items[judge->file_of.items[i]],
                            .iterations = judge->loaded.items[i].count};
    *out_count = live->count + judge->loaded.count;
    return runs;
}

/* ---- Files ---- */

static pg_status write_one(const char *path, const char *what,
                           void (*make)(const pg_report *report, pg_buf *out), const pg_report *report)
{
    if (path == NULL)
        return NULL;
    pg_buf text = {0};
    make(report, &text);
    PG_LOG_INFO("Saving the %s report to %s", what, path);
    pg_status status = pg_file_write(path, pg_buf_str(&text));
    pg_buf_deinit(&text);
    return status;
}

static pg_status write_all(const pg_args_reports *paths, const pg_report *report)
{
    pg_status status = write_one(paths->html, "HTML", pg_report_html, report);
    status = pg_status_first(status, write_one(paths->junit, "JUnit", pg_report_junit, report));
    status = pg_status_first(status, write_one(paths->sarif, "SARIF", pg_report_sarif, report));
    return pg_status_first(status, write_one(paths->json, "JSON", pg_report_json, report));
}

static pg_report_verdict verdict_of(pg_status status)
{
    if (status == NULL)
        return PG_REPORT_PASSED;
    return pg_status_code(status) == PG_ERR_FAILED ? PG_REPORT_FAILED : PG_REPORT_ERROR;
}

/* The structure of the model for the report's graph; NULL where it cannot be read, which is no error here. */
static pg_model *load_structure(const run_args *args)
{
    pg_model *model = NULL;
    if (args->model.path == NULL || args->reports.html == NULL)
        return NULL;
    pg_status_drop(
        pg_model_load(args->model.path, &(pg_model_options){.ignore_external_data = true}, &model));
    return model;
}

pg_status run_reports_write(run_reports *reports, const run_live *live, const run_judge *judge,
                            const pg_model *model, pg_status status)
{
    if (!run_reports_wanted(reports->args))
        return NULL;
    char folder[4096];
    pg_model *loaded = model == NULL ? load_structure(reports->args) : NULL;
    pg_report report = {
        .program_version = PG_VERSION,
        .peer_version = PG_PEER_VERSION,
        .command = pg_tools_command_line(),
        .folder = getcwd(folder, sizeof folder) != NULL ? folder : ".",
        .model = reports->args->runners.names.count > 0 ? reports->args->model.path : NULL,
        .started = reports->started,
        .ended = utc_now(&reports->arena),
        .seconds = pg_clock_seconds_since(reports->started_ns),
        .verdict = verdict_of(status),
        .inputs = reports->inputs,
        .n_inputs = reports->n_inputs,
        .graph_of = model != NULL ? model : loaded,
        .comparison = judge->begun ? judge->comparison : NULL,
    };
    if (report.verdict == PG_REPORT_ERROR)
        report.error = pg_status_message(status);
    report.runs = list_runs(reports, live, judge, &report.n_runs);
    pg_status written = write_all(&reports->args->reports, &report);
    pg_model_unref(loaded);
    return pg_status_context(written, "while writing reports");
}

void run_reports_deinit(run_reports *reports)
{
    pg_arena_deinit(&reports->arena);
}

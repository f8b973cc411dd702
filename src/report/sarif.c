/* The report as SARIF 2.1.0: a rule per comparison function, a result per output that failed. */
#include <stdio.h>
#include <string.h>

#include "json/json.h"
#include "report/internal.h"

static const char *const rule_texts[PG_COMPARE_FUNCTION_COUNT] = {
    [PG_COMPARE_SIMPLE] = "Differences of two outputs stay within absolute or relative tolerance.",
    [PG_COMPARE_INDICES] = "Indices of two outputs stand at most a few places apart.",
    [PG_COMPARE_L2] = "The L2 norm of the difference stays below its threshold.",
    [PG_COMPARE_COSINE] = "The cosine similarity of two outputs reaches its threshold.",
    [PG_COMPARE_PSNR] = "The peak signal-to-noise ratio reaches its threshold.",
    [PG_COMPARE_SNR] = "The signal-to-noise ratio reaches its threshold.",
    [PG_COMPARE_PERCEPTUAL] = "The perceptual distance stays below its threshold.",
};
static const char run_rule[] = "run";

static void put_message(pg_json_writer *json, const char *key, const char *text)
{
    pg_json_key(json, key);
    pg_json_begin_object(json);
    pg_json_field_str(json, "text", pg_str_c(text));
    pg_json_end_object(json);
}

static void put_rule(pg_json_writer *json, const char *id, const char *text)
{
    pg_json_begin_object(json);
    pg_json_field_str(json, "id", pg_str_c(id));
    put_message(json, "shortDescription", text);
    pg_json_end_object(json);
}

static void put_tool(pg_json_writer *json, const pg_report *report)
{
    pg_json_key(json, "tool");
    pg_json_begin_object(json);
    pg_json_key(json, "driver");
    pg_json_begin_object(json);
    pg_json_field_str(json, "name", PG_STR("polygraphy"));
    pg_json_field_str(json, "version", pg_str_c(report->program_version));
    pg_json_key(json, "rules");
    pg_json_begin_array(json);
    for (int f = 0; f < PG_COMPARE_FUNCTION_COUNT; f++)
        put_rule(json, pg_compare_function_name((pg_compare_function)f), rule_texts[f]);
    put_rule(json, run_rule, "The run as a whole succeeds.");
    pg_json_end_array(json);
    pg_json_end_object(json);
    pg_json_end_object(json);
}

static void put_invocation(pg_json_writer *json, const pg_report *report)
{
    pg_json_key(json, "invocations");
    pg_json_begin_array(json);
    pg_json_begin_object(json);
    pg_json_field_str(json, "commandLine", pg_str_c(report->command));
    pg_json_field_str(json, "startTimeUtc", pg_str_c(report->started));
    pg_json_field_str(json, "endTimeUtc", pg_str_c(report->ended));
    pg_json_field_i64(json, "exitCode", report->verdict == PG_REPORT_PASSED ? 0 : 1);
    pg_json_field_bool(json, "executionSuccessful", report->verdict != PG_REPORT_ERROR);
    pg_json_end_object(json);
    pg_json_end_array(json);
}

/* A relative reference of RFC 3986: what is not allowed there is written as %XX. */
static void add_uri(pg_buf *out, const char *path)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/";
    for (; *path != '\0'; path++) {
        if (strchr(plain, *path) != NULL)
            pg_buf_putc(out, *path);
        else
            pg_buf_printf(out, "%%%02X", (unsigned)(unsigned char)*path);
    }
}

static void put_location(pg_json_writer *json, const pg_report *report, const char *output)
{
    pg_buf uri = {0};
    add_uri(&uri, report->model != NULL ? report->model : "results");
    pg_json_key(json, "locations");
    pg_json_begin_array(json);
    pg_json_begin_object(json);
    pg_json_key(json, "physicalLocation");
    pg_json_begin_object(json);
    pg_json_key(json, "artifactLocation");
    pg_json_begin_object(json);
    pg_json_field_str(json, "uri", pg_buf_str(&uri));
    pg_json_end_object(json);
    pg_json_end_object(json);
    if (output != NULL) {
        pg_json_key(json, "logicalLocations");
        pg_json_begin_array(json);
        pg_json_begin_object(json);
        pg_json_field_str(json, "name", pg_str_c(output));
        pg_json_field_str(json, "kind", PG_STR("output"));
        pg_json_end_object(json);
        pg_json_end_array(json);
    }
    pg_json_end_object(json);
    pg_json_end_array(json);
    pg_buf_deinit(&uri);
}

/* ---- Results ---- */

/* Runners are named by date: two runs of one command have the same fingerprint when only that differs. */
static void put_fingerprint(pg_json_writer *json, const pg_report *report, size_t pair,
                            const pg_output_comparison *output)
{
    pg_buf text = {0};
    char hash[20];
    pg_buf_printf(&text, "%s|%zu|%s|%s", report->model != NULL ? report->model : "", pair,
                  pg_compare_function_name(output->function), output->name0);
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)pg_str_hash(pg_buf_str(&text)));
    pg_json_key(json, "partialFingerprints");
    pg_json_begin_object(json);
    pg_json_field_str(json, "output/v1", pg_str_c(hash));
    pg_json_end_object(json);
    pg_buf_deinit(&text);
}

static void put_result(pg_json_writer *json, const pg_report *report, size_t index,
                       const pg_pair_comparison *pair, size_t iteration, const pg_output_comparison *output)
{
    pg_buf text = {0};
    pg_buf_printf(&text, "Output '%s' of %s and %s, iteration %zu: ", output->name0, pair->run0, pair->run1,
                  iteration);
    pg_report_sentence(&text, output);
    size_t before = text.len;
    pg_buf_puts(&text, "; ");
    pg_report_culprit(&text, output);
    if (text.len == before + 2)
        text.ptr[text.len = before] = '\0';
    pg_json_begin_object(json);
    pg_json_field_str(json, "ruleId", pg_str_c(pg_compare_function_name(output->function)));
    pg_json_field_i64(json, "ruleIndex", output->function);
    pg_json_field_str(json, "level", pg_report_averages(report) ? PG_STR("note") : PG_STR("error"));
    put_message(json, "message", pg_buf_cstr(&text));
    put_location(json, report, output->name0);
    put_fingerprint(json, report, index, output);
    pg_json_end_object(json);
    pg_buf_deinit(&text);
}

static void put_run_result(pg_json_writer *json, const pg_report *report, const char *text)
{
    pg_json_begin_object(json);
    pg_json_field_str(json, "ruleId", pg_str_c(run_rule));
    pg_json_field_i64(json, "ruleIndex", PG_COMPARE_FUNCTION_COUNT);
    pg_json_field_str(json, "level", PG_STR("error"));
    put_message(json, "message", text);
    put_location(json, report, NULL);
    pg_json_end_object(json);
}

static void put_results(pg_json_writer *json, const pg_report *report)
{
    size_t n_pairs, count = 0;
    const pg_pair_comparison *pairs = pg_report_pairs(report, &n_pairs);
    pg_json_key(json, "results");
    pg_json_begin_array(json);
    for (size_t p = 0; p < n_pairs; p++)
        for (size_t i = 0; i < pairs[p].count; i++)
            for (size_t f = 0; f < pairs[p].iterations[i].n_functions; f++) {
                const pg_function_comparison *function = &pairs[p].iterations[i].functions[f];
                for (size_t o = 0; o < function->count; o++)
                    if (!function->outputs[o].passed) {
                        put_result(json, report, p, &pairs[p], i, &function->outputs[o]);
                        count += !pg_report_averages(report);
                    }
            }
    if (report->verdict == PG_REPORT_ERROR)
        put_run_result(json, report, report->error);
    else if (report->verdict == PG_REPORT_FAILED && count == 0)
        put_run_result(json, report,
                       pg_report_averages(report) ? "An average over the iterations missed its threshold."
                                                  : "The outputs are not valid.");
    pg_json_end_array(json);
}

void pg_report_sarif(const pg_report *report, pg_buf *out)
{
    pg_json_writer json;
    pg_json_to_memory(&json, out, 2);
    pg_json_begin_object(&json);
    pg_json_field_str(&json, "$schema", PG_STR("https://json.schemastore.org/sarif-2.1.0.json"));
    pg_json_field_str(&json, "version", PG_STR("2.1.0"));
    pg_json_key(&json, "runs");
    pg_json_begin_array(&json);
    pg_json_begin_object(&json);
    put_tool(&json, report);
    put_invocation(&json, report);
    put_results(&json, report);
    pg_json_end_object(&json);
    pg_json_end_array(&json);
    pg_json_end_object(&json);
    pg_buf_putc(out, '\n');
}

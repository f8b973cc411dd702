/* The report as JUnit XML: a suite per pair of runs, a case per iteration, function and output. Where averages
 * are judged, single iterations do not fail: then each suite has one case for the verdict. */
#include "compare/plot/plot.h"
#include "report/internal.h"

typedef struct totals {
    size_t tests, failures, errors;
} totals;

static void add_attribute(pg_buf *out, const char *name, const char *value)
{
    pg_buf_printf(out, " %s=\"", name);
    pg_svg_escape(out, value);
    pg_buf_putc(out, '"');
}

static void add_totals(pg_buf *out, const totals *t)
{
    pg_buf_printf(out, " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"0\"", t->tests, t->failures,
                  t->errors);
}

/* ---- One case ---- */

static void open_case(pg_buf *out, const char *class_name, const char *name)
{
    pg_buf_puts(out, "    <testcase");
    add_attribute(out, "classname", class_name);
    add_attribute(out, "name", name);
    pg_buf_puts(out, " time=\"0\"");
}

static void add_problem(pg_buf *out, const char *tag, const char *message, const char *text)
{
    pg_buf_printf(out, ">\n      <%s", tag);
    add_attribute(out, "message", message);
    pg_buf_puts(out, ">");
    pg_svg_escape(out, text);
    pg_buf_printf(out, "</%s>\n    </testcase>\n", tag);
}

/* Names must not change from run to run, and runners are named by date: pairs are numbered instead. */
static void case_name(pg_buf *out, const pg_report *report, const pg_pair_comparison *pair, size_t iteration,
                      const char *output)
{
    size_t n_pairs;
    const pg_pair_comparison *pairs = pg_report_pairs(report, &n_pairs);
    pg_buf_puts(out, output);
    if (n_pairs > 1)
        pg_buf_printf(out, " [pair %zu]", (size_t)(pair - pairs));
    if (pair->count > 1)
        pg_buf_printf(out, " [iteration %zu]", iteration);
}

static void add_output(pg_buf *out, const pg_report *report, const pg_pair_comparison *pair, size_t iteration,
                       const pg_output_comparison *output, totals *t)
{
    pg_buf name = {0}, class_name = {0}, message = {0}, text = {0};
    const char *model = report->model != NULL ? report->model : "results";
    pg_buf_printf(&class_name, "%s.%s", model, pg_compare_function_name(output->function));
    case_name(&name, report, pair, iteration, output->name0);
    open_case(out, pg_buf_cstr(&class_name), pg_buf_cstr(&name));
    t->tests++;
    if (output->passed || pg_report_averages(report)) {
        pg_buf_puts(out, "/>\n");
    } else {
        t->failures++;
        pg_report_sentence(&message, output);
        pg_report_sentence(&text, output);
        pg_buf_putc(&text, '\n');
        pg_report_culprit(&text, output);
        add_problem(out, "failure", pg_buf_cstr(&message), pg_buf_cstr(&text));
    }
    pg_buf_deinit(&name);
    pg_buf_deinit(&class_name);
    pg_buf_deinit(&message);
    pg_buf_deinit(&text);
}

/* ---- Suites ---- */

static void add_suite(pg_buf *out, const char *name, const totals *t, const pg_buf *cases)
{
    pg_buf_puts(out, "  <testsuite");
    add_attribute(out, "name", name);
    add_totals(out, t);
    pg_buf_puts(out, " time=\"0\">\n");
    pg_buf_add_str(out, pg_buf_str(cases));
    pg_buf_puts(out, "  </testsuite>\n");
}

static void add_up(totals *all, const totals *t)
{
    all->tests += t->tests;
    all->failures += t->failures;
    all->errors += t->errors;
}

static void add_pair(pg_buf *out, const pg_report *report, const pg_pair_comparison *pair, totals *all)
{
    pg_buf cases = {0}, name = {0};
    totals t = {0, 0, 0};
    for (size_t i = 0; i < pair->count; i++)
        for (size_t f = 0; f < pair->iterations[i].n_functions; f++) {
            const pg_function_comparison *function = &pair->iterations[i].functions[f];
            for (size_t o = 0; o < function->count; o++)
                add_output(&cases, report, pair, i, &function->outputs[o], &t);
        }
    pg_buf_printf(&name, "%s vs. %s", pair->run0, pair->run1);
    add_suite(out, pg_buf_cstr(&name), &t, &cases);
    add_up(all, &t);
    pg_buf_deinit(&cases);
    pg_buf_deinit(&name);
}

/* The run as a whole: its error, and verdicts that no single output carries. */
static void add_run(pg_buf *out, const pg_report *report, size_t n_failures, totals *all)
{
    pg_buf cases = {0};
    totals t = {1, 0, 0};
    open_case(&cases, report->model != NULL ? report->model : "results", "run");
    if (report->verdict == PG_REPORT_ERROR) {
        t.errors = 1;
        add_problem(&cases, "error", report->error, report->error);
    } else if (report->verdict == PG_REPORT_FAILED && n_failures == 0) {
        const char *why = pg_report_averages(report) ? "an average over the iterations missed its threshold"
                                                     : "the outputs are not valid";
        t.failures = 1;
        add_problem(&cases, "failure", why, why);
    } else {
        pg_buf_puts(&cases, "/>\n");
    }
    add_suite(out, "run", &t, &cases);
    add_up(all, &t);
    pg_buf_deinit(&cases);
}

void pg_report_junit(const pg_report *report, pg_buf *out)
{
    pg_buf suites = {0};
    totals all = {0, 0, 0};
    size_t n_pairs;
    const pg_pair_comparison *pairs = pg_report_pairs(report, &n_pairs);
    for (size_t p = 0; p < n_pairs; p++)
        add_pair(&suites, report, &pairs[p], &all);
    add_run(&suites, report, all.failures, &all);
    pg_buf_puts(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites");
    add_attribute(out, "name", "polygraphy");
    add_totals(out, &all);
    pg_buf_printf(out, " time=\"%.3f\">\n", report->seconds);
    pg_buf_add_str(out, pg_buf_str(&suites));
    pg_buf_puts(out, "</testsuites>\n");
    pg_buf_deinit(&suites);
}

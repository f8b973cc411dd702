/* The writers survive any name and say what was found. */
#include "compare/internal.h"
#include "json/json.h"
#include "report/report.h"
#include "unit/compare/support.h"

static const char odd_name[] = "<y> & \"'\\\n\x01\xff]]>";

static pg_report sample(void)
{
    return (pg_report){.program_version = "1",
                       .peer_version = "2",
                       .command = "polygraphy <run> & \x02",
                       .folder = "/tmp",
                       .model = "a b&c.onnx",
                       .started = "2026-01-02T03:04:05Z",
                       .ended = "2026-01-02T03:04:06Z",
                       .verdict = PG_REPORT_FAILED};
}

typedef void (*writer)(const pg_report *report, pg_buf *out);
static const writer writers[] = {pg_report_html, pg_report_junit, pg_report_sarif, pg_report_json};

static void check_texts(const pg_report *report)
{
    for (size_t w = 0; w < PG_COUNT(writers); w++) {
        pg_buf text = {0};
        writers[w](report, &text);
        for (size_t i = 0; i < text.len; i++) /* no byte that XML or JSON cannot hold */
            CHECK((unsigned char)text.ptr[i] >= 0x20 || text.ptr[i] == '\n');
        CHECK(memchr(text.ptr, 0xff, text.len) == NULL);
        if (w >= 2) {
            pg_arena arena = {0};
            pg_json root;
            CHECK_OK(pg_json_parse(text.ptr, text.len, "report", &arena, &root));
            pg_arena_deinit(&arena);
        }
        pg_buf_deinit(&text);
    }
}

TEST(a_run_that_ended_early)
{
    pg_report report = sample();
    report.verdict = PG_REPORT_ERROR;
    report.error = odd_name;
    check_texts(&report);
    pg_buf text = {0};
    pg_report_junit(&report, &text);
    CHECK(strstr(pg_buf_cstr(&text), "errors=\"1\"") != NULL &&
          strstr(pg_buf_cstr(&text), "<error ") != NULL);
    pg_buf_deinit(&text);
}

TEST(odd_names_and_numbers)
{
    static const pg_compare_function functions[] = {PG_COMPARE_SIMPLE, PG_COMPARE_PSNR, PG_COMPARE_INDICES};
    pg_compare_options options = {
        .functions = functions, .n_functions = 3, .all_statistics = true, .pictures = true};
    pg_run_results results = {0};
    pg_comparison *comparison = pg_comparison_new(&options);
    add_run(&results, odd_name, odd_name, FLOATS(1, NAN, INFINITY, 4));
    add_run(&results, "B", odd_name, FLOATS(1, 2, 3, 0));
    CHECK_OK(pg_comparison_run(comparison, &results));
    pg_report_run run = {.name = odd_name, .runtime = odd_name, .iterations = 1, .has_latency = true};
    pg_report_input input = {odd_name, "float32", "(1, 2)", true, -INFINITY, NAN, 0};
    pg_report report = sample();
    report.runs = &run;
    report.inputs = &input;
    report.n_runs = report.n_inputs = 1;
    report.comparison = comparison;
    check_texts(&report);
    pg_comparison_free(comparison);
    pg_run_results_deinit(&results);
}

TEST(shapes_that_differ)
{
    pg_compare_options options = {.pictures = true};
    compared c = compare_two(&options, FLOATS(1, 2), FLOATS(1, 2, 3));
    pg_report report = sample();
    report.comparison = c.comparison;
    check_texts(&report);
    pg_buf text = {0};
    pg_report_sarif(&report, &text);
    CHECK(strstr(pg_buf_cstr(&text), "the shapes differ") != NULL);
    CHECK(strstr(pg_buf_cstr(&text), "a%20b%26c.onnx") != NULL);
    pg_buf_deinit(&text);
    free_compared(&c);
}

TEST_MAIN(be_silent(); RUN(a_run_that_ended_early); RUN(odd_names_and_numbers); RUN(shapes_that_differ);)

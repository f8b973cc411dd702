/* What all reports say in words. */
#include <math.h>

#include "report/internal.h"
#include "tensor/number_text.h"
#include "tensor/tensor.h"

const char *pg_report_verdict_name(pg_report_verdict verdict)
{
    static const char *const names[] = {"passed", "failed", "error"};
    return names[verdict];
}

const pg_pair_comparison *pg_report_pairs(const pg_report *report, size_t *out_count)
{
    *out_count = 0;
    return report->comparison != NULL ? pg_comparison_pairs(report->comparison, out_count) : NULL;
}

bool pg_report_averages(const pg_report *report)
{
    return report->comparison != NULL && pg_comparison_options(report->comparison)->check_average;
}

size_t pg_report_visit(const pg_pair_comparison *pair, size_t first_row, pg_report_visit_fn visit,
                       void *context)
{
    size_t row = first_row;
    for (size_t i = 0; i < pair->count; i++)
        for (size_t f = 0; f < pair->iterations[i].n_functions; f++) {
            const pg_function_comparison *function = &pair->iterations[i].functions[f];
            for (size_t o = 0; o < function->count; o++)
                visit(context, row++, i, &function->outputs[o]);
        }
    return row;
}

const char *pg_report_type_name(pg_dtype dtype)
{
    return dtype == PG_UNDEFINED ? "sequence" : pg_dtype_name(dtype);
}

void pg_report_shape(pg_buf *out, const pg_output_comparison *output)
{
    pg_shape_text(out, output->rank, output->dims);
}

static void add_index(pg_buf *out, const pg_output_comparison *output, uint64_t index)
{
    int64_t at[PG_MAX_RANK];
    for (size_t axis = output->rank; axis-- > 0;) {
        at[axis] = (int64_t)(index % (uint64_t)output->dims[axis]);
        index /= (uint64_t)output->dims[axis];
    }
    pg_shape_text(out, output->rank, at);
}

static void add_g(pg_buf *out, const char *before, double value)
{
    pg_buf_puts(out, before);
    pg_text_g(out, value, 5);
}

static const char *problem_text(pg_compare_problem problem)
{
    switch (problem) {
    case PG_COMPARE_SHAPES:
        return "the shapes differ";
    case PG_COMPARE_KINDS:
        return "the values are of different kinds";
    case PG_COMPARE_COUNTS:
        return "the numbers of items or the keys differ";
    case PG_COMPARE_UNALIGNABLE:
        return "the shapes hold different numbers of elements";
    default:
        return "";
    }
}

static void simple_sentence(pg_buf *out, const pg_output_comparison *output)
{
    if (output->dtype0 == PG_STRING) {
        pg_buf_printf(out, "%llu of %llu texts differ", (unsigned long long)output->mismatches,
                      (unsigned long long)output->count);
        return;
    }
    pg_buf_printf(out, "%s error", pg_error_stat_name(output->stat));
    add_g(out, ": absolute ", output->required_abs);
    add_g(out, " (allowed ", output->atol);
    add_g(out, "), relative ", output->required_rel);
    add_g(out, " (allowed ", output->rtol);
    pg_buf_putc(out, ')');
    if (output->stat == PG_ERROR_ELEMWISE)
        pg_buf_printf(out, "; %llu of %llu elements exceed both", (unsigned long long)output->mismatches,
                      (unsigned long long)output->count);
}

void pg_report_sentence(pg_buf *out, const pg_output_comparison *output)
{
    const pg_metric *metric = pg_metric_of(output->function);
    if (output->problem != PG_COMPARED)
        pg_buf_puts(out, problem_text(output->problem));
    else if (metric != NULL)
        pg_metric_text(out, metric, output->value, output->threshold.value);
    else if (output->function == PG_COMPARE_INDICES)
        pg_buf_printf(out, "%llu of %llu indices stand more than %lld places off",
                      (unsigned long long)output->mismatches, (unsigned long long)output->count,
                      (long long)output->index_tolerance);
    else
        simple_sentence(out, output);
}

static void simple_culprit(pg_buf *out, const pg_output_comparison *output)
{
    pg_buf_puts(out, "worst element ");
    add_index(out, output, output->worst.index);
    add_g(out, ": ", output->worst.a);
    add_g(out, " and ", output->worst.b);
    add_g(out, " (absolute ", output->worst.abs);
    add_g(out, ", relative ", output->worst.rel);
    pg_buf_puts(out, ")");
    if (isfinite(output->pass_atol))
        add_g(out, "; would pass with --atol ", output->pass_atol * (1 + 1e-4));
    if (isfinite(output->pass_atol) && isfinite(output->pass_rtol))
        add_g(out, " or --rtol ", output->pass_rtol * (1 + 1e-4));
}

void pg_report_culprit(pg_buf *out, const pg_output_comparison *output)
{
    if (output->passed || !output->has_elements || output->problem != PG_COMPARED)
        return;
    if (output->function == PG_COMPARE_SIMPLE && output->dtype0 != PG_STRING) {
        simple_culprit(out, output);
    } else {
        pg_buf_puts(out, "worst element ");
        add_index(out, output, output->worst.index);
    }
}

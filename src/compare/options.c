#include "base/alloc.h"
#include "compare/internal.h"
#include "compare/metric.h"

static const char *const function_names[PG_COMPARE_FUNCTION_COUNT] = {
    [PG_COMPARE_SIMPLE] = "simple",
    [PG_COMPARE_INDICES] = "indices",
    [PG_COMPARE_L2] = "l2",
    [PG_COMPARE_COSINE] = "cosine_similarity",
    [PG_COMPARE_PSNR] = "psnr",
    [PG_COMPARE_SNR] = "snr",
    [PG_COMPARE_PERCEPTUAL] = "perceptual_metrics",
};

const char pg_compare_perceptual_reason[] =
    "the comparison function 'perceptual_metrics' needs the Python packages 'torch' and 'lpips', which this "
    "version cannot call; compare with psnr and snr, or judge saved results with 'polygraphy check accuracy'";

static const char *const stat_names[] = {
    [PG_ERROR_ELEMWISE] = "elemwise", [PG_ERROR_MAX] = "max",           [PG_ERROR_MEAN] = "mean",
    [PG_ERROR_MEDIAN] = "median",     [PG_ERROR_QUANTILE] = "quantile",
};

const char *pg_compare_function_name(pg_compare_function function)
{
    return function_names[function];
}

const char *pg_compare_function_label(pg_compare_function function)
{
    const pg_metric *metric = pg_metric_of(function);
    return metric != NULL ? metric->label : function_names[function];
}

const char *pg_error_stat_name(pg_error_stat stat)
{
    return stat_names[stat];
}

bool pg_error_stat_parse(pg_str name, pg_error_stat *out)
{
    for (size_t i = 0; i < PG_COUNT(stat_names); i++)
        if (pg_str_is(name, stat_names[i])) {
            *out = (pg_error_stat)i;
            return true;
        }
    return false;
}

pg_output_number pg_output_number_for(pg_output_numbers numbers, pg_str output, double fallback)
{
    pg_output_number result = {.value = fallback};
    bool own = false;
    for (size_t i = 0; i < numbers.count; i++) {
        const pg_output_number *number = &numbers.items[i];
        if (number->output.len > 0 && pg_str_eq(number->output, output)) {
            result = *number;
            own = true;
        } else if (number->output.len == 0 && !own) {
            result = *number;
        }
    }
    return result;
}

pg_error_stat pg_output_stat_for(const pg_compare_options *options, pg_str output)
{
    pg_error_stat result = PG_ERROR_ELEMWISE;
    bool own = false;
    for (size_t i = 0; i < options->n_stats; i++) {
        if (options->stats[i].output.len > 0 && pg_str_eq(options->stats[i].output, output)) {
            result = options->stats[i].stat;
            own = true;
        } else if (options->stats[i].output.len == 0 && !own) {
            result = options->stats[i].stat;
        }
    }
    return result;
}

#include <math.h>
#include <string.h>

#include "args/args.h"
#include "args/missing.h"
#include "base/buf.h"
#include "log/log.h"

/* ---- What to compare, and with which functions ---- */

#define FUNCTIONS \
    "simple|indices|l2|cosine_similarity|distance_metrics|psnr|snr|quality_metrics|perceptual_metrics"

static const pg_option rows[] = {
    {"--no-shape-check", PG_FIELD(pg_args_compare, no_shape_check),
     .help = "compare outputs of different shapes too, by permuting or reshaping one"},
    {"--validate", PG_FIELD(pg_args_compare, validate), .help = "fail when an output has a NaN or infinity"},
    {"--fail-fast", PG_FIELD(pg_args_compare, fail_fast), .help = "stop after the first mismatch"},
    {"--check-average", PG_FIELD(pg_args_compare, check_average),
     .help = "judge the average of each metric over all iterations instead of every iteration; not with "
             "--fail-fast, indices or --check-error-stat elemwise"},
    {"--sequential-runners", PG_FIELD(pg_args_compare, sequential_runners),
     .help =
         "run one runner after the other over all inputs, instead of all runners input by input; all outputs "
         "are kept in memory"},
    {"--compare --compare-func", PG_FIELD(pg_args_compare, functions_text), .choices = FUNCTIONS,
     .default_text = "simple",
     .help = "how to compare, by one function or several: 'simple' by absolute and relative tolerance, "
             "'indices' for outputs that are indices, or by one number per output: 'l2', "
             "'cosine_similarity', 'psnr', 'snr', 'perceptual_metrics'. 'distance_metrics' is l2 and "
             "cosine_similarity, 'quality_metrics' is psnr and snr"},
    {"--compare-func-script", .type = PG_ARG_TEXT, .missing = NEEDS_PYTHON, .flags = PG_OPTION_PATH,
     .help = "Python file with a function compare_outputs(result0, result1)"},
    {"--load-outputs --load-results", PG_FIELD(pg_args_compare, load_outputs), .metavar = "PATH",
     .help = "saved outputs to compare with, each file one more run behind the runners",
     .flags = PG_OPTION_PATH},
    {"--save-accuracy-results", PG_FIELD(pg_args_compare, save_accuracy), .metavar = "PATH",
     .help = "save the numbers and verdicts of the comparison as JSON; 'check accuracy' judges them again by "
             "other thresholds",
     .flags = PG_OPTION_PATH},
    {"--save-report", PG_FIELD(pg_args_compare, save_report), .metavar = "PATH",
     .help = "save outputs and largest and mean errors as readable JSON",
     .flags = PG_OPTION_OURS | PG_OPTION_PATH},
};

/* Naming a function twice runs it once. */
static void add_function(pg_args_compare *args, pg_compare_function function)
{
    for (size_t i = 0; i < args->n_functions; i++)
        if (args->functions[i] == function)
            return;
    args->functions[args->n_functions++] = function;
}

/* A name of --compare that stands for several functions. */
typedef struct alias {
    const char *name;
    pg_compare_function functions[2];
} alias;
static const alias aliases[] = {
    {"distance_metrics", {PG_COMPARE_L2, PG_COMPARE_COSINE}},
    {"quality_metrics", {PG_COMPARE_PSNR, PG_COMPARE_SNR}},
};

static void add_named(pg_args_compare *args, const char *name)
{
    for (int f = 0; f < PG_COMPARE_FUNCTION_COUNT; f++)
        if (strcmp(name, pg_compare_function_name((pg_compare_function)f)) == 0)
            add_function(args, (pg_compare_function)f);
    for (size_t i = 0; i < PG_COUNT(aliases); i++)
        for (size_t k = 0; k < 2 && strcmp(name, aliases[i].name) == 0; k++)
            add_function(args, aliases[i].functions[k]);
}

static pg_status finish(void *values, pg_arena *arena)
{
    pg_args_compare *args = values;
    args->functions = PG_ARENA_ARRAY(arena, pg_compare_function, PG_COMPARE_FUNCTION_COUNT);
    for (size_t i = 0; i < args->functions_text.count; i++)
        add_named(args, args->functions_text.items[i]);
    if (args->n_functions == 0)
        args->functions[args->n_functions++] = PG_COMPARE_SIMPLE;
    return NULL;
}

const pg_group pg_group_compare = {"Comparator Comparisons", rows, PG_COUNT(rows), .finish = finish};

/* ---- Options of the functions ---- */

/* What one range of values allows. */
typedef struct number_rule {
    const char *option;
    double low, high;
    bool integers;
} number_rule;

static pg_status parse_numbers(const number_rule *rule, const pg_arg_list *list, pg_arena *arena,
                               pg_output_numbers *out)
{
    pg_name_value *parts;
    PG_TRY(pg_values_by_name(rule->option, list, arena, &parts, &out->count));
    pg_output_number *items = PG_ARENA_ARRAY(arena, pg_output_number, out->count + 1);
    for (size_t i = 0; i < out->count; i++) {
        pg_scalar number = pg_value_scalar(parts[i].value, arena);
        if (!pg_scalar_is_number(&number) || (rule->integers && number.kind != PG_SCALAR_INT))
            return pg_err(PG_ERR_INVALID, "option '%s': '%" PG_STR_FMT "' of '%s' is not %s", rule->option,
                          PG_STR_ARG(parts[i].value), list->items[i],
                          rule->integers ? "an integer" : "a number");
        if (!(number.number >= rule->low && number.number <= rule->high))
            return pg_err(PG_ERR_INVALID, "option '%s': '%s' is not between %g and %g", rule->option,
                          list->items[i], rule->low, rule->high);
        items[i] = (pg_output_number){parts[i].name, number.number, number.kind == PG_SCALAR_INT};
    }
    out->items = items;
    return NULL;
}

static const pg_option simple_rows[] = {
    {"--rtol --rel-tol", PG_FIELD(pg_args_simple, rtol_text), .metavar = "[NAME:]RTOL",
     .default_text = "1e-5",
     .help =
         "relative tolerance, a fraction of the second run's values, for all or for one output: --rtol 1e-5 "
         "out0:1e-4"},
    {"--atol --abs-tol", PG_FIELD(pg_args_simple, atol_text), .metavar = "[NAME:]ATOL",
     .default_text = "1e-5", .help = "absolute tolerance, for all or for one output"},
    {"--tolerance", PG_FIELD(pg_args_simple, tolerance), .choices = "auto", .flags = PG_OPTION_OURS,
     .help =
         "auto: measure with the built-in engine how far float32 rounding alone moves each output, and take "
         "tolerances from that where --rtol and --atol give none"},
    {"--check-error-stat", PG_FIELD(pg_args_simple, stat_text), .metavar = "[NAME:]STAT",
     .default_text = "elemwise",
     .help =
         "what the tolerances judge: elemwise (every element), or the max, mean, median or quantile of the "
         "differences"},
    {"--infinities-compare-equal", PG_FIELD(pg_args_simple, infinities_compare_equal),
     .help = "infinities of the same sign are equal"},
    {"--save-heatmaps", PG_FIELD(pg_args_simple, save_heatmaps), .metavar = "DIR", .flags = PG_OPTION_PATH,
     .help = "folder for heatmaps of both differences, as SVG: the last two dimensions of an output are a "
             "picture, the others count them"},
    {"--show-heatmaps", PG_FIELD(pg_args_simple, show_heatmaps),
     .help = "show the heatmaps: in the desktop's viewer, or on a terminal as block characters"},
    {"--save-error-metrics-plot", PG_FIELD(pg_args_simple, save_error_plot), .metavar = "DIR",
     .flags = PG_OPTION_PATH,
     .help = "folder for plots of both differences over the magnitude of the second run's values, as PNG"},
    {"--show-error-metrics-plot", PG_FIELD(pg_args_simple, show_error_plot),
     .help = "show these plots: in the desktop's viewer, or on a terminal as block characters"},
    {"--error-quantile", PG_FIELD(pg_args_simple, quantile_text), .metavar = "[NAME:]Q",
     .default_text = "0.99", .help = "which quantile --check-error-stat quantile judges, from 0 to 1"},
};

static pg_status parse_stats(pg_args_simple *args, pg_arena *arena)
{
    static const char *const names[] = {"max", "mean", "median", "elemwise", "quantile"};
    pg_name_value *parts;
    PG_TRY(pg_values_by_name("--check-error-stat", &args->stat_text, arena, &parts, &args->n_stats));
    args->stats = PG_ARENA_ARRAY(arena, pg_output_stat, args->n_stats + 1);
    for (size_t i = 0; i < args->n_stats; i++) {
        args->stats[i].output = parts[i].name;
        if (!pg_error_stat_parse(parts[i].value, &args->stats[i].stat))
            return pg_value_not_one_of("--check-error-stat", parts[i].value, names, PG_COUNT(names));
    }
    return NULL;
}

static pg_status finish_simple(void *values, pg_arena *arena)
{
    static const number_rule rtol = {"--rtol", -INFINITY, INFINITY}, atol = {"--atol", -INFINITY, INFINITY};
    static const number_rule quantile = {"--error-quantile", 0, 1};
    pg_args_simple *args = values;
    PG_TRY(parse_numbers(&rtol, &args->rtol_text, arena, &args->rtol));
    PG_TRY(parse_numbers(&atol, &args->atol_text, arena, &args->atol));
    PG_TRY(parse_numbers(&quantile, &args->quantile_text, arena, &args->quantile));
    return parse_stats(args, arena);
}

const pg_group pg_group_simple = {"Comparison Function: `simple`", simple_rows, PG_COUNT(simple_rows),
                                  .finish = finish_simple};

static const pg_option indices_rows[] = {
    {"--index-tolerance", PG_FIELD(pg_args_indices, tolerance_text), .metavar = "[NAME:]N",
     .default_text = "0", .help = "by how many places an index may have moved, for all or for one output"},
};

static pg_status finish_indices(void *values, pg_arena *arena)
{
    static const number_rule tolerance = {"--index-tolerance", 0, 0x1p53, .integers = true};
    pg_args_indices *args = values;
    return parse_numbers(&tolerance, &args->tolerance_text, arena, &args->tolerance);
}

const pg_group pg_group_indices = {"Comparison Function: `indices`", indices_rows, PG_COUNT(indices_rows),
                                   .finish = finish_indices};

/* One group per function with a threshold. */
#define THRESHOLD_GROUP(id, function, names, rule_name, low, high, default_, help_)                        \
    static const pg_option id##_rows[] = {{names, PG_FIELD(pg_args_threshold, text),                       \
                                           .metavar = "[NAME:]VALUE", .default_text = default_,            \
                                           .help = help_}};                                                \
    static pg_status finish_##id(void *values, pg_arena *arena)                                            \
    {                                                                                                      \
        static const number_rule rule = {rule_name, low, high, false};                                     \
        pg_args_threshold *args = values;                                                                  \
        return parse_numbers(&rule, &args->text, arena, &args->values);                                    \
    }                                                                                                      \
    const pg_group pg_group_##id = {"Comparison Function: `" function "`", id##_rows, PG_COUNT(id##_rows), \
                                    .finish = finish_##id}

THRESHOLD_GROUP(l2, "l2", "--l2-threshold --l2-tolerance", "--l2-threshold", -INFINITY, INFINITY, "1e-5",
                "largest L2 norm of the difference that passes, for all or for one output");
THRESHOLD_GROUP(cosine, "cosine_similarity", "--cosine-similarity-threshold", "--cosine-similarity-threshold",
                -INFINITY, INFINITY, "0.997",
                "smallest cosine similarity that passes, from -1 to 1, for all or for one output");
THRESHOLD_GROUP(psnr, "psnr", "--psnr-threshold --psnr-tolerance", "--psnr-threshold", -INFINITY, INFINITY,
                "30", "smallest peak signal-to-noise ratio that passes, in dB, for all or for one output");
THRESHOLD_GROUP(snr, "snr", "--snr-threshold --snr-tolerance", "--snr-threshold", -INFINITY, INFINITY, "20",
                "smallest signal-to-noise ratio that passes, in dB, for all or for one output");
THRESHOLD_GROUP(perceptual, "perceptual_metrics", "--lpips-threshold --lpips-tolerance", "--lpips-threshold",
                -INFINITY, INFINITY, "0.1",
                "largest perceptual distance that passes, for all or for one output");

/* ---- Together ---- */

static void add_quoted(pg_buf *out, const char *name)
{
    pg_buf_printf(out, "%s'%s'", out->len > 0 ? ", " : "", name);
}

/* The names of --compare that a function answers to. */
static void add_function_names(pg_buf *out, pg_compare_function function)
{
    add_quoted(out, pg_compare_function_name(function));
    for (size_t i = 0; i < PG_COUNT(aliases); i++)
        if (aliases[i].functions[0] == function || aliases[i].functions[1] == function)
            add_quoted(out, aliases[i].name);
}

/* Options of a function that was not chosen do nothing: say so. */
static void warn_unused(const pg_args_compare *compare, pg_compare_function function, const pg_group *group,
                        const void *values)
{
    pg_buf chosen = {0}, names = {0};
    bool used = false;
    for (size_t i = 0; i < compare->n_functions; i++)
        used = used || compare->functions[i] == function;
    for (size_t i = 0; i < compare->functions_text.count; i++)
        add_quoted(&chosen, compare->functions_text.items[i]);
    if (compare->functions_text.count == 0)
        add_quoted(&chosen, "simple");
    add_function_names(&names, function);
    for (size_t i = 0; !used && i < group->n_options; i++) {
        pg_arena arena = {0};
        const pg_option *row = &group->options[i];
        if (row->missing == NULL && pg_option_is_set(row, values)) {
            PG_LOG_WARNING(
                "Option: %s is only valid for comparison function(s): [%s]. The selected comparison "
                "functions are: [%s], so this option will be ignored.",
                pg_option_label(row, &arena), pg_buf_cstr(&names), pg_buf_cstr(&chosen));
        }
        pg_arena_deinit(&arena);
    }
    pg_buf_deinit(&chosen);
    pg_buf_deinit(&names);
}

void pg_args_compare_warn(const pg_args_compare *compare, const pg_args_simple *simple,
                          const pg_args_indices *indices, const pg_args_thresholds *thresholds)
{
    warn_unused(compare, PG_COMPARE_SIMPLE, &pg_group_simple, simple);
    warn_unused(compare, PG_COMPARE_INDICES, &pg_group_indices, indices);
    warn_unused(compare, PG_COMPARE_L2, &pg_group_l2, &thresholds->l2);
    warn_unused(compare, PG_COMPARE_COSINE, &pg_group_cosine, &thresholds->cosine);
    warn_unused(compare, PG_COMPARE_PSNR, &pg_group_psnr, &thresholds->psnr);
    warn_unused(compare, PG_COMPARE_SNR, &pg_group_snr, &thresholds->snr);
    warn_unused(compare, PG_COMPARE_PERCEPTUAL, &pg_group_perceptual, &thresholds->perceptual);
}

/* Whether some outputs are judged element by element. */
static bool any_elemwise(const pg_args_simple *simple)
{
    bool named = false;
    for (size_t i = 0; i < simple->n_stats; i++) {
        if (simple->stats[i].stat == PG_ERROR_ELEMWISE)
            return true;
        named = named || simple->stats[i].output.len == 0;
    }
    return !named;
}

pg_status pg_args_check_average(const pg_args_compare *compare, const pg_args_simple *simple)
{
    if (!compare->check_average)
        return NULL;
    if (compare->fail_fast)
        return pg_err(PG_ERR_INVALID, "--check-average cannot be combined with --fail-fast.");
    for (size_t i = 0; i < compare->n_functions; i++)
        if (compare->functions[i] == PG_COMPARE_SIMPLE && any_elemwise(simple))
            return pg_err(PG_ERR_INVALID,
                          "--check-average is not supported with check_error_stat='elemwise' (the default). "
                          "Specify --check-error-stat max, mean, median, or quantile.");
    for (size_t i = 0; i < compare->n_functions; i++)
        if (compare->functions[i] == PG_COMPARE_INDICES)
            return pg_err(PG_ERR_INVALID,
                          "The selected compare_func does not produce averageable metrics and cannot be used "
                          "with check_average=True.");
    return NULL;
}

pg_compare_options pg_args_compare_options(const pg_args_compare *compare, const pg_args_simple *simple,
                                           const pg_args_indices *indices,
                                           const pg_args_thresholds *thresholds)
{
    return (pg_compare_options){.functions = compare->functions,
                                .n_functions = compare->n_functions,
                                .no_shape_check = compare->no_shape_check,
                                .fail_fast = compare->fail_fast,
                                .check_average = compare->check_average,
                                .infinities_compare_equal = simple->infinities_compare_equal,
                                .all_statistics = compare->save_accuracy != NULL,
                                .rtol = simple->rtol,
                                .atol = simple->atol,
                                .quantile = simple->quantile,
                                .heatmaps = {simple->save_heatmaps, simple->show_heatmaps},
                                .error_plots = {simple->save_error_plot, simple->show_error_plot},
                                .stats = simple->stats,
                                .n_stats = simple->n_stats,
                                .index_tolerance = indices->tolerance,
                                .thresholds = {[PG_COMPARE_L2] = thresholds->l2.values,
                                               [PG_COMPARE_COSINE] = thresholds->cosine.values,
                                               [PG_COMPARE_PSNR] = thresholds->psnr.values,
                                               [PG_COMPARE_SNR] = thresholds->snr.values,
                                               [PG_COMPARE_PERCEPTUAL] = thresholds->perceptual.values}};
}

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/internal.h"
#include "compare/accuracy.h"

/* One iteration of a pair as the caller sees it. */
typedef struct found {
    polygraphy_output_result *items;
    size_t count;
} found;

struct polygraphy_comparison {
    pg_comparison *comparison;
    pg_compare_options options;
    pg_arena arena; /* of what the options point to, and of what was found */
    const pg_pair_comparison *pairs;
    size_t n_pairs;
    found **found; /* by pair and iteration */
};

/* ---- Options ---- */

static pg_output_numbers numbers_of(pg_arena *arena, polygraphy_output_numbers numbers)
{
    pg_output_number *items = PG_ARENA_ARRAY(arena, pg_output_number, numbers.count + 1);
    for (size_t i = 0; i < numbers.count; i++)
        items[i] = (pg_output_number){pg_arena_str(arena, pg_str_c(numbers.items[i].output)),
                                      numbers.items[i].value, .integer = false};
    return (pg_output_numbers){items, numbers.count};
}

static pg_status function_of(const char *name, pg_compare_function *out)
{
    for (int f = 0; f < PG_COMPARE_FUNCTION_COUNT; f++) {
        *out = (pg_compare_function)f;
        if (strcmp(pg_compare_function_name(*out), name) == 0)
            return *out == PG_COMPARE_PERCEPTUAL
                       ? pg_err(PG_ERR_UNAVAILABLE, "%s", pg_compare_perceptual_reason)
                       : NULL;
    }
    return pg_err(
        PG_ERR_INVALID,
        "there is no comparison function '%s': it is simple, indices, l2, cosine_similarity, psnr or snr",
        name);
}

static pg_status functions_of(pg_arena *arena, const polygraphy_compare_options *known,
                              pg_compare_options *out)
{
    pg_compare_function *functions = PG_ARENA_ARRAY(arena, pg_compare_function, known->n_functions + 1);
    for (size_t i = 0; i < known->n_functions; i++) {
        PG_TRY(function_of(known->functions[i], &functions[i]));
        for (size_t before = 0; before < i; before++)
            if (functions[before] == functions[i])
                return pg_err(PG_ERR_INVALID, "the comparison function '%s' is named twice",
                              known->functions[i]);
    }
    out->functions = functions;
    out->n_functions = known->n_functions;
    return NULL;
}

static pg_status stats_of(pg_arena *arena, const polygraphy_compare_options *known, pg_compare_options *out)
{
    pg_output_stat *stats = PG_ARENA_ARRAY(arena, pg_output_stat, known->n_error_stats + 1);
    for (size_t i = 0; i < known->n_error_stats; i++) {
        const polygraphy_output_word *given = &known->error_stats[i];
        stats[i].output = pg_arena_str(arena, pg_str_c(given->output));
        if (!pg_error_stat_parse(pg_str_c(given->word), &stats[i].stat))
            return pg_err(PG_ERR_INVALID,
                          "there is no error statistic '%s': it is max, mean, median, elemwise or quantile",
                          given->word);
    }
    out->stats = stats;
    out->n_stats = known->n_error_stats;
    return NULL;
}

static bool uses(const pg_compare_options *options, pg_compare_function function)
{
    for (size_t i = 0; i < options->n_functions; i++)
        if (options->functions[i] == function)
            return true;
    return options->n_functions == 0 && function == PG_COMPARE_SIMPLE;
}

static pg_status check_average(const pg_compare_options *options)
{
    bool elemwise = options->n_stats == 0;
    for (size_t i = 0; i < options->n_stats; i++)
        elemwise |= options->stats[i].stat == PG_ERROR_ELEMWISE;
    if (!options->check_average)
        return NULL;
    if (options->fail_fast)
        return pg_err(PG_ERR_INVALID,
                      "check_average needs all iterations and fail_fast ends at the first mismatch");
    if (uses(options, PG_COMPARE_INDICES))
        return pg_err(PG_ERR_INVALID, "check_average: the function 'indices' has no number to average");
    if (uses(options, PG_COMPARE_SIMPLE) && elemwise)
        return pg_err(PG_ERR_INVALID,
                      "check_average: the error statistic 'elemwise' has no average; choose max, mean, "
                      "median or quantile");
    return NULL;
}

static pg_status options_of(pg_arena *arena, const polygraphy_compare_options *options,
                            pg_compare_options *out)
{
    polygraphy_compare_options known = POLYGRAPHY_COMPARE_OPTIONS_INIT;
    pg_api_options(&known, sizeof known, options);
    *out = (pg_compare_options){.no_shape_check = known.no_shape_check,
                                .fail_fast = known.fail_fast,
                                .check_average = known.check_average,
                                .infinities_compare_equal = known.infinities_compare_equal,
                                .all_statistics = true,
                                .atol = numbers_of(arena, known.atol),
                                .rtol = numbers_of(arena, known.rtol),
                                .quantile = numbers_of(arena, known.error_quantile),
                                .index_tolerance = numbers_of(arena, known.index_tolerance)};
    out->thresholds[PG_COMPARE_L2] = numbers_of(arena, known.l2);
    out->thresholds[PG_COMPARE_COSINE] = numbers_of(arena, known.cosine_similarity);
    out->thresholds[PG_COMPARE_PSNR] = numbers_of(arena, known.psnr);
    out->thresholds[PG_COMPARE_SNR] = numbers_of(arena, known.snr);
    PG_TRY(functions_of(arena, &known, out));
    PG_TRY(stats_of(arena, &known, out));
    return check_average(out);
}

/* ---- What was found ---- */

static const char *problem_text(pg_compare_problem problem)
{
    switch (problem) {
    case PG_COMPARED:
        return NULL;
    case PG_COMPARE_SHAPES:
        return "different shapes";
    case PG_COMPARE_KINDS:
        return "different kinds of values";
    case PG_COMPARE_COUNTS:
        return "different numbers of items";
    case PG_COMPARE_UNALIGNABLE:
        return "different numbers of elements";
    }
    PG_BUG("unknown problem %d", (int)problem);
}

static polygraphy_output_result result_of(const pg_output_comparison *from)
{
    bool compared = from->problem == PG_COMPARED, simple = compared && from->function == PG_COMPARE_SIMPLE;
    return (polygraphy_output_result){
        .function = pg_compare_function_name(from->function),
        .output0 = from->name0,
        .output1 = from->name1,
        .passed = from->passed,
        .problem = problem_text(from->problem),
        .elements = from->count,
        .mismatches = from->mismatches,
        .atol = simple ? from->atol : NAN,
        .rtol = simple ? from->rtol : NAN,
        .max_abs = simple ? from->abs.max : NAN,
        .mean_abs = simple ? from->abs.mean : NAN,
        .median_abs = simple ? from->abs.median : NAN,
        .max_rel = simple ? from->rel.max : NAN,
        .mean_rel = simple ? from->rel.mean : NAN,
        .median_rel = simple ? from->rel.median : NAN,
        .required_abs = simple ? from->required_abs : NAN,
        .required_rel = simple ? from->required_rel : NAN,
        .value = from->has_value ? from->value : NAN,
        .threshold = from->has_value ? from->threshold.value : NAN,
    };
}

static found found_in(pg_arena *arena, const pg_iteration_comparison *iteration)
{
    found out = {0};
    for (size_t f = 0; f < iteration->n_functions; f++)
        out.count += iteration->functions[f].count;
    out.items = PG_ARENA_ARRAY(arena, polygraphy_output_result, out.count + 1);
    out.count = 0;
    for (size_t f = 0; f < iteration->n_functions; f++)
        for (size_t i = 0; i < iteration->functions[f].count; i++)
            out.items[out.count++] = result_of(&iteration->functions[f].outputs[i]);
    return out;
}

static void collect(polygraphy_comparison *comparison)
{
    pg_arena *arena = &comparison->arena;
    comparison->pairs = pg_comparison_pairs(comparison->comparison, &comparison->n_pairs);
    comparison->found = PG_ARENA_ARRAY(arena, found *, comparison->n_pairs + 1);
    for (size_t p = 0; p < comparison->n_pairs; p++) {
        const pg_pair_comparison *pair = &comparison->pairs[p];
        comparison->found[p] = PG_ARENA_ARRAY(arena, found, pair->count + 1);
        for (size_t i = 0; i < pair->count; i++)
            comparison->found[p][i] = found_in(arena, &pair->iterations[i]);
    }
}

/* ---- The interface ---- */

polygraphy_code polygraphy_compare(const polygraphy_results *results,
                                   const polygraphy_compare_options *options, polygraphy_comparison **out)
{
    *out = NULL;
    pg_api_begin();
    polygraphy_comparison *comparison = PG_NEW(polygraphy_comparison);
    pg_status status = options_of(&comparison->arena, options, &comparison->options);
    if (status == NULL) {
        comparison->comparison = pg_comparison_new(&comparison->options);
        status = pg_comparison_run(comparison->comparison, &results->results);
    }
    if (status != NULL) {
        polygraphy_comparison_free(comparison);
        return pg_api_end(status);
    }
    collect(comparison);
    *out = comparison;
    return pg_api_end(NULL);
}

void polygraphy_comparison_free(polygraphy_comparison *comparison)
{
    if (comparison == NULL)
        return;
    pg_comparison_free(comparison->comparison);
    pg_arena_deinit(&comparison->arena);
    free(comparison);
}

bool polygraphy_comparison_passed(const polygraphy_comparison *comparison)
{
    return pg_comparison_passed(comparison->comparison);
}

size_t polygraphy_comparison_pairs(const polygraphy_comparison *comparison)
{
    return comparison->n_pairs;
}

const char *polygraphy_comparison_first(const polygraphy_comparison *comparison, size_t pair)
{
    return pair < comparison->n_pairs ? comparison->pairs[pair].run0 : NULL;
}

const char *polygraphy_comparison_second(const polygraphy_comparison *comparison, size_t pair)
{
    return pair < comparison->n_pairs ? comparison->pairs[pair].run1 : NULL;
}

size_t polygraphy_comparison_iterations(const polygraphy_comparison *comparison, size_t pair)
{
    return pair < comparison->n_pairs ? comparison->pairs[pair].count : 0;
}

size_t polygraphy_comparison_output_count(const polygraphy_comparison *comparison, size_t pair,
                                          size_t iteration)
{
    return iteration < polygraphy_comparison_iterations(comparison, pair)
               ? comparison->found[pair][iteration].count
               : 0;
}

const polygraphy_output_result *polygraphy_comparison_output(const polygraphy_comparison *comparison,
                                                             size_t pair, size_t iteration, size_t index)
{
    if (index >= polygraphy_comparison_output_count(comparison, pair, iteration))
        return NULL;
    return &comparison->found[pair][iteration].items[index];
}

polygraphy_code polygraphy_comparison_save(const polygraphy_comparison *comparison, const char *path)
{
    pg_accuracy accuracy = {0};
    pg_api_begin();
    pg_accuracy_of_comparison(comparison->comparison, &accuracy);
    pg_status status = pg_accuracy_save(path, &accuracy);
    pg_accuracy_deinit(&accuracy);
    return pg_api_end(status);
}

/* --tolerance auto: the noise floor measured with the built-in engine, and the tolerances made from it. */
#include "compare/noise.h"

#include "log/log.h"
#include "native/simd/simd.h"
#include "tensor/number_text.h"
#include "tools/run/internal.h"

enum { MOST_ITERATIONS = 3 };

/* Ways to compute the same in float32 with other roundings. */
typedef struct variant {
    const char *name;
    bool as_written, portable;
} variant;
static const variant variants[] = {
    {"optimised", false, false}, {"as written", true, false}, {"portable", false, true}};

/* ---- Measuring ---- */

/* Fills `outputs`, at most MOST_ITERATIONS of them. */
static pg_status run_all(const run_args *args, pg_model *model, const pg_native_options *options,
                         pg_feed *outputs, size_t *out_count)
{
    run_probe probe;
    *out_count = 0;
    pg_status status = run_probe_open(&probe, args, model, options);
    while (status == NULL && *out_count < PG_MIN(probe.source.count, (size_t)MOST_ITERATIONS)) {
        status = run_probe_infer(&probe, *out_count, NULL, &outputs[*out_count]);
        ++*out_count;
    }
    run_probe_close(&probe);
    return status;
}

static pg_status add_variant(const run_args *args, pg_model *model, const variant *how,
                             const pg_feed *reference, pg_noise *noise)
{
    pg_native_options options = args->native.options;
    pg_feed outputs[MOST_ITERATIONS] = {{0}};
    size_t count;
    const pg_simd *best = pg_simd_best();
    options.threads = args->runners.threads;
    options.float64 = false;
    options.no_optimization = how->as_written;
    options.no_onednn = how->portable;
    if (how->portable) /* no other session is alive: packed weights depend on the instruction set */
        pg_simd_use(pg_simd_named(PG_STR("base")));
    pg_status status = run_all(args, model, &options, outputs, &count);
    pg_simd_use(best);
    for (size_t i = 0; i < count && status == NULL; i++)
        status = pg_noise_add(noise, &reference[i], &outputs[i]);
    for (size_t i = 0; i < count; i++)
        pg_feed_deinit(&outputs[i]);
    return status;
}

static pg_status measure(const run_args *args, pg_model *model, pg_noise *noise, size_t *out_count)
{
    pg_feed reference[MOST_ITERATIONS] = {{0}};
    const pg_native_options options = {
        .threads = args->runners.threads, .no_optimization = true, .float64 = true};
    pg_status status = run_all(args, model, &options, reference, out_count);
    for (size_t v = 0; v < PG_COUNT(variants) && status == NULL; v++)
        status = add_variant(args, model, &variants[v], reference, noise);
    for (size_t i = 0; i < MOST_ITERATIONS; i++)
        pg_feed_deinit(&reference[i]);
    return status;
}

/* ---- Choosing ---- */

static bool is_given(pg_output_numbers numbers, const char *output)
{
    for (size_t i = 0; i < numbers.count; i++)
        if (numbers.items[i].output.len == 0 || pg_str_is(numbers.items[i].output, output))
            return true;
    return false;
}

/* The user's numbers with one more for an output that has none. */
static void add_number(pg_arena *arena, pg_output_numbers *numbers, const char *output, double value)
{
    pg_output_number *items = PG_ARENA_ARRAY(arena, pg_output_number, numbers->count + 1);
    for (size_t i = 0; i < numbers->count; i++)
        items[i] = numbers->items[i];
    items[numbers->count] = (pg_output_number){pg_arena_str(arena, pg_str_c(output)), value, false};
    *numbers = (pg_output_numbers){items, numbers->count + 1};
}

static void add_value(pg_buf *out, const char *label, double value, int digits)
{
    pg_buf_puts(out, label);
    pg_text_g(out, value, digits);
}

static void add_reason(pg_buf *out, const pg_noise_output *output, const pg_noise_tolerance *tolerance)
{
    if (!pg_dtype_is_float(output->dtype)) {
        if (output->changed == 0)
            pg_buf_puts(out, "rounding does not change it: must be equal");
        else
            pg_buf_printf(out, "rounding alone changes %llu of %llu elements",
                          (unsigned long long)output->changed, (unsigned long long)output->compared);
        return;
    }
    add_value(out, "noise abs=", output->deviation, 3);
    add_value(out, ", rel=", output->largest > 0 ? output->deviation / output->largest : 0, 3);
    add_value(out, " of its largest value ", output->largest, 4);
    pg_buf_printf(out, " | %u times %s%s%s", tolerance->multiple,
                  tolerance->at_floor ? "one unit in the last place" : "that",
                  tolerance->multiple > 4 ? ", since it has few elements" : "",
                  tolerance->at_unit ? "; atol by the accuracy of functions like Sigmoid" : "");
}

static void choose(const pg_noise_output *output, pg_arena *arena, pg_compare_options *options)
{
    pg_buf text = {0};
    if (output->unmeasured != NULL) {
        PG_LOG_WARNING("Output: '%s' | No tolerance measured: %s; the given or default ones hold",
                       output->name, output->unmeasured);
        return;
    }
    pg_noise_tolerance tolerance = pg_noise_tolerance_of(output);
    bool rtol_given = is_given(options->rtol, output->name),
         atol_given = is_given(options->atol, output->name);
    add_value(&text, "rtol=", tolerance.rtol, 2);
    pg_buf_puts(&text, rtol_given ? " (not used: --rtol is given), " : ", ");
    add_value(&text, "atol=", tolerance.atol, 2);
    pg_buf_puts(&text, atol_given ? " (not used: --atol is given) | " : " | ");
    add_reason(&text, output, &tolerance);
    PG_LOG_INFO("Output: '%s' | %s", output->name, pg_buf_cstr(&text));
    if (!rtol_given)
        add_number(arena, &options->rtol, output->name, tolerance.rtol);
    if (!atol_given)
        add_number(arena, &options->atol, output->name, tolerance.atol);
    pg_buf_deinit(&text);
}

static void log_floor(const pg_noise *noise, size_t count)
{
    pg_buf text = {0};
    const pg_noise_output *worst = NULL;
    for (size_t i = 0; i < noise->count; i++)
        if (noise->items[i].unmeasured == NULL && pg_dtype_is_float(noise->items[i].dtype) &&
            (worst == NULL || noise->items[i].deviation > worst->deviation))
            worst = &noise->items[i];
    for (size_t v = 0; v < PG_COUNT(variants); v++)
        pg_buf_printf(&text, "%s%s", v > 0 ? ", " : "", variants[v].name);
    pg_buf_printf(&text, ") against float64, %zu iteration(s)", count);
    if (worst != NULL) {
        add_value(&text, " | noise floor: abs=", worst->deviation, 3);
        pg_buf_printf(&text, " (output '%s')", worst->name);
    }
    PG_LOG_INFO("Tolerance | Measured with the built-in engine: float32 (%s", pg_buf_cstr(&text));
    pg_buf_deinit(&text);
}

static bool uses_simple(const run_args *args)
{
    for (size_t i = 0; i < args->compare.n_functions; i++)
        if (args->compare.functions[i] == PG_COMPARE_SIMPLE)
            return true;
    return false;
}

pg_status run_tolerances(const run_args *args, pg_model *model, pg_arena *arena, pg_compare_options *options)
{
    pg_noise noise = {0};
    size_t count;
    if (args->simple.tolerance == NULL || !uses_simple(args))
        return NULL;
    pg_status status = measure(args, model, &noise, &count);
    if (status == NULL && count > 0) {
        log_floor(&noise, count);
        pg_log_indent(1);
        for (size_t i = 0; i < noise.count; i++)
            choose(&noise.items[i], arena, options);
        pg_log_indent(-1);
    }
    pg_noise_deinit(&noise);
    return pg_status_context(status, "while measuring tolerances with the built-in engine");
}

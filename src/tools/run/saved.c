/* `inspect diff A B`: what `run` does with saved outputs and without a model. */
#include "tools/run/internal.h"
#include "tools/tools.h"

static const pg_option rows[] = {
    {"paths", PG_FIELD(pg_args_compare, load_outputs), .flags = PG_OPTION_REQUIRED | PG_OPTION_PATH,
     .help = "saved outputs, files or folders, two or more: each is compared with the next"},
};
static const pg_group group_paths = {NULL, rows, PG_COUNT(rows)};

#define USE(group, member)                 \
    {                                      \
        &group, offsetof(run_args, member) \
    }

static const pg_group_use groups[] = {
    USE(pg_group_logging, logging),
    USE(group_paths, compare),
    {&pg_group_compare, offsetof(run_args, compare), .without = "--load-outputs --sequential-runners"},
    USE(pg_group_postprocess, postprocess),
    USE(pg_group_simple, simple),
    USE(pg_group_indices, indices),
    USE(pg_group_l2, thresholds.l2),
    USE(pg_group_cosine, thresholds.cosine),
    USE(pg_group_psnr, thresholds.psnr),
    USE(pg_group_snr, thresholds.snr),
    USE(pg_group_perceptual, thresholds.perceptual),
    USE(pg_group_reports, reports),
};

static void prepare(const void *values)
{
    const run_args *args = values;
    pg_args_compare_warn(&args->compare, &args->simple, &args->indices, &args->thresholds);
}

static bool is_model(const char *path)
{
    return pg_str_is(pg_path_extension(pg_str_c(path)), ".onnx");
}

static pg_status run(void *values, pg_arena *arena)
{
    const run_args *args = values;
    const pg_arg_list *paths = &args->compare.load_outputs;
    if (paths->count == 2 && is_model(paths->items[0]) && is_model(paths->items[1]))
        return pg_tools_diff_models(paths->items[0], paths->items[1]);
    if (args->compare.load_outputs.count < 2)
        return pg_err(PG_ERR_INVALID, "two saved outputs are needed to compare, '%s' is one",
                      args->compare.load_outputs.items[0]);
    if (args->simple.tolerance != NULL)
        return pg_err(PG_ERR_INVALID, "--tolerance auto needs the model: use run --load-outputs for it");
    return run_execute(args, arena);
}

const pg_command pg_command_inspect_diff = {
    .name = "diff",
    .summary = "Compare saved outputs.",
    .description =
        "The same as run --load-outputs without a model: the status is 1 when something differs. For "
        "example:\n"
        "\n"
        "  polygraphy inspect diff expected.json actual.json --rtol 1e-3",
    .examples = "polygraphy inspect diff out.json out.json --compare simple l2",
    .groups = groups,
    .n_groups = PG_COUNT(groups),
    .values_size = sizeof(run_args),
    .prepare = prepare,
    .run = run,
    .brackets = true,
};

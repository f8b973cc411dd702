#include "args/args.h"
#include "log/log.h"
#include "surgery/sparsity.h"
#include "tools/tools.h"

typedef struct sparsity_args {
    pg_args_logging logging;
    pg_args_model model;
    pg_args_onnx onnx;
} sparsity_args;

static const pg_group_use groups[] = {
    {&pg_group_logging, offsetof(sparsity_args, logging)},
    {&pg_group_onnx_model, offsetof(sparsity_args, model), .without = "--input-shapes",
     .required = "model_file"},
    {&pg_group_onnx, offsetof(sparsity_args, onnx),
     .without = "--onnx-outputs --onnx-exclude-outputs --onnx-outputs-by-type --mark-all --exclude-outputs"},
};

static pg_status check(const pg_model *model, const pg_sparse_candidate *candidate)
{
    const pg_weight *weight = candidate->weight;
    pg_tensor tensor;
    PG_TRY(pg_weight_load(model, weight, &tensor));
    if (pg_sparsity_holds(&tensor, candidate->axis))
        PG_LOG_INFO("Found sparse tensor: %" PG_STR_FMT, PG_STR_ARG(weight->name));
    else
        PG_LOG_WARNING("Found non-sparse tensor: %" PG_STR_FMT, PG_STR_ARG(weight->name));
    pg_tensor_deinit(&tensor);
    return NULL;
}

static pg_status run(void *values, pg_arena *arena)
{
    sparsity_args *args = values;
    pg_model *model = NULL;
    pg_sparse_candidate *candidates;
    size_t count;
    PG_TRY(pg_args_load_onnx(&args->model, &args->onnx, NULL, true, &model));
    pg_sparsity_candidates(model, arena, &candidates, &count);
    PG_LOG(PG_START, "Checking the sparsity pattern of %zu tensors.", count);
    pg_status status = NULL;
    for (size_t i = 0; i < count && status == NULL; i++)
        status = check(model, &candidates[i]);
    if (status == NULL)
        PG_LOG(PG_FINISH, "Finished checking %zu tensors. ", count);
    pg_model_unref(model);
    return status;
}

const pg_command pg_command_inspect_sparsity = {
    .name = "sparsity",
    .summary = "Check the weights of a model for the 2:4 pattern.",
    .description =
        "Names every weight of a convolution or matrix product that has two zeros in each group of "
        "four elements along the axis of the sum, and every one that could but has not.",
    .examples = "polygraphy inspect sparsity model.onnx",
    .groups = groups,
    .n_groups = PG_COUNT(groups),
    .values_size = sizeof(sparsity_args),
    .run = run,
    .brackets = true,
};

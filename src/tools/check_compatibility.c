/* `check compatibility`: can each runtime named load the model and build what it runs. */
#include <string.h>

#include "args/args.h"
#include "log/log.h"
#include "tools/tools.h"

typedef struct compatibility_args {
    pg_args_logging logging;
    pg_args_runners runners;
    pg_args_model model;
    pg_args_onnx onnx;
    pg_args_onnxrt onnxrt;
    pg_args_native native;
} compatibility_args;

#define USE(group, member)                           \
    {                                                \
        &group, offsetof(compatibility_args, member) \
    }

static const pg_group_use groups[] = {
    USE(pg_group_logging, logging),
    USE(pg_group_runners, runners),
    {&pg_group_onnx_model, offsetof(compatibility_args, model), .without = "--input-shapes",
     .required = "model_file"},
    USE(pg_group_onnx, onnx),
    USE(pg_group_onnxrt, onnxrt),
    {&pg_group_native, offsetof(compatibility_args, native), .without = "--profile --save-profile"},
};

/* The status is about this program's own resources; what the runtime says is logged and counted. */
static pg_status check_one(const compatibility_args *args, const char *name, pg_model *model,
                           size_t *failures)
{
    pg_runner *runner = NULL;
    PG_TRY(pg_args_new_runner(name, &args->runners, &args->onnxrt, &args->native, model, &runner));
    pg_status status = pg_runner_activate(runner);
    pg_code code = pg_status_code(status);
    if (status == NULL) {
        PG_LOG_INFO("PASSED | %s | %s loads the model", name, runner->runtime);
    } else if (code != PG_ERR_INTERRUPTED && code != PG_ERR_NO_MEMORY) {
        PG_LOG_ERROR("FAILED | %s | %s", name, pg_status_message(status));
        pg_status_drop(status);
        status = NULL;
        ++*failures;
    }
    pg_runner_free(runner);
    return status;
}

static pg_status check_all(const compatibility_args *args, pg_model *model)
{
    size_t failures = 0;
    for (size_t i = 0; i < args->runners.names.count; i++)
        PG_TRY(check_one(args, args->runners.names.items[i], model, &failures));
    return failures > 0 ? pg_err(PG_ERR_FAILED, "%zu runtime(s) cannot load the model", failures) : NULL;
}

static pg_status run(void *values, pg_arena *arena)
{
    const compatibility_args *args = values;
    const pg_arg_list *names = &args->runners.names;
    pg_model *model = NULL;
    (void)arena;
    if (names->count == 0)
        return pg_err(PG_ERR_INVALID, "no runtime to check for: name one or more, like --onnxrt --native");
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->items[i], "trt") == 0)
            return pg_err(
                PG_ERR_UNSUPPORTED,
                "option '--trt' is not available here: telling what TensorRT accepts needs TensorRT");
    PG_TRY(pg_args_load_onnx(&args->model, &args->onnx, NULL, true, &model));
    pg_status status = check_all(args, model);
    pg_model_unref(model);
    return status;
}

const pg_command pg_command_check_compatibility = {
    .name = "compatibility",
    .summary = "Check that runtimes can load a model.",
    .description =
        "Loads the model with each runtime named, without running it; the status is 1 when one of them "
        "refuses it. For example:\n"
        "\n"
        "  polygraphy check compatibility model.onnx --onnxrt --native",
    .groups = groups,
    .n_groups = PG_COUNT(groups),
    .values_size = sizeof(compatibility_args),
    .run = run,
    .brackets = true,
};

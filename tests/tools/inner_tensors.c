/* inner_tensors MODEL [NAME=1x3x8 | NAME=VALUE]...: runs every inner tensor of a model on ONNX Runtime, on
 * the built-in engine and on the engine's float64 reference, with the same made-up inputs, and prints per
 * float32 tensor
 *
 *     name<TAB>engine against reference<TAB>runtime against reference<TAB>engine against runtime<TAB>largest
 * magnitude
 *
 * as largest absolute differences. A float32 result is right to a few units of its largest magnitude; both
 * implementations are judged by the same reference. */
#include <math.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/vec.h"
#include "native/native.h"
#include "onnx/edit.h"
#include "runner/runner.h"

static const char *given(int argc, char **argv, pg_str name)
{
    for (int i = 2; i < argc; i++)
        if (pg_str_starts(pg_str_c(argv[i]), name) && argv[i][name.len] == '=')
            return argv[i] + name.len + 1;
    return NULL;
}

/* Numbers in [-1, 1) from a fixed sequence; integers in [0, 200). */
static void fill(pg_tensor *tensor, const char *value)
{
    uint64_t count = pg_tensor_count(tensor);
    int64_t number = 0;
    bool fixed = value != NULL && pg_str_to_i64(pg_str_c(value), &number);
    for (uint64_t i = 0; i < count; i++) {
        uint32_t random = (uint32_t)(i + 1) * 2654435761u >> 8;
        if (tensor->dtype == PG_F32)
            ((float *)tensor->data)[i] = (float)random / 8388608.0f - 1.0f;
        else if (tensor->dtype == PG_I64)
            ((int64_t *)tensor->data)[i] = fixed ? number : random % 200;
        else if (tensor->dtype == PG_I32)
            ((int32_t *)tensor->data)[i] = fixed ? (int32_t)number : (int32_t)(random % 200);
    }
}

static pg_status make_feed(const pg_model *model, int argc, char **argv, pg_feed *feed)
{
    for (size_t i = 0; i < model->graph->n_inputs; i++) {
        const pg_value_info *input = &model->graph->inputs[i];
        const char *text = given(argc, argv, input->name);
        int64_t dims[PG_MAX_RANK];
        pg_str rest = text != NULL ? pg_str_c(text) : PG_STR_EMPTY, part;
        for (uint32_t d = 0; d < input->type.rank && d < PG_MAX_RANK; d++)
            if (text == NULL || !pg_str_split(&rest, 'x', &part) || !pg_str_to_i64(part, &dims[d]))
                dims[d] = input->type.dims[d].has_value && input->type.dims[d].value > 0
                              ? input->type.dims[d].value
                              : 1;
        pg_tensor tensor;
        PG_TRY(pg_tensor_alloc(&tensor, input->type.elem, input->type.rank, dims));
        fill(&tensor, text);
        pg_feed_add(feed, input->name, pg_value_of_tensor(tensor));
    }
    return NULL;
}

static pg_status run_native(pg_model *model, const pg_feed *feed, bool reference, pg_feed *out)
{
    pg_session *session;
    PG_TRY(pg_session_new(model, &(pg_native_options){.float64 = reference, .no_optimization = reference},
                          &session));
    pg_status status = pg_session_run(session, feed, out);
    pg_session_free(session);
    return status;
}

static pg_status run_runtime(pg_model *model, const pg_feed *feed, pg_feed *out)
{
    pg_runner *runner = pg_runner_onnxrt_new(model, NULL);
    pg_status status = pg_runner_activate(runner);
    if (status == NULL)
        status = pg_runner_infer(runner, feed, out);
    pg_runner_free(runner);
    return status;
}

static double difference(const pg_tensor *a, const pg_tensor *b)
{
    double most = 0;
    uint64_t count = pg_tensor_same_shape(a, b) ? pg_tensor_count(a) : 0;
    if (!pg_tensor_same_shape(a, b))
        return INFINITY;
    for (uint64_t i = 0; i < count; i++) {
        double d = fabs(pg_tensor_get_f64(a, i) - pg_tensor_get_f64(b, i));
        most = d > most || isnan(d) ? d : most;
    }
    return most;
}

static double magnitude(const pg_tensor *tensor)
{
    double most = 0;
    for (uint64_t i = 0; i < pg_tensor_count(tensor); i++)
        most = fmax(most, fabs(pg_tensor_get_f64(tensor, i)));
    return most;
}

static void print_rows(const pg_feed *native, const pg_feed *reference, const pg_feed *runtime)
{
    for (size_t i = 0; i < native->count; i++) {
        pg_str name = pg_str_c(native->items[i].name);
        const pg_value *a = &native->items[i].value, *r = pg_feed_find(reference, name),
                       *b = pg_feed_find(runtime, name);
        if (a->kind != PG_VALUE_TENSOR || a->tensor.dtype != PG_F32 || r == NULL || b == NULL ||
            b->kind != PG_VALUE_TENSOR)
            continue;
        printf("%s\t%.3g\t%.3g\t%.3g\t%.3g\n", native->items[i].name, difference(&a->tensor, &r->tensor),
               difference(&b->tensor, &r->tensor), difference(&a->tensor, &b->tensor), magnitude(&r->tensor));
    }
}

static pg_status three_ways(pg_model *model, int argc, char **argv)
{
    pg_model *marked = NULL;
    pg_feed feed = {0}, native = {0}, reference = {0}, runtime = {0};
    pg_status status;
    PG_TRY_GOTO(status, pg_model_select_outputs(model, &(pg_output_selection){.mark_all = true}, &marked));
    PG_TRY_GOTO(status, make_feed(model, argc, argv, &feed));
    PG_TRY_GOTO(status, run_native(marked, &feed, false, &native));
    PG_TRY_GOTO(status, run_native(marked, &feed, true, &reference));
    PG_TRY_GOTO(status, run_runtime(marked, &feed, &runtime));
    print_rows(&native, &reference, &runtime);
done:
    pg_feed_deinit(&feed);
    pg_feed_deinit(&native);
    pg_feed_deinit(&reference);
    pg_feed_deinit(&runtime);
    pg_model_unref(marked);
    return status;
}

int main(int argc, char **argv)
{
    pg_model *model = NULL;
    if (argc < 2)
        return 2;
    pg_status status = pg_model_load(argv[1], NULL, &model);
    if (status == NULL)
        status = three_ways(model, argc, argv);
    if (status != NULL)
        fprintf(stderr, "inner_tensors: %s\n", pg_status_message(status));
    int exit_status = status != NULL;
    pg_status_drop(status);
    pg_model_unref(model);
    return exit_status;
}

/* Any bytes as a model for the built-in engine: types inferred, planned, and run with small made-up inputs,
 * optimised and as written. */
#include <string.h>

#include "fuzz/fuzz.h"
#include "native/native.h"
#include "shapes/shapes.h"

enum { MOST_ELEMENTS = 512, MOST_BYTES = 4 << 20 };

/* Elements 0, 1, 2, 3, 0, ... as far as the type can hold them; floats also get halves and negatives. */
static void fill(pg_tensor *tensor)
{
    uint64_t count = pg_tensor_count(tensor), bytes = pg_tensor_bytes(tensor);
    if (tensor->dtype == PG_STRING)
        return;
    if (tensor->dtype == PG_F32) {
        for (uint64_t i = 0; i < count; i++)
            ((float *)tensor->data)[i] = (float)(i % 7) * 0.5f - 1.0f;
        return;
    }
    memset(tensor->data, 0, bytes);
    uint64_t size = pg_dtype_get(tensor->dtype)->bits / 8u;
    for (uint64_t i = 0; i < count && size > 0; i++)
        ((uint8_t *)tensor->data)[i * size] = tensor->dtype == PG_BOOL ? i & 1 : i & 3;
}

static bool make_input(const pg_type *type, pg_value *out)
{
    int64_t dims[PG_MAX_RANK];
    uint64_t count = 1;
    *out = (pg_value){0};
    if (type->kind == PG_TYPE_SEQUENCE)
        *out = (pg_value){.kind = PG_VALUE_SEQUENCE};
    if (type->kind != PG_TYPE_TENSOR)
        return true;
    if (type->rank > PG_MAX_RANK || type->elem == PG_UNDEFINED)
        return false;
    for (uint32_t d = 0; d < type->rank; d++) {
        dims[d] = type->dims[d].has_value && type->dims[d].value >= 0 ? type->dims[d].value : 3;
        if (dims[d] > MOST_ELEMENTS || (count *= (uint64_t)dims[d]) > MOST_ELEMENTS)
            return false;
    }
    pg_tensor tensor;
    pg_status status = pg_tensor_alloc(&tensor, type->elem, type->rank, dims);
    FUZZ_CHECK(status == NULL);
    fill(&tensor);
    *out = pg_value_of_tensor(tensor);
    return true;
}

static bool is_weight(const pg_graph *graph, pg_str name)
{
    for (size_t i = 0; i < graph->n_weights; i++)
        if (pg_str_eq(graph->weights[i].name, name))
            return true;
    return false;
}

static void run(pg_model *model, const pg_feed *feed, bool as_written)
{
    pg_native_options options = {.threads = 1,
                                 .no_onednn = true,
                                 .no_optimization = as_written,
                                 .max_loop_iterations = 20,
                                 .max_bytes = MOST_BYTES};
    pg_session *session;
    pg_feed outputs = {0};
    pg_status status = pg_session_new(model, &options, &session);
    if (status == NULL) {
        status = pg_session_run(session, feed, &outputs);
        pg_session_free(session);
    }
    pg_status_drop(status);
    pg_feed_deinit(&outputs);
}

static void infer(const pg_model *model)
{
    pg_shapes *shapes;
    pg_status status = pg_shapes_infer(model, NULL, &shapes);
    if (status == NULL)
        pg_shapes_free(shapes);
    pg_status_drop(status);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pg_model *model;
    pg_status status = pg_model_parse(data, size, "fuzz", &model);
    if (status != NULL) {
        pg_status_drop(status);
        return 0;
    }
    infer(model);
    pg_feed feed = {0};
    bool good = true;
    for (size_t i = 0; i < model->graph->n_inputs && good; i++) {
        const pg_value_info *input = &model->graph->inputs[i];
        pg_value value;
        if (is_weight(model->graph, input->name) || !(good = make_input(&input->type, &value)))
            continue;
        pg_feed_add(&feed, input->name, value);
    }
    for (int as_written = 0; good && as_written < 2; as_written++)
        run(model, &feed, as_written == 1);
    pg_feed_deinit(&feed);
    pg_model_unref(model);
    return 0;
}

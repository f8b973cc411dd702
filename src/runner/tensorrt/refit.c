/* Weights for engines that were built without them (--strip-plan): taken by name from the model. */
#include "runner/tensorrt/internal.h"

#include "log/log.h"

typedef struct refit {
    pg_trt *trt;
    trt_object *refitter;
    const pg_model *model; /* NULL: there is none to take weights from */
    pg_arena arena;
} refit;

static const pg_weight *find_weight(const pg_model *model, const char *name)
{
    const pg_graph *graph = model->graph;
    for (size_t i = 0; i < graph->n_weights; i++)
        if (pg_str_is(graph->weights[i].name, name))
            return &graph->weights[i];
    return NULL;
}

/* The library reads the values when it refits: they live until then. */
static pg_status set_weight(refit *self, const char *name, pg_tensor *tensor)
{
    pg_trt *trt = self->trt;
    const pg_weight *weight = find_weight(self->model, name);
    if (weight == NULL)
        return pg_err(
            PG_ERR_NOT_FOUND,
            "the engine lacks the weight '%s', and the model has no initializer of that name: it was "
            "built from another model, or the library changed the weight while parsing",
            name);
    PG_TRY(pg_weight_view(self->model, weight, tensor));
    trt_weights wanted = TRT_CALL(trt, refitter_prototype, self->refitter, name);
    int64_t count = (int64_t)pg_tensor_count(tensor);
    if (wanted.count < 0 || wanted.count != count || pg_trt_dtype(wanted.dtype) != tensor->dtype)
        return pg_err(
            PG_ERR_INVALID,
            "the engine takes %lld element(s) of %s for the weight '%s', but the model has %lld of %s",
            (long long)wanted.count, pg_dtype_name(pg_trt_dtype(wanted.dtype)), name, (long long)count,
            pg_dtype_name(tensor->dtype));
    trt_weights given = {wanted.dtype, tensor->data, count};
    return TRT_CALL(trt, refitter_set_weights, self->refitter, name, given)
               ? NULL
               : pg_trt_failed(trt, pg_arena_printf(&self->arena, "set the weight '%s'", name));
}

static pg_status set_missing(refit *self, int32_t count)
{
    pg_trt *trt = self->trt;
    const char **names = PG_ARENA_ARRAY(&self->arena, const char *, (size_t)count);
    pg_tensor *tensors = PG_ARENA_ARRAY(&self->arena, pg_tensor, (size_t)count);
    count = TRT_CALL(trt, refitter_get_missing, self->refitter, count, names);
    if (self->model == NULL)
        return pg_err(
            PG_ERR_INVALID,
            "the engine was built with --strip-plan and lacks %d weight(s), '%s' first: run its model with "
            "'run MODEL --onnxrt --trt-engine ENGINE', which takes them from there",
            count, names[0]);
    pg_status status = NULL;
    for (int32_t i = 0; i < count && status == NULL; i++)
        status = set_weight(self, names[i], &tensors[i]);
    if (status == NULL && !TRT_CALL(trt, refitter_refit, self->refitter))
        status = pg_trt_failed(trt, "refit the engine");
    for (int32_t i = 0; i < count; i++)
        pg_tensor_deinit(&tensors[i]);
    if (status == NULL)
        PG_LOG_INFO("The engine got %d weight(s) from the model.", count);
    return status;
}

pg_status pg_trt_refit(pg_trt_engine *engine, const pg_model *model)
{
    pg_trt *trt = engine->trt;
    if (!TRT_CALL(trt, engine_is_refittable, engine->engine) || trt->create_refitter == NULL)
        return NULL;
    refit self = {.trt = trt, .model = model};
    self.refitter = trt->create_refitter(engine->engine, &trt->logger, trt->number);
    if (self.refitter == NULL)
        return pg_trt_failed(trt, "create a refitter");
    TRT_CALL(trt, refitter_set_error_recorder, self.refitter, &trt->errors);
    int32_t count = TRT_CALL(trt, refitter_get_missing, self.refitter, 0, NULL);
    pg_status status = count > 0 ? set_missing(&self, count) : NULL;
    trt_delete(self.refitter);
    pg_arena_deinit(&self.arena);
    return status;
}

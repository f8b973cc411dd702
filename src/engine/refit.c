/* Engines whose weights can be replaced: beside what runs they keep a recipe, the network without the elements of its weights
 * and what it was built with. Refitting puts new elements in and builds again, with the same types, scales and profiles: the
 * result is an engine that a build from the new model would give. */
#include "base/alloc.h"
#include "engine/internal.h"
#include "onnx/build.h"
#include "onnx/edit.h"

enum { FAR = 8 };

/* Floating-point weights, but for scalars, which tend to be constants of the network rather than weights. */
static bool is_refittable(const pg_weight *weight)
{
    uint64_t count;
    return pg_dtype_is_float(weight->dtype) && pg_dims_count(weight->rank, weight->dims, &count) && count > 1;
}

static bool is_stripped(const pg_weight *weight)
{
    return weight->storage == PG_STORED_EXTERNAL && pg_str_is(weight->location, PG_STRIPPED_LOCATION);
}

/* The model with other messages for the weights that `change` picks. */
typedef pg_status (*change_fn)(void *context, pg_arena *arena, const pg_weight *weight,
                               pg_wire_message **out);

static pg_status change_weights(const pg_model *model, change_fn change, void *context, pg_model **out)
{
    pg_arena arena = {0};
    pg_wire_message *root, *graph;
    pg_status status = pg_model_edit(&arena, model, &root, &graph);
    if (status == NULL)
        pg_wire_remove(graph, PG_PB_GRAPH_WEIGHT);
    for (size_t i = 0; i < model->graph->n_weights && status == NULL; i++) {
        const pg_weight *weight = &model->graph->weights[i];
        pg_wire_message *message = (pg_wire_message *)weight->wire;
        status = change(context, &arena, weight, &message);
        if (status == NULL)
            pg_wire_add_message(&arena, graph, PG_PB_GRAPH_WEIGHT, message);
    }
    if (status != NULL) {
        pg_arena_deinit(&arena);
        return status;
    }
    return pg_model_from_wire(&arena, root, model, "engine", out);
}

/* ---- Taking elements out ---- */

static pg_status strip(void *context, pg_arena *arena, const pg_weight *weight, pg_wire_message **out)
{
    (void)context;
    if (is_refittable(weight))
        *out = pg_build_external_tensor(arena, pg_arena_cstr(arena, weight->name), weight->dtype,
                                        weight->rank, weight->dims, PG_STRIPPED_LOCATION, 0, 0);
    return NULL;
}

pg_status pg_engine_strip(const pg_model *model, pg_model **out)
{
    return change_weights(model, strip, NULL, out);
}

static pg_layer_precision *copy_precisions(pg_arena *arena, const pg_build_config *config)
{
    pg_layer_precision *items = PG_ARENA_ARRAY(arena, pg_layer_precision, config->n_precisions + 1);
    for (size_t i = 0; i < config->n_precisions; i++)
        items[i] = (pg_layer_precision){pg_arena_str(arena, config->precisions[i].layer),
                                        config->precisions[i].dtype};
    return items;
}

pg_status pg_engine_keep_recipe(pg_engine *engine, const pg_model *model, const pg_build_config *config)
{
    if (engine->n_borders + engine->n_debug_tensors > 0)
        return pg_err(PG_ERR_UNSUPPORTED, "--refittable and --strip-plan do not keep types and formats of "
                                          "inputs and outputs, nor debug tensors; "
                                          "leave one or the other out");
    pg_build_config *kept = PG_ARENA_NEW(&engine->arena, pg_build_config);
    *kept = (pg_build_config){.fp16 = config->fp16,
                              .bf16 = config->bf16,
                              .int8 = config->int8,
                              .float_convolutions = config->float_convolutions,
                              .constraints = config->constraints,
                              .precisions = copy_precisions(&engine->arena, config),
                              .n_precisions = config->n_precisions,
                              .portable = config->portable};
    engine->recipe = kept;
    return pg_engine_strip(model, &engine->bare);
}

/* ---- Putting elements in ---- */

typedef struct refit {
    const pg_model *donor;
    size_t replaced;
} refit;

static pg_status no_weight(const pg_graph *graph, const pg_weight *weight)
{
    pg_str nearest = PG_STR_EMPTY;
    size_t least = FAR;
    for (size_t i = 0; i < graph->n_weights; i++) {
        size_t distance = pg_str_distance(graph->weights[i].name, weight->name, least);
        if (distance < least) {
            least = distance;
            nearest = graph->weights[i].name;
        }
    }
    if (nearest.len > 0)
        return pg_err(PG_ERR_NOT_FOUND,
                      "the engine's weight '%" PG_STR_FMT "' is not in the model; did you mean '%" PG_STR_FMT
                      "'?",
                      PG_STR_ARG(weight->name), PG_STR_ARG(nearest));
    return pg_err(PG_ERR_NOT_FOUND,
                  "the engine's weight '%" PG_STR_FMT
                  "' is not in the model, which has %zu others; refit from a model of the "
                  "same network",
                  PG_STR_ARG(weight->name), graph->n_weights);
}

static pg_status other_kind(const pg_weight *wanted, const pg_weight *found)
{
    pg_buf is = {0}, has = {0};
    pg_shape_text(&is, PG_MIN(wanted->rank, (uint32_t)PG_MAX_RANK), wanted->dims);
    pg_shape_text(&has, PG_MIN(found->rank, (uint32_t)PG_MAX_RANK), found->dims);
    pg_status status =
        pg_err(PG_ERR_INVALID,
               "weight '%" PG_STR_FMT "' is %s of shape %s in the engine and %s of shape %s in the model",
               PG_STR_ARG(wanted->name), pg_dtype_name(wanted->dtype), pg_buf_cstr(&is),
               pg_dtype_name(found->dtype), pg_buf_cstr(&has));
    pg_buf_deinit(&is);
    pg_buf_deinit(&has);
    return status;
}

static pg_status put_in(void *context, pg_arena *arena, const pg_weight *weight, pg_wire_message **out)
{
    refit *r = context;
    const pg_weight *found = NULL;
    pg_tensor tensor;
    if (!is_stripped(weight))
        return NULL;
    for (size_t i = 0; i < r->donor->graph->n_weights && found == NULL; i++)
        if (pg_str_eq(r->donor->graph->weights[i].name, weight->name))
            found = &r->donor->graph->weights[i];
    if (found == NULL)
        return no_weight(r->donor->graph, weight);
    if (found->dtype != weight->dtype || found->rank != weight->rank ||
        memcmp(found->dims, weight->dims, weight->rank * sizeof *weight->dims) != 0)
        return other_kind(weight, found);
    PG_TRY(pg_weight_load(r->donor, found, &tensor));
    *out = pg_build_tensor(arena, pg_arena_cstr(arena, weight->name), &tensor);
    pg_tensor_deinit(&tensor);
    r->replaced++;
    return NULL;
}

pg_status pg_engine_refit(const pg_engine *engine, const pg_model *model, unsigned threads, pg_engine **out)
{
    refit r = {.donor = model};
    pg_model *filled;
    if (engine->recipe == NULL)
        return pg_err(PG_ERR_INVALID,
                      "the engine cannot be refitted: it was built without --refittable and --strip-plan");
    PG_TRY(change_weights(engine->bare, put_in, &r, &filled));
    pg_build_config config = *engine->recipe;
    config.profiles = engine->profiles;
    config.n_profiles = engine->n_profiles;
    config.level = engine->level;
    config.workspace = engine->workspace;
    config.version_compatible = engine->version_compatible;
    config.weight_streaming = engine->weight_streaming;
    config.refittable = true;
    config.scales = &engine->scales;
    config.threads = threads;
    pg_status status = pg_engine_build(filled, &config, out);
    pg_model_unref(filled);
    if (status == NULL)
        (*out)->origin = pg_engine_ref((pg_engine *)engine);
    return status;
}

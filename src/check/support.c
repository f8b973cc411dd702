#include "check/support.h"

#include "check/attempt.h"
#include "shapes/shapes.h"
#include "surgery/single.h"

typedef struct support {
    pg_model *model;
    const pg_lint_engine *engine;
    pg_arena *arena;
    pg_cutter *cutter;
    pg_shapes *shapes; /* NULL when nothing could be inferred */
    pg_support *result;
} support;

static const char *message_of(const support *work, const pg_attempt *run)
{
    pg_buf text = {0};
    pg_attempt_message(run, &text);
    const char *copy = pg_arena_cstr(work->arena, pg_str_trim(pg_buf_str(&text)));
    pg_buf_deinit(&text);
    return copy;
}

/* False when the type of one cannot be told, and the engine asks for it. */
static bool type_inputs(const support *work, const pg_node *node, pg_single_input **out, size_t *out_count)
{
    pg_str *names;
    size_t count;
    pg_node_reads(node, work->arena, &names, &count);
    *out = PG_ARENA_ARRAY(work->arena, pg_single_input, count + 1);
    *out_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (pg_cutter_has_constant(work->cutter, names[i]))
            continue;
        const pg_type *type = work->shapes != NULL ? pg_shapes_find(work->shapes, names[i]) : NULL;
        const pg_value_info *declared = pg_cutter_declaration(work->cutter, names[i]);
        if (type == NULL && declared != NULL)
            type = &declared->type;
        bool known = type != NULL && type->kind != PG_TYPE_NONE &&
                     (type->kind != PG_TYPE_TENSOR || type->elem != PG_UNDEFINED);
        if (!known && strcmp(work->engine->source, PG_LINT_NATIVE) != 0)
            return false;
        (*out)[(*out_count)++] = (pg_single_input){.name = names[i], .type = type};
    }
    return true;
}

static pg_status check_node(const support *work, const pg_node *node)
{
    pg_single_input *inputs;
    size_t count;
    pg_model *single = NULL;
    pg_attempt run = {0};
    pg_support *result = work->result;
    pg_status status = NULL;
    if (!type_inputs(work, node, &inputs, &count)) {
        result->n_untold++;
        return NULL;
    }
    PG_TRY(pg_cutter_single(work->cutter, node, node->name, inputs, count, &single));
    pg_attempt_run(work->engine, single, true, NULL, &run);
    if (pg_status_code(run.status) == PG_ERR_INTERRUPTED)
        status = pg_attempt_take(&run);
    else if (run.status != NULL)
        result->faults[result->n_faults++] = (pg_support_fault){node, message_of(work, &run)};
    pg_attempt_end(&run);
    pg_model_unref(single);
    return status;
}

static pg_status check_nodes(support *work)
{
    const pg_graph *graph = work->model->graph;
    pg_status status = NULL;
    work->result->faults = PG_ARENA_ARRAY(work->arena, pg_support_fault, graph->n_nodes + 1);
    work->cutter = pg_cutter_new(work->model);
    pg_status_drop(pg_shapes_infer(work->model, NULL, &work->shapes));
    pg_cutter_set_types(work->cutter, work->shapes);
    for (size_t i = 0; i < graph->n_nodes && status == NULL; i++)
        status = check_node(work, &graph->nodes[i]);
    pg_shapes_free(work->shapes);
    pg_cutter_free(work->cutter);
    return status;
}

pg_status pg_support_check(pg_model *model, const pg_lint_engine *engine, pg_arena *arena, pg_support *out)
{
    support work = {.model = model, .engine = engine, .arena = arena, .result = out};
    pg_attempt run = {0};
    *out = (pg_support){0};
    pg_attempt_run(engine, model, false, NULL, &run);
    if (run.runtime != NULL)
        out->runtime = pg_arena_cstr(arena, pg_str_c(run.runtime));
    pg_status status = NULL;
    bool failed = run.status != NULL;
    if (failed && pg_attempt_is_ours(&run, engine))
        status = pg_attempt_take(&run);
    else if (failed)
        out->message = message_of(&work, &run);
    pg_attempt_end(&run);
    return status == NULL && failed ? check_nodes(&work) : status;
}

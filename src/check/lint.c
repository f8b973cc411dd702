#include "check/attempt.h"
#include "check/lint.h"

#include "log/log.h"
#include "surgery/single.h"

/* ---- The work ---- */

/* What is known of a tensor while nodes run one after the other. */
typedef struct held {
    pg_value value;
    bool present;
    size_t readers; /* nodes that have not run yet */
} held;

typedef struct lint {
    pg_model *model;
    const pg_lint_options *options;
    pg_lint_report *report;
    pg_cutter *cutter;
    pg_arena arena;
    pg_str *names; /* of the nodes, never empty */
    pg_str **reads;
    size_t *n_reads;
    pg_map tensors; /* name -> held */
    pg_feed inputs;
} lint;

static void name_nodes(lint *work)
{
    const pg_graph *graph = work->model->graph;
    pg_map taken = {0};
    size_t again = 0;
    for (size_t i = 0; i < graph->n_nodes; i++)
        pg_map_put(&taken, graph->nodes[i].name, NULL);
    for (size_t i = 0; i < graph->n_nodes; i++) {
        work->names[i] = graph->nodes[i].name;
        if (work->names[i].len > 0)
            continue;
        char *name = pg_arena_printf(&work->arena, "polygraphy_unnamed_node_%zu", i);
        while (pg_map_has(&taken, pg_str_c(name)))
            name = pg_arena_printf(&work->arena, "polygraphy_unnamed_node_%zu_%zu", i, again++);
        PG_LOG_VERBOSE("Node with topological id: %zu has empty name. Renaming to: %s", i, name);
        work->names[i] = pg_str_c(name);
        pg_map_put(&taken, work->names[i], NULL);
    }
    pg_map_deinit(&taken);
}

static void start(lint *work)
{
    const pg_graph *graph = work->model->graph;
    work->names = PG_ARENA_ARRAY(&work->arena, pg_str, graph->n_nodes);
    work->reads = PG_ARENA_ARRAY(&work->arena, pg_str *, graph->n_nodes);
    work->n_reads = PG_ARENA_ARRAY(&work->arena, size_t, graph->n_nodes);
    work->cutter = pg_cutter_new(work->model);
    name_nodes(work);
    for (size_t i = 0; i < graph->n_nodes; i++)
        pg_node_reads(&graph->nodes[i], &work->arena, &work->reads[i], &work->n_reads[i]);
}

static void finish(lint *work)
{
    for (size_t i = 0; i < work->tensors.len; i++)
        pg_value_deinit(&((held *)work->tensors.entries[i].value)->value);
    pg_map_deinit(&work->tensors);
    pg_feed_deinit(&work->inputs);
    pg_cutter_free(work->cutter);
    pg_arena_deinit(&work->arena);
}

/* ---- Names given twice ---- */

static void check_names(lint *work)
{
    size_t count = work->model->graph->n_nodes;
    pg_map ids = {0}; /* name -> pg_buf */
    for (size_t i = 0; i < count; i++) {
        pg_buf *list = pg_map_find(&ids, work->names[i]);
        if (list == NULL) {
            list = PG_ARENA_NEW(&work->arena, pg_buf);
            pg_map_put(&ids, work->names[i], list);
        }
        pg_buf_printf(list, list->len > 0 ? ", %zu" : "%zu", i);
    }
    for (size_t i = 0; i < ids.len; i++) {
        pg_buf *list = ids.entries[i].value;
        pg_str name = ids.entries[i].key;
        if (pg_str_find(pg_buf_str(list), ',') != SIZE_MAX) {
            char *text = pg_arena_printf(&work->arena,
                                         "Duplicate node name: '%" PG_STR_FMT
                                         "' for nodes with topological IDs: [%s] found.",
                                         PG_STR_ARG(name), pg_buf_cstr(list));
            pg_lint_add(work->report, PG_LINT_EXCEPTION, PG_LINT_GRAPH, pg_str_c(text), name, PG_STR_EMPTY);
        }
        pg_buf_deinit(list);
    }
    pg_map_deinit(&ids);
}

/* ---- What no output needs ---- */

typedef struct use {
    bool *nodes;
    pg_map makers; /* tensor -> node index + 1 */
    pg_map wanted; /* tensors that an output needs */
    PG_VEC(size_t) todo;
} use;

static void want(use *use_, pg_str name)
{
    uintptr_t maker = (uintptr_t)pg_map_find(&use_->makers, name);
    if (!pg_map_put(&use_->wanted, name, NULL) || maker == 0 || use_->nodes[maker - 1])
        return;
    use_->nodes[maker - 1] = true;
    PG_VEC_PUSH(&use_->todo, (size_t)maker - 1);
}

static void find_used(lint *work, use *use_)
{
    const pg_graph *graph = work->model->graph;
    use_->nodes = PG_ARENA_ARRAY(&work->arena, bool, graph->n_nodes);
    for (size_t i = 0; i < graph->n_nodes; i++)
        for (size_t k = 0; k < graph->nodes[i].n_outputs; k++)
            if (graph->nodes[i].outputs[k].len > 0)
                pg_map_put(&use_->makers, graph->nodes[i].outputs[k], (void *)(uintptr_t)(i + 1));
    for (size_t i = 0; i < graph->n_outputs; i++)
        want(use_, graph->outputs[i].name);
    while (use_->todo.len > 0) {
        size_t node = use_->todo.items[--use_->todo.len];
        for (size_t k = 0; k < work->n_reads[node]; k++)
            want(use_, work->reads[node][k]);
    }
}

static int by_name(const void *a, const void *b)
{
    const pg_node *const *left = a, *const *right = b;
    int order = pg_str_cmp((*left)->name, (*right)->name);
    return order != 0 ? order : ((*left)->index > (*right)->index) - ((*left)->index < (*right)->index);
}

static int compare_names(const void *a, const void *b)
{
    return pg_str_cmp(*(const pg_str *)a, *(const pg_str *)b);
}

static void report_unused_inputs(lint *work, const use *use_)
{
    const pg_graph *graph = work->model->graph;
    pg_str *unused = PG_ARENA_ARRAY(&work->arena, pg_str, graph->n_inputs + 1);
    size_t count = 0;
    for (size_t i = 0; i < graph->n_inputs; i++)
        if (!pg_map_has(&use_->wanted, graph->inputs[i].name))
            unused[count++] = graph->inputs[i].name;
    qsort(unused, count, sizeof *unused, compare_names);
    for (size_t i = 0; i < count; i++) {
        char *text =
            pg_arena_printf(&work->arena, "Input: '%" PG_STR_FMT "' does not affect outputs, can be removed.",
                            PG_STR_ARG(unused[i]));
        pg_lint_add(work->report, PG_LINT_WARNING, PG_LINT_GRAPH, pg_str_c(text), PG_STR_EMPTY, PG_STR_EMPTY);
    }
}

static void report_unused_nodes(lint *work, const use *use_)
{
    const pg_graph *graph = work->model->graph;
    const pg_node **unused = PG_ARENA_ARRAY(&work->arena, const pg_node *, graph->n_nodes);
    size_t count = 0;
    for (size_t i = 0; i < graph->n_nodes; i++)
        if (!use_->nodes[i])
            unused[count++] = &graph->nodes[i];
    qsort(unused, count, sizeof *unused, by_name);
    for (size_t i = 0; i < count; i++)
        pg_lint_add(work->report, PG_LINT_WARNING, PG_LINT_GRAPH,
                    PG_STR("Does not affect outputs, can be removed."), work->names[unused[i]->index],
                    unused[i]->op_type);
}

/* Afterwards, when the whole model has run, the nodes that pass are those that an output needs. */
static void report_unused(lint *work, bool all_ran)
{
    use use_ = {0};
    find_used(work, &use_);
    report_unused_inputs(work, &use_);
    report_unused_nodes(work, &use_);
    if (all_ran) {
        pg_lint_forget_passing(work->report);
        for (size_t i = 0; i < work->model->graph->n_nodes; i++)
            if (use_.nodes[i])
                pg_lint_pass(work->report, work->names[i]);
    }
    pg_map_deinit(&use_.makers);
    pg_map_deinit(&use_.wanted);
    PG_VEC_FREE(&use_.todo);
}

/* ---- The model as a whole ---- */

static void report_log(lint *work, const pg_attempt *run)
{
    for (size_t i = 0; i < run->log.len; i++) {
        pg_str rest = pg_str_c(run->log.items[i]), line;
        while (pg_str_split(&rest, '\n', &line)) {
            pg_buf text = {0};
            pg_lint_prune(line, false, &text);
            if (text.len > 0)
                pg_lint_add(work->report, PG_LINT_WARNING, PG_LINT_ONNXRUNTIME, pg_buf_str(&text),
                            PG_STR_EMPTY, PG_STR_EMPTY);
            pg_buf_deinit(&text);
        }
    }
}

static pg_status run_whole(lint *work, bool *out_ran)
{
    pg_attempt run = {0};
    pg_status status = NULL;
    pg_attempt_run(&work->options->engine, work->model, false, &work->inputs, &run);
    *out_ran = run.status == NULL;
    if (*out_ran)
        report_log(work, &run);
    else if (pg_attempt_is_ours(&run, &work->options->engine))
        status = pg_attempt_take(&run);
    else
        PG_LOG_VERBOSE("The model as a whole does not run: %s", pg_status_message(run.status));
    pg_attempt_end(&run);
    return status;
}

/* ---- Node by node ---- */

static void hold_inputs(lint *work)
{
    const pg_feed *inputs = &work->inputs;
    for (size_t i = 0; i < work->model->graph->n_nodes; i++)
        for (size_t k = 0; k < work->n_reads[i]; k++) {
            pg_str name = work->reads[i][k];
            held *tensor = pg_map_find(&work->tensors, name);
            if (tensor == NULL) {
                tensor = PG_ARENA_NEW(&work->arena, held);
                pg_map_put(&work->tensors, name, tensor);
            }
            tensor->readers++;
        }
    for (size_t i = 0; i < inputs->count; i++) {
        held *tensor = pg_map_find(&work->tensors, pg_str_c(inputs->items[i].name));
        if (tensor != NULL) {
            tensor->value = pg_value_share(&inputs->items[i].value);
            tensor->present = true;
        }
    }
}

/* What the node needs from others; false when some of it is missing. */
static bool gather(lint *work, size_t index, pg_single_input *inputs, size_t *out_count, pg_feed *feed)
{
    *out_count = 0;
    for (size_t k = 0; k < work->n_reads[index]; k++) {
        pg_str name = work->reads[index][k];
        if (pg_cutter_has_constant(work->cutter, name))
            continue;
        held *tensor = pg_map_find(&work->tensors, name);
        if (!tensor->present)
            return false;
        inputs[(*out_count)++] = (pg_single_input){.name = name, .value = &tensor->value};
        pg_feed_add(feed, name, pg_value_share(&tensor->value));
    }
    return true;
}

/* Operators that the runtime does not know are no fault of the model. */
static pg_lint_level level_of(const pg_attempt *run)
{
    pg_str text = pg_buf_str(&run->refusal);
    if (pg_str_contains(text, PG_STR("No opset import for domain")) ||
        pg_str_contains(text, PG_STR("is not a registered function/op")))
        return PG_LINT_WARNING;
    if (pg_str_contains(text, PG_STR("does not have type information")))
        return PG_LINT_INFO;
    return run->refusal.len == 0 && pg_status_code(run->status) == PG_ERR_UNSUPPORTED ? PG_LINT_WARNING
                                                                                      : PG_LINT_EXCEPTION;
}

static void report_node(lint *work, const pg_attempt *run, const pg_node *node)
{
    pg_str name = work->names[node->index];
    if (run->status == NULL) {
        pg_lint_pass(work->report, name);
        return;
    }
    pg_buf text = {0};
    pg_attempt_message(run, &text);
    pg_lint_add(work->report, level_of(run), work->options->engine.source, pg_buf_str(&text), name,
                node->op_type);
    pg_buf_deinit(&text);
}

static void keep_outputs(lint *work, pg_feed *outputs)
{
    for (size_t i = 0; i < outputs->count; i++) {
        held *tensor = pg_map_find(&work->tensors, pg_str_c(outputs->items[i].name));
        if (tensor == NULL || tensor->readers == 0 || tensor->present)
            continue;
        tensor->value = outputs->items[i].value;
        tensor->present = true;
        outputs->items[i].value = (pg_value){0};
    }
}

static void drop_read(lint *work, size_t index)
{
    for (size_t k = 0; k < work->n_reads[index]; k++) {
        held *tensor = pg_map_find(&work->tensors, work->reads[index][k]);
        if (--tensor->readers > 0)
            continue;
        pg_value_deinit(&tensor->value);
        tensor->value = (pg_value){0};
        tensor->present = false;
    }
}

static pg_status run_node(lint *work, const pg_node *node)
{
    pg_single_input *inputs = PG_ARENA_ARRAY(&work->arena, pg_single_input, work->n_reads[node->index] + 1);
    pg_feed feed = {0};
    pg_model *single = NULL;
    pg_attempt run = {0};
    size_t count;
    pg_status status = NULL;
    if (gather(work, node->index, inputs, &count, &feed)) {
        PG_TRY_GOTO(status,
                    pg_cutter_single(work->cutter, node, work->names[node->index], inputs, count, &single));
        pg_attempt_run(&work->options->engine, single, true, &feed, &run);
        if (pg_status_code(run.status) == PG_ERR_INTERRUPTED)
            PG_TRY_GOTO(status, pg_attempt_take(&run));
        report_node(work, &run, node);
        keep_outputs(work, &run.outputs);
    }
    drop_read(work, node->index);
done:
    pg_attempt_end(&run);
    pg_feed_deinit(&feed);
    pg_model_unref(single);
    return status;
}

static pg_status run_nodes(lint *work)
{
    const pg_graph *graph = work->model->graph;
    hold_inputs(work);
    for (size_t i = 0; i < graph->n_nodes; i++)
        PG_TRY(run_node(work, &graph->nodes[i]));
    return NULL;
}

static pg_status check(lint *work)
{
    bool ran = false;
    check_names(work);
    bool valid = pg_lint_spec(work->model, work->report);
    pg_status unfed = work->options->inputs(work->options->context, &work->inputs);
    if (unfed != NULL && valid)
        return unfed;
    if (unfed != NULL)
        PG_LOG_WARNING("No node is run: %s", pg_status_message(unfed));
    else if (valid)
        PG_TRY(run_whole(work, &ran));
    if (!ran && unfed == NULL)
        PG_TRY(run_nodes(work));
    pg_status_drop(unfed);
    report_unused(work, ran);
    return NULL;
}

pg_status pg_lint(pg_model *model, const pg_lint_options *options, pg_lint_report *report)
{
    lint work = {.model = model, .options = options, .report = report};
    start(&work);
    pg_status status = check(&work);
    finish(&work);
    return status;
}

pg_io_list pg_lint_inputs(const pg_model *model, pg_arena *arena)
{
    const pg_graph *graph = model->graph;
    pg_io *items = PG_ARENA_ARRAY(arena, pg_io, graph->n_inputs + 1);
    pg_map seen = {0};
    size_t count = 0;
    for (size_t i = 0; i < graph->n_weights; i++)
        pg_map_put(&seen, graph->weights[i].name, NULL);
    for (size_t i = 0; i < graph->n_inputs; i++)
        if (pg_map_put(&seen, graph->inputs[i].name, NULL))
            items[count++] = (pg_io){graph->inputs[i].name, graph->inputs[i].type};
    pg_map_deinit(&seen);
    return (pg_io_list){items, count};
}

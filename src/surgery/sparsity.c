#include "surgery/sparsity.h"

#include "base/map.h"
#include "base/vec.h"
#include "log/log.h"
#include "onnx/text.h"

typedef struct walk {
    const pg_model *model;
    pg_map weights, producers;
    pg_map axes; /* by weight; the axis as a pointer */
} walk;

static bool one_of(pg_str op, const char *const *names)
{
    for (; *names != NULL; names++)
        if (pg_str_is(op, *names))
            return true;
    return false;
}

/* ---- From the input of a product back to a weight ---- */

static bool looks_through(const pg_node *node)
{
    static const char *const names[] = {"QuantizeLinear",
                                        "DequantizeLinear",
                                        "TRT_FP8QuantizeLinear",
                                        "TRT_FP8DequantizeLinear",
                                        "Cast",
                                        NULL};
    return one_of(node->op_type, names);
}

/* What these make is data, or a weight whose axes are no longer known. */
static bool ends_quietly(const pg_node *node)
{
    static const char *const names[] = {"LayerNormalization", "Reshape", "Concat", "Slice", "Shape",
                                        "Unsqueeze",          "Gather",  "Mul",    "Add",   NULL};
    return one_of(node->op_type, names);
}

/* The axis of a Transpose's input that its output's `axis` comes from; false when it has no such axis. Axes
 * below zero count from the end. */
static bool axis_before(const pg_node *transpose, int64_t *axis)
{
    const pg_attr *perm = pg_node_attr(transpose, "perm");
    if (perm == NULL || perm->type != PG_ATTR_INTS) {
        PG_LOG_WARNING("%" PG_STR_FMT " doesn't have <perm> attribute!", PG_STR_ARG(transpose->op_type));
        return false;
    }
    if (*axis < 0)
        *axis += (int64_t)perm->count;
    if (*axis < 0 || *axis >= (int64_t)perm->count)
        return false;
    *axis = perm->ints[*axis];
    return true;
}

static void look_back(walk *w, pg_str tensor, int64_t axis)
{
    /* A chain longer than the graph is a cycle. */
    for (size_t steps = 0; steps <= w->model->graph->n_nodes; steps++) {
        const pg_weight *weight = pg_map_find(&w->weights, tensor);
        if (weight != NULL) {
            int64_t from_start = axis < 0 ? PG_MAX(axis + (int64_t)weight->rank, 0) : axis;
            pg_map_put(&w->axes, weight->name, (void *)(intptr_t)from_start);
            return;
        }
        const pg_node *producer = pg_map_find(&w->producers, tensor);
        if (producer == NULL || producer->n_inputs == 0)
            return;
        bool transpose = pg_str_is(producer->op_type, "Transpose");
        if (!transpose && !looks_through(producer)) {
            if (!ends_quietly(producer))
                PG_LOG_WARNING("(%" PG_STR_FMT ") produced by %" PG_STR_FMT " type: %" PG_STR_FMT
                               " is unsupported!",
                               PG_STR_ARG(tensor), PG_STR_ARG(producer->name), PG_STR_ARG(producer->op_type));
            return;
        }
        if (transpose && !axis_before(producer, &axis))
            return;
        tensor = producer->inputs[0];
    }
}

static bool is_one(const pg_node *node, const char *attribute)
{
    const pg_attr *attr = pg_node_attr(node, attribute);
    return attr != NULL && attr->type == PG_ATTR_INT && attr->i == 1;
}

static void visit(walk *w, const pg_node *node)
{
    if (node->n_inputs < 2)
        return;
    if (pg_str_is(node->op_type, "Conv")) {
        look_back(w, node->inputs[1], 1);
    } else if (pg_str_is(node->op_type, "MatMul")) {
        look_back(w, node->inputs[0], -1);
        look_back(w, node->inputs[1], -2);
    } else if (pg_str_is(node->op_type, "Gemm")) {
        look_back(w, node->inputs[0], is_one(node, "transA") ? 0 : 1);
        look_back(w, node->inputs[1], is_one(node, "transB") ? 1 : 0);
    }
}

/* ---- Which of them can be sparse ---- */

static bool is_eligible(const pg_weight *weight, size_t axis)
{
    if (weight->dtype != PG_F32 && weight->dtype != PG_F16 && weight->dtype != PG_BF16) {
        const char *type = pg_onnx_type_name(weight->data_type);
        PG_LOG_WARNING("Skipping tensor: %" PG_STR_FMT " due to unsupported type: %s",
                       PG_STR_ARG(weight->name), type != NULL ? type : "unknown");
        return false;
    }
    if (axis >= weight->rank || weight->dims[axis] % 4 != 0) {
        pg_buf dims = {0};
        pg_shape_text(&dims, weight->rank, weight->dims);
        PG_LOG_VERBOSE("Skipping %" PG_STR_FMT " since the length of axis %zu in %s is not a multiple of 4.",
                       PG_STR_ARG(weight->name), axis, pg_buf_cstr(&dims));
        pg_buf_deinit(&dims);
        return false;
    }
    return true;
}

static void index_graph(walk *w)
{
    const pg_graph *graph = w->model->graph;
    for (size_t i = 0; i < graph->n_weights; i++)
        pg_map_put(&w->weights, graph->weights[i].name, (void *)&graph->weights[i]);
    for (size_t i = 0; i < graph->n_nodes; i++)
        for (size_t k = 0; k < graph->nodes[i].n_outputs; k++)
            if (graph->nodes[i].outputs[k].len > 0)
                pg_map_put(&w->producers, graph->nodes[i].outputs[k], (void *)&graph->nodes[i]);
}

void pg_sparsity_candidates(const pg_model *model, pg_arena *arena, pg_sparse_candidate **out,
                            size_t *out_count)
{
    walk w = {.model = model};
    index_graph(&w);
    PG_LOG_VERBOSE("Walking graph to collect weights candidates.");
    for (size_t i = 0; i < model->graph->n_nodes; i++)
        visit(&w, &model->graph->nodes[i]);
    PG_LOG_VERBOSE("Collected %zu weights candidates.", w.axes.len);
    PG_LOG_VERBOSE("Skipping tensors that are not eligible for pruning.");
    *out = PG_ARENA_ARRAY(arena, pg_sparse_candidate, w.axes.len + 1);
    *out_count = 0;
    for (size_t i = 0; i < w.axes.len; i++) {
        const pg_weight *weight = pg_map_find(&w.weights, w.axes.entries[i].key);
        size_t axis = (size_t)(intptr_t)w.axes.entries[i].value;
        if (is_eligible(weight, axis))
            (*out)[(*out_count)++] = (pg_sparse_candidate){weight, axis};
    }
    PG_LOG_INFO("Found: %zu weight tensor(s) eligible for pruning.", *out_count);
    pg_map_deinit(&w.axes);
    pg_map_deinit(&w.producers);
    pg_map_deinit(&w.weights);
}

/* ---- The pattern ---- */

/* Four rows of `width` elements, one below the other: two of every four must be zero. `mask` leaves the sign
 * out. */
#define ROWS_HOLD(name, type, mask)                                \
    static bool name(const void *data, size_t first, size_t width) \
    {                                                              \
        const type *row = (const type *)data + first;              \
        for (size_t i = 0; i < width; i++) {                       \
            int zeros = 0;                                         \
            for (size_t k = 0; k < 4; k++)                         \
                zeros += (row[k * width + i] & (mask)) == 0;       \
            if (zeros < 2)                                         \
                return false;                                      \
        }                                                          \
        return true;                                               \
    }
ROWS_HOLD(rows_hold_32, uint32_t, 0x7fffffffu)
ROWS_HOLD(rows_hold_16, uint16_t, 0x7fffu)

bool pg_sparsity_holds(const pg_tensor *tensor, size_t axis)
{
    size_t width = 1, rows = (size_t)pg_tensor_count(tensor);
    for (size_t i = axis + 1; i < tensor->rank; i++)
        width *= (size_t)tensor->dims[i];
    if (rows == 0)
        return true;
    rows /= width;
    for (size_t row = 0; row < rows; row += 4) {
        bool holds = tensor->dtype == PG_F32 ? rows_hold_32(tensor->data, row * width, width)
                                             : rows_hold_16(tensor->data, row * width, width);
        if (!holds)
            return false;
    }
    return true;
}

/* Which outputs have memory of their own.
 *
 * The runtime gives an output fresh memory unless its value is a constant of the session: an initializer, a
 * Constant, or something folded from those. Constants are freed with the session, so their bytes must be
 * copied. A value that no fed tensor reaches may be one. Shape and Size count as not reached, since they are
 * folded where shapes are fixed. */
#include "base/map.h"
#include "runner/onnxrt/internal.h"

static bool is_shape_only(const pg_node *node)
{
    return node->domain.len == 0 && (pg_str_is(node->op_type, "Shape") || pg_str_is(node->op_type, "Size"));
}

static bool any_fed(const pg_map *fed, const pg_node *node)
{
    for (size_t i = 0; i < node->n_inputs; i++)
        if (node->inputs[i].len > 0 && pg_map_has(fed, node->inputs[i]))
            return true;
    return false;
}

static bool is_initializer(const pg_graph *graph, pg_str name)
{
    for (size_t i = 0; i < graph->n_weights; i++)
        if (pg_str_eq(graph->weights[i].name, name))
            return true;
    return false;
}

void pg_ort_find_fresh(const pg_graph *graph, const pg_io *outputs, size_t count, bool *out)
{
    pg_map fed = {0};
    for (size_t i = 0; i < graph->n_inputs; i++)
        if (!is_initializer(graph, graph->inputs[i].name))
            pg_map_put(&fed, graph->inputs[i].name, NULL);
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const pg_node *node = &graph->nodes[i];
        if (is_shape_only(node) || !any_fed(&fed, node))
            continue;
        for (size_t o = 0; o < node->n_outputs; o++)
            if (node->outputs[o].len > 0)
                pg_map_put(&fed, node->outputs[o], NULL);
    }
    for (size_t i = 0; i < count; i++)
        out[i] = pg_map_has(&fed, outputs[i].name);
    pg_map_deinit(&fed);
}

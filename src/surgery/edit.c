#include "surgery/internal.h"

void pg_surgery_each_read(const pg_graph *graph, void (*see)(void *context, pg_str name), void *context)
{
    for (size_t n = 0; n < graph->n_nodes; n++) {
        const pg_node *node = &graph->nodes[n];
        for (size_t i = 0; i < node->n_inputs; i++)
            see(context, node->inputs[i]);
        for (size_t a = 0; a < node->n_attrs; a++) {
            const pg_attr *attr = &node->attrs[a];
            if (attr->type == PG_ATTR_GRAPH && attr->graph != NULL)
                pg_surgery_each_read(attr->graph, see, context);
            for (size_t g = 0; attr->type == PG_ATTR_GRAPHS && g < attr->count; g++)
                pg_surgery_each_read(attr->graphs[g], see, context);
        }
    }
    for (size_t i = 0; i < graph->n_outputs; i++)
        see(context, graph->outputs[i].name);
}

const pg_weight *pg_surgery_constant(const pg_node *node)
{
    const pg_attr *value = pg_node_attr(node, "value");
    bool constant = node->domain.len == 0 && pg_str_is(node->op_type, "Constant") && node->n_outputs == 1;
    return constant && value != NULL && value->type == PG_ATTR_TENSOR ? value->tensor : NULL;
}

pg_status pg_surgery_finish(pg_arena *arena, pg_wire_message *root, const pg_model *base, pg_model **out)
{
    return pg_model_from_wire(arena, root, base, base->path != NULL ? base->path : "model", out);
}

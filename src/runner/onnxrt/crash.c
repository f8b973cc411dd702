/* Models that end the process instead of failing are refused before the runtime sees them. */
#include "onnx/quirks.h"
#include "runner/onnxrt/internal.h"

static pg_status check_nodes(const pg_node *nodes, size_t count);

static pg_status check_bodies(const pg_node *node)
{
    for (size_t i = 0; i < node->n_attrs; i++) {
        const pg_attr *attr = &node->attrs[i];
        if (attr->type == PG_ATTR_GRAPH && attr->graph != NULL)
            PG_TRY(check_nodes(attr->graph->nodes, attr->graph->n_nodes));
        for (size_t k = 0; attr->type == PG_ATTR_GRAPHS && k < attr->count; k++)
            PG_TRY(check_nodes(attr->graphs[k]->nodes, attr->graphs[k]->n_nodes));
    }
    return NULL;
}

static pg_status check_nodes(const pg_node *nodes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const pg_node *node = &nodes[i];
        if (pg_node_crashes_onnxruntime(node))
            return pg_err(PG_ERR_UNSUPPORTED,
                          "%" PG_STR_FMT " '%" PG_STR_FMT
                          "' (node %zu) omits an output, on which ONNX Runtime "
                          "ends the process: give each of its outputs a name",
                          PG_STR_ARG(node->op_type), PG_STR_ARG(node->name), node->index);
        PG_TRY(check_bodies(node));
    }
    return NULL;
}

pg_status pg_ort_check_crashes(const pg_model *model)
{
    PG_TRY(check_nodes(model->graph->nodes, model->graph->n_nodes));
    for (size_t i = 0; i < model->n_functions; i++)
        PG_TRY(check_nodes(model->functions[i].nodes, model->functions[i].n_nodes));
    return NULL;
}

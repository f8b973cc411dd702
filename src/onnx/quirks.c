#include "onnx/quirks.h"

bool pg_node_crashes_onnxruntime(const pg_node *node)
{
    bool omits = false;
    for (size_t i = 0; i < node->n_outputs; i++)
        omits = omits || node->outputs[i].len == 0;
    return omits && node->domain.len == 0 && pg_str_is(node->op_type, "Split");
}

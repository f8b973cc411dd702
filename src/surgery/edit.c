#include "surgery/internal.h"

void pg_surgery_set_graph(pg_wire_message *root, pg_wire_message *graph)
{
    for (uint32_t i = 0; i < root->n_fields; i++)
        if (root->fields[i].number == PG_PB_MODEL_GRAPH && root->fields[i].kind == PG_WIRE_BYTES)
            root->fields[i].message = graph;
}

pg_status pg_surgery_edit_graph(pg_arena *arena, const pg_model *model, pg_wire_message **out_root,
                                pg_wire_message **out_graph)
{
    pg_wire_source source = {0};
    PG_TRY(pg_wire_edit(arena, source, model->wire, out_root));
    PG_TRY(pg_wire_edit(arena, source, model->graph->wire, out_graph));
    pg_surgery_set_graph(*out_root, *out_graph);
    return NULL;
}

pg_status pg_surgery_finish(pg_arena *arena, pg_wire_message *root, const pg_model *base, pg_model **out)
{
    return pg_model_from_wire(arena, root, base, base->path != NULL ? base->path : "model", out);
}

#include "check/unbounded.h"

#include "base/map.h"
#include "base/vec.h"
#include "onnx/text.h"
#include "surgery/single.h"
#include "tensor/text.h"

/* The input that decides about the size of the output. */
static const struct {
    const char *op;
    size_t input;
} sizes[] = {{"Range", 1}, {"Pad", 1}, {"Resize", 3}, {"Tile", 1}, {"Expand", 1}};

typedef struct search {
    pg_cutter *cutter;
    pg_map makers;  /* tensor -> pg_node, without Constant nodes */
    pg_map symbols; /* named dimensions seen so far */
    pg_map found;
    PG_VEC(pg_unbounded) items;
} search;

/* Whether the type has a name that was not seen before; all its names are seen from now on. */
static bool add_symbols(search *work, const pg_type *type)
{
    bool is_new = false;
    for (uint32_t i = 0; i < type->rank; i++)
        if (!type->dims[i].has_value && type->dims[i].name.len > 0)
            is_new = pg_map_put(&work->symbols, type->dims[i].name, NULL) || is_new;
    return is_new;
}

static bool is_constant(const pg_node *node)
{
    return node->domain.len == 0 && pg_str_is(node->op_type, "Constant") &&
           pg_node_attr(node, "value") != NULL;
}

static bool introduces_size(search *work, const pg_node *node)
{
    bool is_new = false;
    for (size_t i = 0; i < node->n_outputs; i++) {
        const pg_value_info *declared = pg_cutter_declaration(work->cutter, node->outputs[i]);
        if (declared == NULL || !declared->type.has_shape)
            is_new = true;
        else
            is_new = add_symbols(work, &declared->type) || is_new;
    }
    return is_new;
}

static void check_size(search *work, const pg_node *node)
{
    for (size_t i = 0; i < PG_COUNT(sizes); i++) {
        if (!pg_str_is(node->op_type, sizes[i].op) || sizes[i].input >= node->n_inputs)
            continue;
        pg_str name = node->inputs[sizes[i].input];
        const pg_node *maker = pg_map_find(&work->makers, name);
        const pg_value_info *declared = pg_cutter_declaration(work->cutter, name);
        if (name.len == 0 || pg_cutter_has_constant(work->cutter, name) || maker == NULL ||
            pg_str_is(maker->op_type, "Min") || !pg_map_put(&work->found, name, NULL))
            return;
        PG_VEC_PUSH(&work->items, ((pg_unbounded){name, declared != NULL ? &declared->type : NULL}));
    }
}

void pg_unbounded_sizes(const pg_model *model, pg_arena *arena, pg_unbounded **out, size_t *out_count)
{
    const pg_graph *graph = model->graph;
    search work = {.cutter = pg_cutter_new(model)};
    for (size_t i = 0; i < graph->n_nodes; i++)
        for (size_t k = 0; k < graph->nodes[i].n_outputs && !is_constant(&graph->nodes[i]); k++)
            pg_map_put(&work.makers, graph->nodes[i].outputs[k], (void *)&graph->nodes[i]);
    for (size_t i = 0; i < graph->n_inputs; i++)
        (void)add_symbols(&work, &graph->inputs[i].type);
    for (size_t i = 0; i < graph->n_nodes; i++)
        if (!is_constant(&graph->nodes[i]) && introduces_size(&work, &graph->nodes[i]))
            check_size(&work, &graph->nodes[i]);
    *out = PG_ARENA_ARRAY(arena, pg_unbounded, work.items.len + 1);
    for (size_t i = 0; i < work.items.len; i++)
        (*out)[i] = work.items.items[i];
    *out_count = work.items.len;
    pg_map_deinit(&work.makers);
    pg_map_deinit(&work.symbols);
    pg_map_deinit(&work.found);
    PG_VEC_FREE(&work.items);
    pg_cutter_free(work.cutter);
}

/* ---- Text ---- */

static void put_shape(pg_buf *out, const pg_type *type)
{
    pg_buf_putc(out, '[');
    pg_dims_text(type, true, "None", out);
    pg_buf_putc(out, ']');
}

void pg_unbounded_text(const pg_unbounded *items, size_t count, pg_buf *out)
{
    pg_buf_putc(out, '[');
    for (size_t i = 0; i < count; i++) {
        const pg_type *type = items[i].type;
        const char *dtype = type != NULL ? pg_onnx_type_name(type->data_type) : NULL;
        pg_buf_printf(out, "%sVariable (%" PG_STR_FMT "): (shape=", i > 0 ? ", " : "",
                      PG_STR_ARG(items[i].name));
        if (type != NULL && type->has_shape)
            put_shape(out, type);
        else
            pg_buf_puts(out, "None");
        pg_buf_printf(out, ", dtype=%s)", dtype != NULL ? dtype : "None");
    }
    pg_buf_putc(out, ']');
}

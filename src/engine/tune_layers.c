/* What the layers of an engine are: their kinds, which say whose times are whose, and their tensors. */
#include <stdlib.h>

#include "base/alloc.h"
#include "engine/tune.h"

/* ---- Kinds ---- */

static void put_tensor(const tuner *t, pg_str name, const pg_value *value, pg_buf *out)
{
    /* A kernel may have written over an input: what was seen when it was made counts. */
    const pg_tensor *seen = pg_map_find(&t->tensors, name);
    const bool constant = seen == NULL;
    const pg_tensor *tensor = seen != NULL                                      ? seen
                              : value != NULL && value->kind == PG_VALUE_TENSOR ? &value->tensor
                                                                                : NULL;
    if (tensor == NULL) {
        pg_buf_puts(out, " -");
        return;
    }
    pg_buf_printf(out, " %s[", pg_dtype_name(tensor->dtype));
    for (size_t d = 0; d < tensor->rank; d++)
        pg_buf_printf(out, "%s%lld", d > 0 ? "," : "", (long long)tensor->dims[d]);
    pg_buf_puts(out, constant ? "]=" : "]");
}

/* Long lists are scalings of weights: that they are there matters, not what they are. */
static void put_attr(const pg_attr *attr, pg_buf *out)
{
    enum { LONG = 16 };
    pg_buf_printf(out, " %" PG_STR_FMT "=", PG_STR_ARG(attr->name));
    switch (attr->type) {
    case PG_ATTR_INT:
        pg_buf_printf(out, "%lld", (long long)attr->i);
        break;
    case PG_ATTR_FLOAT:
        pg_buf_printf(out, "%g", (double)attr->f);
        break;
    case PG_ATTR_STRING:
        pg_buf_add_str(out, attr->s);
        break;
    case PG_ATTR_INTS:
        for (size_t i = 0; i < attr->count && attr->count <= LONG; i++)
            pg_buf_printf(out, "%s%lld", i > 0 ? "," : "", (long long)attr->ints[i]);
        break;
    case PG_ATTR_FLOATS:
        for (size_t i = 0; i < attr->count && attr->count <= LONG; i++)
            pg_buf_printf(out, "%s%g", i > 0 ? "," : "", (double)attr->floats[i]);
        break;
    default:
        pg_buf_puts(out, "?");
        break;
    }
}

static void make_key(const tuner *t, const pg_node *node, const pg_value *const *inputs, pg_buf *out)
{
    pg_buf_printf(out, "%" PG_STR_FMT "%s%" PG_STR_FMT, PG_STR_ARG(node->domain),
                  node->domain.len > 0 ? "." : "", PG_STR_ARG(node->op_type));
    for (size_t i = 0; i < node->n_inputs; i++)
        put_tensor(t, node->inputs[i], inputs[i], out);
    for (size_t i = 0; i < node->n_attrs; i++)
        put_attr(&node->attrs[i], out);
}

static tune_kind *kind_of(tuner *t, const pg_node *node, const pg_value *const *inputs)
{
    pg_buf key = {0};
    make_key(t, node, inputs, &key);
    tune_kind *kind = pg_map_find(&t->kinds, pg_buf_str(&key));
    if (kind == NULL) {
        kind = PG_ARENA_NEW(&t->arena, tune_kind);
        kind->key = pg_arena_str(&t->arena, pg_buf_str(&key));
        pg_map_put(&t->kinds, kind->key, kind);
    }
    pg_buf_deinit(&key);
    return kind;
}

/* ---- Tensors, for replays ---- */

static pg_str type_name(tuner *t, pg_dtype dtype)
{
    static const struct {
        pg_dtype dtype;
        const char *name;
    } names[] = {{PG_F32, "FLOAT"}, {PG_F16, "HALF"}, {PG_BF16, "BF16"}, {PG_F8E4M3FN, "FP8"}};
    const char *name = pg_dtype_get(dtype)->onnx_name;
    for (size_t i = 0; i < PG_COUNT(names); i++)
        if (names[i].dtype == dtype)
            name = names[i].name;
    return pg_str_c(pg_arena_printf(&t->engine->arena, "DataType.%s", name));
}

static void take_tensor(tuner *t, const pg_tensor *tensor, pg_tactic_tensor *out)
{
    int64_t *strides = PG_ARENA_ARRAY(&t->engine->arena, int64_t, tensor->rank + 1u), step = 1;
    const bool last = tensor->layout == PG_CHANNELS_LAST && tensor->rank > 2;
    if (last) {
        strides[1] = 1;
        step = tensor->dims[1];
    }
    for (size_t d = tensor->rank; d-- > 0;)
        if (!last || d != 1) {
            strides[d] = step;
            step *= tensor->dims[d];
        }
    *out = (pg_tactic_tensor){.dtype = type_name(t, tensor->dtype),
                              .strides = strides,
                              .n_strides = tensor->rank,
                              .has_vectorized_dim = true,
                              .vectorized_dim = -1,
                              .has_components = true,
                              .components_per_element = 1};
}

/* Of those that are no weights and no constants. */
static size_t take_tensors(tuner *t, const pg_str *names, size_t count, const pg_tactic_tensor **out)
{
    pg_tactic_tensor *items = PG_ARENA_ARRAY(&t->engine->arena, pg_tactic_tensor, count + 1);
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        const pg_tensor *seen = pg_map_find(&t->tensors, names[i]);
        if (seen != NULL)
            take_tensor(t, seen, &items[n++]);
    }
    *out = items;
    return n;
}

static void see_tensor(tuner *t, pg_str name, const pg_value *value)
{
    if (name.len == 0 || value->kind != PG_VALUE_TENSOR)
        return;
    pg_tensor *seen = PG_ARENA_NEW(&t->arena, pg_tensor);
    *seen = value->tensor;
    seen->data = NULL;
    seen->buffer = NULL;
    pg_map_put(&t->tensors, name, seen);
}

/* ---- Seeing ---- */

static pg_status see_node(void *context, const pg_node *node, const pg_value *const *inputs,
                          const pg_value *outputs, double seconds)
{
    tuner *t = context;
    tune_layer *layer = pg_map_find(&t->by_node, (pg_str){(const char *)&node, sizeof(const pg_node *)});
    (void)seconds;
    if (layer == NULL) /* of a subgraph */
        return NULL;
    layer->kinds[t->profile] = kind_of(t, node, inputs);
    for (size_t i = 0; i < node->n_outputs; i++)
        see_tensor(t, node->outputs[i], &outputs[i]);
    if (t->profile == 0) {
        layer->tactic.n_inputs = take_tensors(t, node->inputs, node->n_inputs, &layer->tactic.inputs);
        layer->tactic.n_outputs = take_tensors(t, node->outputs, node->n_outputs, &layer->tactic.outputs);
    }
    return NULL;
}

/* The feed of a run is not a node's output: its tensors are known from the profile. */
static void see_inputs(tuner *t, size_t profile)
{
    const pg_shape_profile *of = &t->engine->profiles[profile];
    pg_map_deinit(&t->tensors);
    for (size_t i = 0; i < of->count; i++) {
        const pg_shape_range *range = &of->items[i];
        const pg_value_info *info = pg_engine_find_input(t->engine->model->graph, range->input);
        pg_value value = {.kind = PG_VALUE_TENSOR};
        value.tensor.dtype = info->type.elem;
        value.tensor.rank = (uint16_t)range->rank;
        memcpy(value.tensor.dims, range->opt, range->rank * sizeof(int64_t));
        see_tensor(t, range->input, &value);
    }
}

/* What all profiles offer. */
static void note_offers(tuner *t, size_t profile)
{
    for (size_t i = 0; i < t->n_layers; i++) {
        tune_layer *layer = &t->layers[i];
        if (layer->kinds[profile] == NULL)
            continue;
        const unsigned offers = pg_session_offers(t->session, i);
        layer->offers = layer->by_rule == PG_TACTIC_RULE ? offers : layer->offers & offers;
        if (layer->by_rule == PG_TACTIC_RULE)
            layer->by_rule = pg_session_tactic(t->session, i);
    }
}

pg_status tune_see_layers(tuner *t)
{
    const pg_observer observer = {t, see_node};
    pg_status status = NULL;
    pg_session_observe(t->session, &observer);
    for (size_t p = 0; p < t->engine->n_profiles && status == NULL; p++) {
        see_inputs(t, p);
        status = tune_run(t, p, TUNE_OPTIMAL);
        note_offers(t, p);
    }
    pg_session_observe(t->session, NULL);
    return status;
}

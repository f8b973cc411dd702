/* Rules of control flow, sequences and optionals. */
#include "shapes/internal.h"

/* What holds for both: the same type, and dims on which they agree. */
static pg_type join_types(pg_infer *c, const pg_type *a, const pg_type *b)
{
    if (a->kind != b->kind || a->elem != b->elem)
        return a->kind == PG_TYPE_NONE ? *b : b->kind == PG_TYPE_NONE ? *a : (pg_type){0};
    pg_type joined = *a;
    if (a->kind != PG_TYPE_TENSOR)
        return joined;
    joined.has_shape = a->has_shape && b->has_shape && a->rank == b->rank;
    if (!joined.has_shape)
        return (pg_type){.kind = PG_TYPE_TENSOR, .elem = a->elem};
    pg_dim *dims = pg_new_dims(c, a->rank);
    for (uint32_t d = 0; d < a->rank; d++)
        dims[d] = pg_dim_same(a->dims[d], b->dims[d]) ? a->dims[d] : (pg_dim){0};
    joined.dims = dims;
    return joined;
}

static pg_status if_else(pg_infer *c)
{
    pg_fact *yes = PG_ARENA_ARRAY(c->arena, pg_fact, c->n_out),
            *no = PG_ARENA_ARRAY(c->arena, pg_fact, c->n_out);
    bool have_yes, have_no;
    PG_TRY(pg_infer_subgraph(c, "then_branch", NULL, 0, yes, c->n_out, &have_yes));
    PG_TRY(pg_infer_subgraph(c, "else_branch", NULL, 0, no, c->n_out, &have_no));
    for (size_t o = 0; o < c->n_out && have_yes && have_no; o++)
        c->out[o].type = join_types(c, &yes[o].type, &no[o].type);
    return NULL;
}

/* Loop-carried values may change their dims from one iteration to the next: only type and rank are kept, and
 * a dim only when the body returns it as it came. */
static pg_status loop(pg_infer *c)
{
    size_t n_state = c->n_in > 2 ? c->n_in - 2 : 0, n_body = n_state + 2;
    pg_fact *inputs = PG_ARENA_ARRAY(c->arena, pg_fact, n_body);
    pg_fact *outputs = PG_ARENA_ARRAY(c->arena, pg_fact, c->n_out + 1);
    inputs[0].type = (pg_type){.kind = PG_TYPE_TENSOR, .elem = PG_I64, .has_shape = true};
    inputs[1].type = (pg_type){.kind = PG_TYPE_TENSOR, .elem = PG_BOOL, .has_shape = true};
    bool found;
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < n_state; i++) {
            const pg_type *given = pg_in(c, i + 2) != NULL ? &pg_in(c, i + 2)->type : NULL;
            if (given != NULL)
                inputs[i + 2].type =
                    round == 0 || i >= c->n_out ? *given : join_types(c, given, &outputs[i + 1].type);
        }
        PG_TRY(pg_infer_subgraph(c, "body", inputs, n_body, outputs, c->n_out + 1, &found));
        if (!found)
            return NULL;
    }
    for (size_t o = 0; o < c->n_out; o++) {
        pg_type type = outputs[o + 1].type;
        if (o < n_state) {
            c->out[o].type = join_types(c, &type, &inputs[o + 2].type);
            continue;
        }
        if (type.kind == PG_TYPE_TENSOR && type.has_shape) {
            pg_dim *dims = pg_new_dims(c, type.rank + 1);
            for (uint32_t d = 0; d < type.rank; d++)
                dims[d + 1] = type.dims[d];
            pg_set_tensor(c, o, type.elem, type.rank + 1, dims);
        } else {
            pg_set_elem(c, o, type.elem);
        }
    }
    return NULL;
}

static pg_status scan(pg_infer *c)
{
    size_t n_scan = (size_t)pg_int_attr(c, "num_scan_inputs", 0);
    if (c->opset < 9 || n_scan > c->n_in)
        return NULL;
    size_t n_state = c->n_in - n_scan;
    pg_fact *inputs = PG_ARENA_ARRAY(c->arena, pg_fact, c->n_in),
            *outputs = PG_ARENA_ARRAY(c->arena, pg_fact, c->n_out);
    const int64_t *axes = NULL;
    size_t n_axes = 0;
    (void)pg_ints_attr(c, "scan_input_axes", &axes, &n_axes);
    pg_dim length = {0};
    for (size_t i = 0; i < c->n_in; i++) {
        if (pg_in(c, i) == NULL)
            continue;
        const pg_type *type = &pg_in(c, i)->type;
        inputs[i].type = *type;
        if (i < n_state || !type->has_shape || type->rank == 0) {
            if (i >= n_state)
                inputs[i].type = (pg_type){.kind = PG_TYPE_TENSOR, .elem = type->elem};
            continue;
        }
        uint32_t axis, n = 0;
        PG_TRY(pg_norm_axis(c, i - n_state < n_axes ? axes[i - n_state] : 0, type->rank, &axis));
        length = pg_dim_merge(length, type->dims[axis]);
        pg_dim *dims = pg_new_dims(c, type->rank);
        for (uint32_t d = 0; d < type->rank; d++)
            if (d != axis)
                dims[n++] = type->dims[d];
        inputs[i].type =
            (pg_type){.kind = PG_TYPE_TENSOR, .elem = type->elem, .has_shape = true, .rank = n, .dims = dims};
    }
    bool found;
    PG_TRY(pg_infer_subgraph(c, "body", inputs, c->n_in, outputs, c->n_out, &found));
    axes = NULL;
    n_axes = 0;
    (void)pg_ints_attr(c, "scan_output_axes", &axes, &n_axes);
    for (size_t o = 0; o < c->n_out && found; o++) {
        const pg_type *type = &outputs[o].type;
        if (o < n_state || type->kind != PG_TYPE_TENSOR || !type->has_shape) {
            c->out[o].type = o < n_state ? *type : (pg_type){.kind = PG_TYPE_TENSOR, .elem = type->elem};
            continue;
        }
        uint32_t axis;
        PG_TRY(pg_norm_axis(c, o - n_state < n_axes ? axes[o - n_state] : 0, type->rank + 1, &axis));
        pg_dim *dims = pg_new_dims(c, type->rank + 1);
        for (uint32_t d = 0, from = 0; d <= type->rank; d++)
            dims[d] = d == axis ? length : type->dims[from++];
        pg_set_tensor(c, o, type->elem, type->rank + 1, dims);
    }
    return NULL;
}

/* ---- Sequences ---- */

static void set_sequence(pg_infer *c, pg_type element)
{
    pg_type *inner = PG_ARENA_NEW(c->arena, pg_type);
    *inner = element;
    c->out[0].type = (pg_type){.kind = PG_TYPE_SEQUENCE, .inner = inner};
}

static pg_status sequence_construct(pg_infer *c)
{
    pg_type joined = pg_in(c, 0) != NULL ? pg_in(c, 0)->type : (pg_type){0};
    for (size_t i = 1; i < c->n_in && pg_in(c, i) != NULL; i++)
        joined = join_types(c, &joined, &pg_in(c, i)->type);
    set_sequence(c, joined);
    return NULL;
}

static pg_status sequence_empty(pg_infer *c)
{
    set_sequence(c, (pg_type){.kind = PG_TYPE_TENSOR, .elem = (pg_dtype)pg_int_attr(c, "dtype", PG_F32)});
    return NULL;
}

static pg_status sequence_same(pg_infer *c)
{
    if (pg_in(c, 0) != NULL && pg_in(c, 0)->type.kind == PG_TYPE_SEQUENCE && pg_in(c, 0)->type.inner != NULL)
        set_sequence(c, (pg_type){.kind = PG_TYPE_TENSOR, .elem = pg_in(c, 0)->type.inner->elem});
    return NULL;
}

static pg_status sequence_at(pg_infer *c)
{
    if (pg_in(c, 0) != NULL && pg_in(c, 0)->type.kind == PG_TYPE_SEQUENCE && pg_in(c, 0)->type.inner != NULL)
        c->out[0].type = *pg_in(c, 0)->type.inner;
    return NULL;
}

static pg_status sequence_length(pg_infer *c)
{
    pg_set_tensor(c, 0, PG_I64, 0, NULL);
    return NULL;
}

static pg_status concat_from_sequence(pg_infer *c)
{
    if (pg_in(c, 0) != NULL && pg_in(c, 0)->type.inner != NULL)
        pg_set_elem(c, 0, pg_in(c, 0)->type.inner->elem);
    return NULL;
}

static pg_status split_to_sequence(pg_infer *c)
{
    set_sequence(c, (pg_type){.kind = PG_TYPE_TENSOR, .elem = pg_elem(c, 0)});
    return NULL;
}

/* Every output is a sequence of what the body makes; lengths of the elements are not known. */
static pg_status sequence_map(pg_infer *c)
{
    pg_fact *inputs = PG_ARENA_ARRAY(c->arena, pg_fact, c->n_in),
            *outputs = PG_ARENA_ARRAY(c->arena, pg_fact, c->n_out);
    bool found;
    for (size_t i = 0; i < c->n_in; i++) {
        const pg_fact *in = pg_in(c, i);
        if (in != NULL && in->type.kind == PG_TYPE_SEQUENCE && in->type.inner != NULL)
            inputs[i].type = *in->type.inner;
        else if (in != NULL && in->type.kind == PG_TYPE_TENSOR)
            inputs[i].type = in->type;
    }
    PG_TRY(pg_infer_subgraph(c, "body", inputs, c->n_in, outputs, c->n_out, &found));
    for (size_t o = 0; o < c->n_out && found; o++) {
        pg_type *inner = PG_ARENA_NEW(c->arena, pg_type);
        *inner = (pg_type){.kind = PG_TYPE_TENSOR, .elem = outputs[o].type.elem};
        c->out[o].type = (pg_type){.kind = PG_TYPE_SEQUENCE, .inner = inner};
    }
    return NULL;
}

static pg_status optional(pg_infer *c)
{
    pg_type *inner = PG_ARENA_NEW(c->arena, pg_type);
    const pg_attr *type = pg_node_attr(c->node, "type");
    if (pg_in(c, 0) != NULL)
        *inner = pg_in(c, 0)->type;
    else if (type != NULL && type->type == PG_ATTR_TYPE)
        *inner = *type->types;
    c->out[0].type = (pg_type){.kind = PG_TYPE_OPTIONAL, .inner = inner};
    return NULL;
}

static pg_status optional_get(pg_infer *c)
{
    const pg_fact *in = pg_in(c, 0);
    if (in != NULL)
        c->out[0].type =
            in->type.kind == PG_TYPE_OPTIONAL && in->type.inner != NULL ? *in->type.inner : in->type;
    return NULL;
}

static pg_status optional_has(pg_infer *c)
{
    pg_set_tensor(c, 0, PG_BOOL, 0, NULL);
    return NULL;
}

const pg_shape_rule pg_shape_rules_control[] = {
    {"If", if_else},
    {"Loop", loop},
    {"Scan", scan},
    {"SequenceConstruct", sequence_construct},
    {"SequenceEmpty", sequence_empty},
    {"SequenceInsert", sequence_same},
    {"SequenceErase", sequence_same},
    {"SequenceMap", sequence_map},
    {"SequenceAt", sequence_at},
    {"SequenceLength", sequence_length},
    {"ConcatFromSequence", concat_from_sequence},
    {"SplitToSequence", split_to_sequence},
    {"Optional", optional},
    {"OptionalGetElement", optional_get},
    {"OptionalHasElement", optional_has},
    {0},
};

#include "delta/internal.h"

#include <stdlib.h>

/* ---- Sides ---- */

static void add_types(pg_map *types, const pg_value_info *infos, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!pg_map_has(types, infos[i].name))
            pg_map_put(types, infos[i].name, (void *)&infos[i]);
}

static const pg_str *names_of(const pg_value_info *infos, size_t count, pg_arena *arena)
{
    pg_str *names = PG_ARENA_ARRAY(arena, pg_str, count + 1);
    for (size_t i = 0; i < count; i++)
        names[i] = infos[i].name;
    return names;
}

static void add_makers(pg_side *side)
{
    for (size_t i = 0; i < side->n_nodes; i++)
        for (size_t k = 0; k < side->nodes[i].n_outputs; k++)
            if (side->nodes[i].outputs[k].len > 0)
                pg_map_put(&side->makers, side->nodes[i].outputs[k], (void *)&side->nodes[i]);
}

void pg_side_of_graph(const pg_model *model, const pg_graph *graph, pg_arena *arena, pg_side *out)
{
    *out = (pg_side){.model = model,
                     .graph = graph,
                     .nodes = graph->nodes,
                     .n_nodes = graph->n_nodes,
                     .n_inputs = graph->n_inputs,
                     .n_outputs = graph->n_outputs,
                     .inputs = names_of(graph->inputs, graph->n_inputs, arena),
                     .outputs = names_of(graph->outputs, graph->n_outputs, arena)};
    add_types(&out->types, graph->inputs, graph->n_inputs);
    add_types(&out->types, graph->outputs, graph->n_outputs);
    add_types(&out->types, graph->value_infos, graph->n_value_infos);
    for (size_t i = 0; i < graph->n_weights; i++)
        pg_map_put(&out->weights, graph->weights[i].name, (void *)&graph->weights[i]);
    add_makers(out);
}

void pg_side_of_function(const pg_model *model, const pg_function *function, pg_arena *arena, pg_side *out)
{
    (void)arena;
    *out = (pg_side){.model = model,
                     .nodes = function->nodes,
                     .n_nodes = function->n_nodes,
                     .n_inputs = function->n_inputs,
                     .n_outputs = function->n_outputs,
                     .inputs = function->inputs,
                     .outputs = function->outputs};
    add_types(&out->types, function->value_infos, function->n_value_infos);
    add_makers(out);
}

void pg_side_deinit(pg_side *side)
{
    pg_map_deinit(&side->makers);
    pg_map_deinit(&side->weights);
    pg_map_deinit(&side->types);
    pg_map_deinit(&side->hashes);
}

/* ---- Pairs ---- */

typedef struct matcher {
    pg_matching *m;
    pg_arena *arena;
    size_t n_new;
    pg_map exact, loose; /* what nodes of b read -> chain */
} matcher;

typedef struct chain {
    PG_VEC(size_t) nodes;
} chain;

const pg_str *pg_matched(const pg_matching *matching, pg_str name)
{
    for (; matching != NULL; matching = matching->outer) {
        const pg_str *found = pg_map_find(&matching->tensors, name);
        if (found != NULL)
            return found;
    }
    return NULL;
}

static bool same_op(const pg_node *a, const pg_node *b)
{
    return pg_str_eq(a->op_type, b->op_type) && pg_str_eq(a->domain, b->domain);
}

static void pair_in(matcher *work, pg_matching *m, pg_str a, pg_str b)
{
    if (a.len == 0 || b.len == 0 || pg_map_has(&m->tensors, a) || pg_map_has(&m->back, b))
        return;
    pg_str *names = PG_ARENA_ARRAY(work->arena, pg_str, 2);
    names[0] = b;
    names[1] = a;
    pg_map_put(&m->tensors, a, &names[0]);
    pg_map_put(&m->back, b, &names[1]);
    work->n_new++;
}

static void pair_tensors(matcher *work, pg_str a, pg_str b)
{
    pair_in(work, work->m, a, b);
}

/* Weights that two nodes read alike, in the graph that has them. */
static void pair_weights(matcher *work, pg_str a, pg_str b)
{
    for (pg_matching *m = work->m; m != NULL; m = m->outer)
        if (pg_map_has(&m->a->weights, a) && pg_map_has(&m->b->weights, b))
            pair_in(work, m, a, b);
}

static void pair_nodes(matcher *work, size_t i, size_t j)
{
    pg_matching *m = work->m;
    const pg_node *a = &m->a->nodes[i], *b = &m->b->nodes[j];
    m->to_b[i] = j;
    m->to_a[j] = i;
    work->n_new++;
    for (size_t k = 0; k < a->n_outputs && k < b->n_outputs; k++)
        pair_tensors(work, a->outputs[k], b->outputs[k]);
    for (size_t k = 0; k < a->n_inputs && k < b->n_inputs; k++)
        pair_weights(work, a->inputs[k], b->inputs[k]);
}

static bool is_free(const matcher *work, size_t i, size_t j)
{
    return work->m->to_b[i] == SIZE_MAX && work->m->to_a[j] == SIZE_MAX;
}

/* ---- By name ---- */

static void pair_equal_names(matcher *work, const pg_str *a, size_t n_a, const pg_str *b, size_t n_b)
{
    pg_map names = {0};
    for (size_t i = 0; i < n_b; i++)
        pg_map_put(&names, b[i], NULL);
    for (size_t i = 0; i < n_a; i++)
        if (pg_map_has(&names, a[i]))
            pair_tensors(work, a[i], a[i]);
    pg_map_deinit(&names);
}

/* What is left, by position. */
static void pair_by_place(matcher *work, const pg_str *a, size_t n_a, const pg_str *b, size_t n_b)
{
    size_t j = 0;
    for (size_t i = 0; i < n_a; i++) {
        if (pg_map_has(&work->m->tensors, a[i]))
            continue;
        while (j < n_b && pg_map_has(&work->m->back, b[j]))
            j++;
        if (j < n_b)
            pair_tensors(work, a[i], b[j]);
    }
}

/* Unique names -> index + 1; a name given twice -> 0. */
static void index_names(const pg_side *side, pg_map *out)
{
    for (size_t i = 0; i < side->n_nodes; i++) {
        pg_str name = side->nodes[i].name;
        if (name.len > 0)
            pg_map_put(out, name, (void *)(uintptr_t)(pg_map_has(out, name) ? 0 : i + 1));
    }
}

static void pair_named_nodes(matcher *work, bool any_op)
{
    pg_map a = {0}, b = {0};
    index_names(work->m->a, &a);
    index_names(work->m->b, &b);
    for (size_t i = 0; i < work->m->a->n_nodes; i++) {
        const pg_node *node = &work->m->a->nodes[i];
        size_t j = (size_t)(uintptr_t)pg_map_find(&b, node->name);
        if (node->name.len > 0 && pg_map_find(&a, node->name) != NULL && j > 0 && is_free(work, i, j - 1) &&
            (any_op || same_op(node, &work->m->b->nodes[j - 1])))
            pair_nodes(work, i, j - 1);
    }
    pg_map_deinit(&a);
    pg_map_deinit(&b);
}

/* ---- By structure ---- */

/* Initializers and what nodes without inputs make. */
static bool is_constant(const pg_side *side, pg_str name)
{
    for (; side != NULL; side = side->outer) {
        const pg_node *maker = pg_map_find(&side->makers, name);
        if (maker != NULL)
            return maker->n_inputs == 0;
        if (pg_map_has(&side->weights, name))
            return true;
    }
    return false;
}

/* What a node is and reads. Tensors stand as the second graph's hashes; constants as their own, and in the
 * loose form they and the attributes are all alike. False when a tensor has no partner yet, or nothing but
 * constants is read. */
static bool node_key(const matcher *work, pg_side *side, const pg_node *node, bool loose, pg_buf *out)
{
    bool reads = false;
    pg_buf_printf(out, "%" PG_STR_FMT "|%" PG_STR_FMT, PG_STR_ARG(node->op_type), PG_STR_ARG(node->domain));
    if (!loose)
        pg_buf_printf(out, "|%llx", (unsigned long long)pg_node_hash(side, node));
    for (size_t i = 0; i < node->n_inputs; i++) {
        pg_str name = node->inputs[i];
        pg_buf_putc(out, '|');
        if (name.len == 0)
            continue;
        if (is_constant(side, name)) {
            if (loose)
                pg_buf_putc(out, '#');
            else
                pg_buf_printf(out, "%llx", (unsigned long long)pg_side_hash(side, name));
            continue;
        }
        if (side == work->m->a) {
            const pg_str *other = pg_matched(work->m, name);
            if (other == NULL)
                return false;
            name = *other;
        }
        pg_buf_printf(out, "%llx", (unsigned long long)pg_side_hash(work->m->b, name));
        reads = true;
    }
    return reads;
}

static void index_reads(matcher *work, bool loose, pg_map *out)
{
    for (size_t j = 0; j < work->m->b->n_nodes; j++) {
        pg_buf key = {0};
        if (node_key(work, work->m->b, &work->m->b->nodes[j], loose, &key)) {
            chain *list = pg_map_find(out, pg_buf_str(&key));
            if (list == NULL) {
                list = PG_ARENA_NEW(work->arena, chain);
                pg_map_put(out, pg_arena_str(work->arena, pg_buf_str(&key)), list);
            }
            PG_VEC_PUSH(&list->nodes, j);
        }
        pg_buf_deinit(&key);
    }
}

static void free_index(pg_map *index)
{
    for (size_t i = 0; i < index->len; i++)
        PG_VEC_FREE(&((chain *)index->entries[i].value)->nodes);
    pg_map_deinit(index);
}

/* Nodes whose partners read the same. */
static void pair_forward(matcher *work, bool loose)
{
    for (size_t i = 0; i < work->m->a->n_nodes; i++) {
        pg_buf key = {0};
        chain *list = NULL;
        if (work->m->to_b[i] == SIZE_MAX && node_key(work, work->m->a, &work->m->a->nodes[i], loose, &key))
            list = pg_map_find(loose ? &work->loose : &work->exact, pg_buf_str(&key));
        for (size_t k = 0; list != NULL && k < list->nodes.len; k++)
            if (is_free(work, i, list->nodes.items[k])) {
                pair_nodes(work, i, list->nodes.items[k]);
                break;
            }
        pg_buf_deinit(&key);
    }
}

static const chain *chain_of(const pg_map *index, uint64_t hash)
{
    return pg_map_find(index, (pg_str){(const char *)&hash, sizeof hash});
}

static void add_to_chain(matcher *work, pg_map *index, uint64_t hash, size_t item)
{
    pg_str key = {(const char *)&hash, sizeof hash};
    chain *list = pg_map_find(index, key);
    if (list == NULL) {
        list = PG_ARENA_NEW(work->arena, chain);
        pg_map_put(index, pg_arena_str(work->arena, key), list);
    }
    PG_VEC_PUSH(&list->nodes, item);
}

static pg_str first_output(const pg_node *node)
{
    for (size_t i = 0; i < node->n_outputs; i++)
        if (node->outputs[i].len > 0)
            return node->outputs[i];
    return PG_STR_EMPTY;
}

/* Nodes that are the same computation down to the inputs. */
static void pair_equal_nodes(matcher *work)
{
    pg_side *a = work->m->a, *b = work->m->b;
    pg_map index = {0};
    for (size_t j = 0; j < b->n_nodes; j++)
        if (work->m->to_a[j] == SIZE_MAX && first_output(&b->nodes[j]).len > 0)
            add_to_chain(work, &index, pg_side_hash(b, first_output(&b->nodes[j])), j);
    for (size_t i = 0; i < a->n_nodes && index.len > 0; i++) {
        if (work->m->to_b[i] != SIZE_MAX || first_output(&a->nodes[i]).len == 0)
            continue;
        const chain *list = chain_of(&index, pg_side_hash(a, first_output(&a->nodes[i])));
        for (size_t k = 0; list != NULL && k < list->nodes.len; k++)
            if (is_free(work, i, list->nodes.items[k])) {
                pair_nodes(work, i, list->nodes.items[k]);
                break;
            }
    }
    free_index(&index);
}

/* Weights that no pair of nodes reads alike, by their elements. */
static void pair_equal_weights(matcher *work)
{
    pg_side *a = work->m->a, *b = work->m->b;
    pg_map index = {0};
    for (size_t j = 0; j < b->weights.len; j++)
        if (!pg_map_has(&work->m->back, b->weights.entries[j].key))
            add_to_chain(work, &index, pg_side_hash(b, b->weights.entries[j].key), j);
    for (size_t i = 0; i < a->weights.len && index.len > 0; i++) {
        pg_str name = a->weights.entries[i].key;
        const chain *list =
            pg_map_has(&work->m->tensors, name) ? NULL : chain_of(&index, pg_side_hash(a, name));
        for (size_t k = 0; list != NULL && k < list->nodes.len; k++)
            pair_tensors(work, name, b->weights.entries[list->nodes.items[k]].key);
    }
    free_index(&index);
}

static size_t output_place(const pg_node *node, pg_str name)
{
    for (size_t i = 0; i < node->n_outputs; i++)
        if (pg_str_eq(node->outputs[i], name))
            return i;
    return SIZE_MAX;
}

/* The nodes that make two tensors which are used alike. */
static void pair_makers(matcher *work, pg_str a, pg_str b)
{
    const pg_node *left = pg_map_find(&work->m->a->makers, a), *right = pg_map_find(&work->m->b->makers, b);
    if (left == NULL || right == NULL || !same_op(left, right) ||
        output_place(left, a) != output_place(right, b))
        return;
    size_t i = (size_t)(left - work->m->a->nodes), j = (size_t)(right - work->m->b->nodes);
    if (is_free(work, i, j))
        pair_nodes(work, i, j);
}

static void pair_backward(matcher *work)
{
    const pg_side *a = work->m->a, *b = work->m->b;
    for (size_t i = 0; i < a->n_outputs; i++) {
        const pg_str *other = pg_map_find(&work->m->tensors, a->outputs[i]);
        if (other != NULL)
            pair_makers(work, a->outputs[i], *other);
    }
    for (size_t i = a->n_nodes; i-- > 0;) {
        if (work->m->to_b[i] == SIZE_MAX)
            continue;
        const pg_node *left = &a->nodes[i], *right = &b->nodes[work->m->to_b[i]];
        for (size_t k = 0; k < left->n_inputs && k < right->n_inputs; k++)
            if (left->inputs[k].len > 0)
                pair_makers(work, left->inputs[k], right->inputs[k]);
    }
}

/* Nodes of any operator that make a tensor of one name. */
static void pair_same_products(matcher *work)
{
    const pg_side *a = work->m->a, *b = work->m->b;
    for (size_t i = 0; i < a->n_nodes; i++) {
        pg_str name = a->nodes[i].n_outputs > 0 ? a->nodes[i].outputs[0] : PG_STR_EMPTY;
        const pg_node *other = pg_map_find(&b->makers, name);
        if (other != NULL && output_place(other, name) == 0 && is_free(work, i, (size_t)(other - b->nodes)))
            pair_nodes(work, i, (size_t)(other - b->nodes));
    }
}

static bool is_complete(const pg_matching *m)
{
    for (size_t i = 0; i < m->a->n_nodes; i++)
        if (m->to_b[i] == SIZE_MAX)
            return false;
    for (size_t i = 0; i < m->b->n_nodes; i++)
        if (m->to_a[i] == SIZE_MAX)
            return false;
    return true;
}

/* Partners among the inputs get one number. */
static void number_inputs(const pg_matching *m, pg_arena *arena)
{
    size_t *left = PG_ARENA_ARRAY(arena, size_t, m->a->n_inputs + 1);
    size_t *right = PG_ARENA_ARRAY(arena, size_t, m->b->n_inputs + 1);
    pg_map places = {0};
    for (size_t i = 0; i < m->a->n_inputs; i++) {
        left[i] = i;
        pg_map_put(&places, m->a->inputs[i], (void *)(uintptr_t)i);
    }
    for (size_t i = 0; i < m->b->n_inputs; i++) {
        const pg_str *partner = pg_map_find(&m->back, m->b->inputs[i]);
        right[i] = partner != NULL && pg_map_has(&places, *partner)
                       ? (size_t)(uintptr_t)pg_map_find(&places, *partner)
                       : m->a->n_inputs + i;
    }
    pg_map_deinit(&places);
    m->a->input_ids = left;
    m->b->input_ids = right;
}

static void match_names(matcher *work)
{
    const pg_side *a = work->m->a, *b = work->m->b;
    pair_equal_names(work, a->inputs, a->n_inputs, b->inputs, b->n_inputs);
    pair_by_place(work, a->inputs, a->n_inputs, b->inputs, b->n_inputs);
    number_inputs(work->m, work->arena);
    for (size_t i = 0; i < a->weights.len; i++)
        if (pg_map_has(&b->weights, a->weights.entries[i].key))
            pair_tensors(work, a->weights.entries[i].key, a->weights.entries[i].key);
    pair_equal_names(work, a->outputs, a->n_outputs, b->outputs, b->n_outputs);
    pair_named_nodes(work, false);
}

/* From what is surer to what is less sure; each step only as long as those before it find nothing new. */
static void match_structure(matcher *work)
{
    const pg_side *a = work->m->a, *b = work->m->b;
    pair_equal_nodes(work);
    index_reads(work, false, &work->exact);
    index_reads(work, true, &work->loose);
    do {
        work->n_new = 0;
        pair_forward(work, false);
        if (work->n_new == 0)
            pair_forward(work, true);
        if (work->n_new == 0)
            pair_backward(work);
        if (work->n_new == 0)
            pair_by_place(work, a->outputs, a->n_outputs, b->outputs, b->n_outputs);
        if (work->n_new == 0)
            pair_named_nodes(work, true);
        if (work->n_new == 0)
            pair_same_products(work);
    } while (work->n_new > 0);
    free_index(&work->exact);
    free_index(&work->loose);
}

void pg_match(pg_matching *outer, pg_side *a, pg_side *b, pg_arena *arena, pg_matching *out)
{
    *out = (pg_matching){.outer = outer,
                         .a = a,
                         .b = b,
                         .to_b = PG_ARENA_ARRAY(arena, size_t, a->n_nodes + 1),
                         .to_a = PG_ARENA_ARRAY(arena, size_t, b->n_nodes + 1)};
    matcher work = {.m = out, .arena = arena};
    for (size_t i = 0; i < a->n_nodes; i++)
        out->to_b[i] = SIZE_MAX;
    for (size_t i = 0; i < b->n_nodes; i++)
        out->to_a[i] = SIZE_MAX;
    match_names(&work);
    if (!is_complete(out))
        match_structure(&work);
    else
        pair_by_place(&work, a->outputs, a->n_outputs, b->outputs, b->n_outputs);
    pair_equal_weights(&work);
}

void pg_matching_deinit(pg_matching *matching)
{
    pg_map_deinit(&matching->tensors);
    pg_map_deinit(&matching->back);
}

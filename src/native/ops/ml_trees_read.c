/* Reading the attributes of tree ensembles and checking them (ml_trees.h). */
#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "native/ops/ml_trees.h"

enum { MOST_NODES = INT32_MAX / 2 };

/* ---- Checks for all versions ---- */

enum { UNSEEN, OPEN, CLOSED };

/* Depth first from one root with a stack of its own: a node that is met while it is open closes a circle. */
static pg_status check_tree(const pg_op *op, const forest *f, uint32_t root, uint8_t *seen, uint32_t *stack)
{
    size_t depth = 0;
    stack[depth++] = root;
    while (depth > 0) {
        const uint32_t at = stack[depth - 1];
        const tree_node *node = &f->nodes[at];
        if (seen[at] != UNSEEN || node->mode == BRANCH_LEAF) {
            seen[at] = CLOSED;
            depth--;
            continue;
        }
        seen[at] = OPEN;
        const uint32_t children[2] = {node->yes, node->no};
        for (size_t i = 0; i < 2; i++) {
            if (seen[children[i]] == OPEN)
                return pg_op_err(op, PG_ERR_INVALID, "the tree of node %u runs in a circle at node %u", root,
                                 children[i]);
            if (seen[children[i]] == UNSEEN)
                stack[depth++] = children[i];
        }
    }
    return NULL;
}

/* Children are in range already. An open node waits below its children on the stack, so each node is pushed
 * at most twice. */
static pg_status check_forest(const pg_op *op, forest *f)
{
    uint8_t *seen = pg_calloc(f->n_nodes + 1, 1);
    uint32_t *stack = pg_calloc(2 * f->n_nodes + 2, sizeof *stack);
    pg_status status = NULL;
    for (size_t i = 0; i < f->n_roots && status == NULL; i++)
        status = check_tree(op, f, f->roots[i], seen, stack);
    free(seen);
    free(stack);
    for (size_t i = 0; i < f->n_nodes; i++)
        if (f->nodes[i].mode != BRANCH_LEAF)
            f->features = PG_MAX(f->features, (size_t)f->nodes[i].feature + 1);
    return status;
}

static pg_status need_ints(const pg_op *op, const char *name, size_t want, const int64_t **out)
{
    size_t count;
    PG_TRY(pg_op_attr_is(op, name, out, &count));
    if (count != want)
        return pg_op_err(op, PG_ERR_INVALID, "'%s' has %zu entries, expected %zu", name, count, want);
    return NULL;
}

/* As need_ints, but NULL when the attribute is missing or empty. */
static pg_status optional_ints(const pg_op *op, const char *name, size_t want, const int64_t **out)
{
    size_t count;
    PG_TRY(pg_op_attr_is(op, name, out, &count));
    if (count == 0)
        *out = NULL;
    else if (count != want)
        return pg_op_err(op, PG_ERR_INVALID, "'%s' has %zu entries, expected %zu", name, count, want);
    return NULL;
}

static pg_status in_range(const pg_op *op, const char *name, int64_t value, int64_t limit)
{
    if (value >= 0 && value < limit)
        return NULL;
    return pg_op_err(op, PG_ERR_INVALID, "'%s' has an entry %lld outside [0, %lld)", name, (long long)value,
                     (long long)limit);
}

/* ---- Lists: TreeEnsembleRegressor and TreeEnsembleClassifier ---- */

/* Nodes are named by tree and id. */
typedef struct node_name {
    int64_t tree, id;
    uint32_t index;
} node_name;

static int compare_names(const void *a, const void *b)
{
    const node_name *x = a, *y = b;
    if (x->tree != y->tree)
        return x->tree < y->tree ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

typedef struct list_reader {
    const pg_op *op;
    forest *f;
    node_name *names; /* sorted */
    const int64_t *trees, *ids;
} list_reader;

static pg_status find_node(const list_reader *r, int64_t tree, int64_t id, uint32_t *out)
{
    const node_name want = {tree, id, 0};
    const node_name *found = bsearch(&want, r->names, r->f->n_nodes, sizeof want, compare_names);
    if (found == NULL)
        return pg_op_err(r->op, PG_ERR_INVALID, "tree %lld has no node %lld", (long long)tree, (long long)id);
    *out = found->index;
    return NULL;
}

static pg_status sort_names(list_reader *r)
{
    const size_t n = r->f->n_nodes;
    r->names = PG_ARENA_ARRAY(&r->f->arena, node_name, n + 1);
    for (size_t i = 0; i < n; i++)
        r->names[i] = (node_name){r->trees[i], r->ids[i], (uint32_t)i};
    qsort(r->names, n, sizeof *r->names, compare_names);
    for (size_t i = 1; i < n; i++)
        if (compare_names(&r->names[i - 1], &r->names[i]) == 0)
            return pg_op_err(r->op, PG_ERR_INVALID, "tree %lld has two nodes %lld",
                             (long long)r->names[i].tree, (long long)r->names[i].id);
    return NULL;
}

static pg_status read_modes(const pg_op *op, forest *f)
{
    static const char *const names[] = {"BRANCH_LEQ", "BRANCH_LT",  "BRANCH_GTE",    "BRANCH_GT",
                                        "BRANCH_EQ",  "BRANCH_NEQ", "BRANCH_MEMBER", "LEAF"};
    pg_tensor modes;
    PG_TRY(ml_attr_list(op, "nodes_modes", PG_ATTR_STRINGS, &modes));
    if (modes.dtype == PG_UNDEFINED || (uint64_t)modes.dims[0] != f->n_nodes)
        return pg_op_err(op, PG_ERR_INVALID, "'nodes_modes' must have %zu entries", f->n_nodes);
    for (size_t i = 0; i < f->n_nodes; i++) {
        pg_str name = ((const pg_str *)modes.data)[i];
        size_t mode = 0;
        while (mode < PG_COUNT(names) && !pg_str_is(name, names[mode]))
            mode++;
        if (mode == PG_COUNT(names) || mode == BRANCH_MEMBER)
            return pg_op_err(op, PG_ERR_INVALID, "node mode '%" PG_STR_FMT "' is not known",
                             PG_STR_ARG(name));
        f->nodes[i].mode = (uint8_t)mode;
    }
    return NULL;
}

static pg_status read_list_nodes(list_reader *r)
{
    const pg_op *op = r->op;
    forest *f = r->f;
    const int64_t *features, *yes, *no, *nan_is_yes;
    const double *values;
    size_t n_values;
    PG_TRY(need_ints(op, "nodes_featureids", f->n_nodes, &features));
    PG_TRY(need_ints(op, "nodes_truenodeids", f->n_nodes, &yes));
    PG_TRY(need_ints(op, "nodes_falsenodeids", f->n_nodes, &no));
    PG_TRY(optional_ints(op, "nodes_missing_value_tracks_true", f->n_nodes, &nan_is_yes));
    PG_TRY(ml_attr_numbers(op, "nodes_values", &f->arena, &values, &n_values));
    PG_TRY(read_modes(op, f));
    if (n_values != f->n_nodes)
        return pg_op_err(op, PG_ERR_INVALID, "'nodes_values' has %zu entries, expected %zu", n_values,
                         f->n_nodes);
    for (size_t i = 0; i < f->n_nodes; i++) {
        tree_node *node = &f->nodes[i];
        node->value = values[i];
        node->nan_is_yes = nan_is_yes != NULL && nan_is_yes[i] != 0;
        if (node->mode == BRANCH_LEAF)
            continue;
        PG_TRY(in_range(op, "nodes_featureids", features[i], INT32_MAX));
        node->feature = (uint32_t)features[i];
        PG_TRY(find_node(r, r->trees[i], yes[i], &node->yes));
        PG_TRY(find_node(r, r->trees[i], no[i], &node->no));
    }
    return NULL;
}

/* The first node of each tree that is nobody's child. */
static pg_status find_roots(list_reader *r)
{
    forest *f = r->f;
    uint8_t *is_child = PG_ARENA_ARRAY(&f->arena, uint8_t, f->n_nodes + 1);
    f->roots = PG_ARENA_ARRAY(&f->arena, uint32_t, f->n_nodes + 1);
    for (size_t i = 0; i < f->n_nodes; i++)
        if (f->nodes[i].mode != BRANCH_LEAF)
            is_child[f->nodes[i].yes] = is_child[f->nodes[i].no] = 1;
    for (size_t i = 0; i < f->n_nodes;) {
        const int64_t tree = r->names[i].tree;
        uint32_t root = UINT32_MAX;
        for (; i < f->n_nodes && r->names[i].tree == tree; i++)
            if (is_child[r->names[i].index] == 0)
                root = PG_MIN(root, r->names[i].index);
        if (root == UINT32_MAX)
            return pg_op_err(r->op, PG_ERR_INVALID, "tree %lld has no root: its nodes run in a circle",
                             (long long)tree);
        f->roots[f->n_roots++] = root;
    }
    return NULL;
}

/* Votes in the order of their leaves, by counting. */
static pg_status read_votes(list_reader *r, const char *kind)
{
    const pg_op *op = r->op;
    forest *f = r->f;
    char name[32];
    const int64_t *trees, *ids, *targets;
    const double *weights;
    size_t n;
    snprintf(name, sizeof name, "%s_treeids", kind);
    PG_TRY(pg_op_attr_is(op, name, &trees, &n));
    snprintf(name, sizeof name, "%s_nodeids", kind);
    PG_TRY(need_ints(op, name, n, &ids));
    snprintf(name, sizeof name, "%s_ids", kind);
    PG_TRY(need_ints(op, name, n, &targets));
    for (size_t i = 0; i < n; i++)
        PG_TRY(in_range(op, name, targets[i], (int64_t)f->targets));
    snprintf(name, sizeof name, "%s_weights", kind);
    PG_TRY(ml_attr_numbers(op, name, &f->arena, &weights, &f->n_votes));
    if (f->n_votes != n)
        return pg_op_err(op, PG_ERR_INVALID, "'%s' has %zu entries, expected %zu", name, f->n_votes, n);
    uint32_t *leaves = PG_ARENA_ARRAY(&f->arena, uint32_t, n + 1);
    f->votes = PG_ARENA_ARRAY(&f->arena, tree_vote, n + 1);
    for (size_t i = 0; i < n; i++) {
        PG_TRY(find_node(r, trees[i], ids[i], &leaves[i]));
        f->nodes[leaves[i]].n++;
    }
    uint32_t first = 0;
    for (size_t i = 0; i < f->n_nodes; i++) {
        f->nodes[i].first = first;
        first += f->nodes[i].n;
        f->nodes[i].n = 0;
    }
    for (size_t i = 0; i < n; i++) {
        tree_node *leaf = &f->nodes[leaves[i]];
        f->votes[leaf->first + leaf->n++] = (tree_vote){(uint32_t)targets[i], weights[i]};
    }
    return NULL;
}

pg_status forest_read_lists(const pg_op *op, const char *kind, forest *f)
{
    static const char *const aggregates[] = {"AVERAGE", "SUM", "MIN", "MAX"};
    list_reader r = {.op = op, .f = f};
    size_t aggregate;
    PG_TRY(ml_attr_choice(op, "aggregate_function", "SUM", aggregates, PG_COUNT(aggregates), &aggregate));
    f->aggregate = (tree_aggregate)aggregate;
    PG_TRY(ml_attr_transform(op, &f->transform));
    PG_TRY(pg_op_attr_is(op, "nodes_treeids", &r.trees, &f->n_nodes));
    PG_TRY(need_ints(op, "nodes_nodeids", f->n_nodes, &r.ids));
    if (f->n_nodes > MOST_NODES || f->targets > INT32_MAX)
        return pg_op_err(op, PG_ERR_LIMIT, "too many nodes or targets");
    f->nodes = PG_ARENA_ARRAY(&f->arena, tree_node, f->n_nodes + 1);
    PG_TRY(sort_names(&r));
    PG_TRY(read_list_nodes(&r));
    PG_TRY(find_roots(&r));
    PG_TRY(read_votes(&r, kind));
    PG_TRY(ml_attr_numbers(op, "base_values", &f->arena, &f->base, &f->n_base));
    return check_forest(op, f);
}

/* ---- Tensors: TreeEnsemble ---- */

/* Inner nodes come first, then the leaves: leaf k is node n_inner + k. */
typedef struct tensor_reader {
    const pg_op *op;
    forest *f;
    size_t n_inner, n_leaves;
} tensor_reader;

static pg_status child_of(const tensor_reader *r, const char *name, int64_t id, int64_t is_leaf,
                          uint32_t *out)
{
    PG_TRY(in_range(r->op, name, id, (int64_t)(is_leaf != 0 ? r->n_leaves : r->n_inner)));
    *out = (uint32_t)((is_leaf != 0 ? r->n_inner : 0) + (size_t)id);
    return NULL;
}

/* The sets of members follow each other, each ended by a NaN (the last one may lack it). */
static pg_status read_members(const tensor_reader *r)
{
    forest *f = r->f;
    const double *members;
    size_t at = 0;
    PG_TRY(ml_attr_numbers(r->op, "membership_values", &f->arena, &members, &f->n_members));
    f->members = (double *)members;
    for (size_t i = 0; i < r->n_inner; i++) {
        tree_node *node = &f->nodes[i];
        if (node->mode != BRANCH_MEMBER)
            continue;
        if (at >= f->n_members)
            return pg_op_err(r->op, PG_ERR_INVALID, "'membership_values' has too few sets");
        node->first = (uint32_t)at;
        while (at < f->n_members && !isnan(members[at]))
            at++;
        node->n = (uint32_t)(at - node->first);
        at++;
    }
    return NULL;
}

static pg_status read_tensor_nodes(const tensor_reader *r, const int64_t *features)
{
    const pg_op *op = r->op;
    forest *f = r->f;
    const size_t n = r->n_inner;
    const int64_t *yes, *no, *yes_leaf, *no_leaf, *nan_is_yes;
    const double *splits, *modes;
    size_t n_splits, n_modes;
    PG_TRY(need_ints(op, "nodes_truenodeids", n, &yes));
    PG_TRY(need_ints(op, "nodes_falsenodeids", n, &no));
    PG_TRY(need_ints(op, "nodes_trueleafs", n, &yes_leaf));
    PG_TRY(need_ints(op, "nodes_falseleafs", n, &no_leaf));
    PG_TRY(optional_ints(op, "nodes_missing_value_tracks_true", n, &nan_is_yes));
    PG_TRY(ml_attr_numbers(op, "nodes_splits", &f->arena, &splits, &n_splits));
    PG_TRY(ml_attr_numbers(op, "nodes_modes", &f->arena, &modes, &n_modes));
    if (n_splits != n || n_modes != n)
        return pg_op_err(op, PG_ERR_INVALID, "there are %zu splits and %zu modes for %zu nodes", n_splits,
                         n_modes, n);
    for (size_t i = 0; i < n; i++) {
        tree_node *node = &f->nodes[i];
        PG_TRY(in_range(op, "nodes_modes", (int64_t)modes[i], BRANCH_LEAF));
        PG_TRY(in_range(op, "nodes_featureids", features[i], INT32_MAX));
        *node = (tree_node){.value = splits[i],
                            .feature = (uint32_t)features[i],
                            .mode = (uint8_t)modes[i],
                            .nan_is_yes = nan_is_yes != NULL && nan_is_yes[i] != 0};
        PG_TRY(child_of(r, "nodes_truenodeids", yes[i], yes_leaf[i], &node->yes));
        PG_TRY(child_of(r, "nodes_falsenodeids", no[i], no_leaf[i], &node->no));
    }
    return read_members(r);
}

static pg_status read_leaves(const tensor_reader *r, const int64_t *targets, const double *weights)
{
    forest *f = r->f;
    f->votes = PG_ARENA_ARRAY(&f->arena, tree_vote, r->n_leaves + 1);
    f->n_votes = r->n_leaves;
    for (size_t i = 0; i < r->n_leaves; i++) {
        PG_TRY(in_range(r->op, "leaf_targetids", targets[i], (int64_t)f->targets));
        f->votes[i] = (tree_vote){(uint32_t)targets[i], weights[i]};
        f->nodes[r->n_inner + i] = (tree_node){.mode = BRANCH_LEAF, .first = (uint32_t)i, .n = 1};
    }
    return NULL;
}

static pg_status read_tensor_options(const pg_op *op, forest *f)
{
    int64_t aggregate, transform, targets;
    PG_TRY(pg_op_attr_i(op, "aggregate_function", TREES_SUM, &aggregate));
    PG_TRY(pg_op_attr_i(op, "post_transform", ML_NONE, &transform));
    PG_TRY(pg_op_attr_i(op, "n_targets", 1, &targets));
    PG_TRY(in_range(op, "aggregate_function", aggregate, TREES_MAX + 1));
    PG_TRY(in_range(op, "post_transform", transform, ML_PROBIT + 1));
    PG_TRY(in_range(op, "n_targets", targets, ML_MOST_COLUMNS));
    f->aggregate = (tree_aggregate)aggregate;
    f->transform = (ml_transform)transform;
    f->targets = (size_t)targets;
    return NULL;
}

pg_status forest_read_tensors(const pg_op *op, forest *f)
{
    tensor_reader r = {.op = op, .f = f};
    const int64_t *features, *targets, *roots;
    const double *weights;
    size_t n_targets;
    PG_TRY(read_tensor_options(op, f));
    PG_TRY(pg_op_attr_is(op, "nodes_featureids", &features, &r.n_inner));
    PG_TRY(pg_op_attr_is(op, "leaf_targetids", &targets, &n_targets));
    PG_TRY(ml_attr_numbers(op, "leaf_weights", &f->arena, &weights, &r.n_leaves));
    PG_TRY(pg_op_attr_is(op, "tree_roots", &roots, &f->n_roots));
    if (n_targets != r.n_leaves)
        return pg_op_err(op, PG_ERR_INVALID, "there are %zu leaves with weights and %zu with targets",
                         r.n_leaves, n_targets);
    f->n_nodes = r.n_inner + r.n_leaves;
    if (f->n_nodes > MOST_NODES)
        return pg_op_err(op, PG_ERR_LIMIT, "too many nodes");
    f->nodes = PG_ARENA_ARRAY(&f->arena, tree_node, f->n_nodes + 1);
    f->roots = PG_ARENA_ARRAY(&f->arena, uint32_t, f->n_roots + 1);
    for (size_t i = 0; i < f->n_roots; i++) {
        PG_TRY(in_range(op, "tree_roots", roots[i], (int64_t)r.n_inner));
        f->roots[i] = (uint32_t)roots[i];
    }
    PG_TRY(read_tensor_nodes(&r, features));
    PG_TRY(read_leaves(&r, targets, weights));
    return check_forest(op, f);
}

/* Decision trees in one checked form, whatever version of the standard stated them (ml_trees_read.c reads the
 * attributes, ml_trees.c evaluates).
 *
 * Checked means: every index is in range and no path runs in a circle, so a walk from a root ends. */
#ifndef PG_NATIVE_OPS_ML_TREES_H
#define PG_NATIVE_OPS_ML_TREES_H

#include "native/ops/ml.h"

typedef enum branch_mode {
    BRANCH_LEQ,
    BRANCH_LT,
    BRANCH_GTE,
    BRANCH_GT,
    BRANCH_EQ,
    BRANCH_NEQ,
    BRANCH_MEMBER,
    BRANCH_LEAF,
} branch_mode;

/* An inner node compares feature `feature` with `value`. A member node looks for it in members[first ..
 * first + n). A leaf has the votes [first, first + n). */
typedef struct tree_node {
    double value;
    uint32_t feature;
    uint32_t yes, no;
    uint32_t first, n;
    uint8_t mode;
    bool nan_is_yes;
} tree_node;

typedef struct tree_vote {
    uint32_t target;
    double weight;
} tree_vote;

typedef enum tree_aggregate { TREES_AVERAGE, TREES_SUM, TREES_MIN, TREES_MAX } tree_aggregate;

typedef struct forest {
    pg_arena arena;
    tree_node *nodes;
    uint32_t *roots;
    tree_vote *votes;
    double *members;
    const double *base; /* per target, or NULL */
    size_t n_nodes, n_roots, n_votes, n_members, n_base;
    size_t targets, features; /* features: one more than the highest that a node reads */
    tree_aggregate aggregate;
    ml_transform transform;
} forest;

/* Attributes of TreeEnsembleRegressor (`kind` "target") and TreeEnsembleClassifier ("class"); `targets` of
 * the caller is the number of targets or classes. */
PG_MUST_USE pg_status forest_read_lists(const pg_op *op, const char *kind, forest *f);
/* Attributes of TreeEnsemble. */
PG_MUST_USE pg_status forest_read_tensors(const pg_op *op, forest *f);

#endif

/* Rules of text operators, of ai.onnx.ml, of the preview of training, and of com.microsoft. */
#include "shapes/internal.h"

static pg_status same(pg_infer *c)
{
    pg_set_like(c, 0, 0);
    return NULL;
}

static void set_like_as(pg_infer *c, size_t o, size_t i, pg_dtype elem)
{
    uint32_t rank;
    const pg_dim *dims;
    pg_set_elem(c, o, elem);
    if (pg_get_shape(pg_in(c, i), &rank, &dims))
        pg_set_tensor(c, o, elem, rank, dims);
}

/* ---- Text ---- */

static pg_status string_concat(pg_infer *c)
{
    bool known;
    uint32_t rank;
    pg_dim *dims;
    pg_set_elem(c, 0, PG_STRING);
    PG_TRY(pg_infer_broadcast(c, 0, 2, &known, &rank, &dims));
    if (known)
        pg_set_tensor(c, 0, PG_STRING, rank, dims);
    return NULL;
}

static pg_status string_split(pg_infer *c)
{
    uint32_t rank;
    const pg_dim *in;
    pg_set_elem(c, 0, PG_STRING);
    set_like_as(c, 1, 0, PG_I64);
    if (!pg_get_shape(pg_in(c, 0), &rank, &in))
        return NULL;
    pg_dim *dims = pg_new_dims(c, rank + 1);
    for (uint32_t d = 0; d < rank; d++)
        dims[d] = in[d];
    pg_set_tensor(c, 0, PG_STRING, rank + 1, dims);
    return NULL;
}

/* Stop words go, so the last dimension is open. */
static pg_status string_normalizer(pg_infer *c)
{
    uint32_t rank;
    const pg_dim *in;
    pg_set_elem(c, 0, PG_STRING);
    if (!pg_get_shape(pg_in(c, 0), &rank, &in) || rank < 1 || rank > 2)
        return NULL;
    pg_dim *dims = pg_new_dims(c, rank);
    if (rank == 2)
        dims[0] = pg_dim_of(1);
    pg_set_tensor(c, 0, PG_STRING, rank, dims);
    return NULL;
}

static pg_status regex_match(pg_infer *c)
{
    set_like_as(c, 0, 0, PG_BOOL);
    return NULL;
}

static pg_status tfidf(pg_infer *c)
{
    uint32_t rank;
    const pg_dim *in;
    const int64_t *indexes;
    size_t count;
    int64_t most = -1;
    pg_set_elem(c, 0, PG_F32);
    if (!pg_get_shape(pg_in(c, 0), &rank, &in) || rank < 1 || rank > 2 ||
        !pg_ints_attr(c, "ngram_indexes", &indexes, &count))
        return NULL;
    for (size_t i = 0; i < count; i++)
        most = PG_MAX(most, indexes[i]);
    if (most == INT64_MAX)
        return NULL;
    pg_dim *dims = pg_new_dims(c, rank);
    dims[0] = in[0];
    dims[rank - 1] = pg_dim_of(most + 1);
    pg_set_tensor(c, 0, PG_F32, rank, dims);
    return NULL;
}

/* ---- ai.onnx.ml ---- */

static pg_dim rows_of(const pg_infer *c)
{
    uint32_t rank;
    const pg_dim *in;
    if (!pg_get_shape(pg_in(c, 0), &rank, &in))
        return (pg_dim){0};
    return rank == 1 ? pg_dim_of(1) : rank == 2 ? in[0] : (pg_dim){0};
}

static void set_scores(pg_infer *c, size_t o, pg_dtype elem, pg_dim columns)
{
    pg_dim *dims = pg_new_dims(c, 2);
    dims[0] = rows_of(c);
    dims[1] = columns;
    pg_set_tensor(c, o, elem, 2, dims);
}

static pg_status regressor(pg_infer *c)
{
    int64_t targets =
        pg_int_attr(c, pg_str_is(c->node->op_type, "LinearRegressor") ? "targets" : "n_targets", 1);
    set_scores(c, 0, PG_F32, targets >= 0 ? pg_dim_of(targets) : (pg_dim){0});
    return NULL;
}

static pg_status tree_ensemble(pg_infer *c)
{
    int64_t targets = pg_int_attr(c, "n_targets", 1);
    set_scores(c, 0, pg_elem(c, 0), targets >= 0 ? pg_dim_of(targets) : (pg_dim){0});
    return NULL;
}

static bool has_list(const pg_infer *c, const char *name)
{
    const pg_attr *attr = pg_node_attr(c->node, name);
    return attr != NULL && attr->count > 0;
}

/* Labels are strings when the model lists any. */
static pg_status classifier(pg_infer *c)
{
    pg_dim *dims = pg_new_dims(c, 1);
    bool strings = has_list(c, "classlabels_strings") || has_list(c, "classlabels_string");
    dims[0] = rows_of(c);
    pg_set_tensor(c, 0, strings ? PG_STRING : PG_I64, 1, dims);
    set_scores(c, 1, PG_F32, (pg_dim){0});
    return NULL;
}

static pg_status label_encoder(pg_infer *c)
{
    const pg_attr *values = pg_node_attr(c->node, "values_tensor");
    pg_dtype elem = PG_UNDEFINED;
    if (values != NULL && values->type == PG_ATTR_TENSOR)
        elem = values->tensor->dtype;
    else if (has_list(c, "values_strings"))
        elem = PG_STRING;
    else if (has_list(c, "values_int64s"))
        elem = PG_I64;
    else if (has_list(c, "values_floats"))
        elem = PG_F32;
    else if (pg_node_attr(c->node, "classes_strings") != NULL)
        elem = pg_elem(c, 0) == PG_STRING ? PG_I64 : PG_STRING;
    if (elem != PG_UNDEFINED)
        set_like_as(c, 0, 0, elem);
    return NULL;
}

static pg_status category_mapper(pg_infer *c)
{
    if (pg_elem(c, 0) != PG_UNDEFINED)
        set_like_as(c, 0, 0, pg_elem(c, 0) == PG_STRING ? PG_I64 : PG_STRING);
    return NULL;
}

static pg_status float_like(pg_infer *c)
{
    set_like_as(c, 0, 0, PG_F32);
    return NULL;
}

static pg_status one_hot_encoder(pg_infer *c)
{
    uint32_t rank;
    const pg_dim *in;
    const pg_attr *ints = pg_node_attr(c->node, "cats_int64s"),
                  *strings = pg_node_attr(c->node, "cats_strings");
    pg_set_elem(c, 0, PG_F32);
    if (!pg_get_shape(pg_in(c, 0), &rank, &in))
        return NULL;
    pg_dim *dims = pg_new_dims(c, rank + 1);
    for (uint32_t d = 0; d < rank; d++)
        dims[d] = in[d];
    if (ints != NULL || strings != NULL)
        dims[rank] = pg_dim_of((int64_t)(ints != NULL && ints->count > 0 ? ints->count
                                         : strings != NULL               ? strings->count
                                                                         : 0));
    pg_set_tensor(c, 0, PG_F32, rank + 1, dims);
    return NULL;
}

/* Picks columns of the last dimension; a vector becomes one row. */
static pg_status feature_extractor(pg_infer *c)
{
    uint32_t rank, index_rank;
    const pg_dim *in, *indices;
    pg_dim columns = pg_dim_of(1);
    pg_set_elem(c, 0, pg_elem(c, 0));
    if (!pg_get_shape(pg_in(c, 0), &rank, &in) || rank == 0 ||
        !pg_get_shape(pg_in(c, 1), &index_rank, &indices))
        return NULL;
    for (uint32_t d = 0; d < index_rank; d++)
        columns = pg_dim_is(columns, 1) ? indices[d] : pg_dim_is(indices[d], 1) ? columns : (pg_dim){0};
    pg_dim *dims = pg_new_dims(c, PG_MAX(rank, 2u));
    dims[0] = pg_dim_of(1);
    for (uint32_t d = 0; rank > 1 && d < rank - 1; d++)
        dims[d] = in[d];
    dims[PG_MAX(rank, 2u) - 1] = columns;
    pg_set_tensor(c, 0, pg_elem(c, 0), PG_MAX(rank, 2u), dims);
    return NULL;
}

static pg_status feature_vectorizer(pg_infer *c)
{
    const int64_t *sizes;
    size_t count;
    int64_t total = 0;
    pg_dim columns = {0};
    bool known = pg_ints_attr(c, "inputdimensions", &sizes, &count);
    for (size_t i = 0; known && i < count; i++)
        known = !__builtin_add_overflow(total, sizes[i], &total) && total >= 0;
    if (known)
        columns = pg_dim_of(total);
    set_scores(c, 0, PG_F32, columns);
    return NULL;
}

/* ---- Training ---- */

/* Inputs R, T, then groups of n tensors; outputs are the new values of groups 0, 2, 3 ... */
static pg_status optimizer(pg_infer *c)
{
    size_t groups = pg_str_is(c->node->op_type, "Adam") ? 4 : 3;
    if (c->n_in < 2 + groups || (c->n_in - 2) % groups != 0)
        return NULL;
    size_t n = (c->n_in - 2) / groups;
    for (size_t o = 0; o < c->n_out; o++)
        pg_set_like(c, o, 2 + (o < n ? o : o + n));
    return NULL;
}

/* ---- com.microsoft ---- */

/* Normalised sum; the last output is the sum itself. */
static pg_status skip_norm(pg_infer *c)
{
    pg_set_like(c, 0, 0);
    pg_set_like(c, 3, 0);
    return NULL;
}

#define ML "ai.onnx.ml"
#define MS "com.microsoft"
#define TRAINING "ai.onnx.preview.training"

const pg_shape_rule pg_shape_rules_ml[] = {
    {"StringConcat", string_concat},
    {"StringSplit", string_split},
    {"StringNormalizer", string_normalizer},
    {"RegexFullMatch", regex_match},
    {"TfIdfVectorizer", tfidf},
    {"ArrayFeatureExtractor", feature_extractor, ML},
    {"Binarizer", same, ML},
    {"CategoryMapper", category_mapper, ML},
    {"FeatureVectorizer", feature_vectorizer, ML},
    {"Imputer", same, ML},
    {"LabelEncoder", label_encoder, ML},
    {"LinearClassifier", classifier, ML},
    {"LinearRegressor", regressor, ML},
    {"Normalizer", float_like, ML},
    {"OneHotEncoder", one_hot_encoder, ML},
    {"SVMClassifier", classifier, ML},
    {"SVMRegressor", regressor, ML},
    {"Scaler", float_like, ML},
    {"TreeEnsemble", tree_ensemble, ML},
    {"TreeEnsembleClassifier", classifier, ML},
    {"TreeEnsembleRegressor", regressor, ML},
    {"Adagrad", optimizer, TRAINING},
    {"Adam", optimizer, TRAINING},
    {"Momentum", optimizer, TRAINING},
    {"BiasGelu", same, MS},
    {"FastGelu", same, MS},
    {"Gelu", same, MS},
    {"QuickGelu", same, MS},
    {"LayerNormalization", same, MS},
    {"SkipLayerNormalization", skip_norm, MS},
    {"SkipSimplifiedLayerNormalization", skip_norm, MS},
    {0},
};

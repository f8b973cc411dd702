/* Rules of contractions and attention: Einsum, Attention and its kin, determinants, losses. */
#include "shapes/internal.h"

/* ---- Einsum ---- */

typedef struct letters {
    pg_dim dims[128];
    pg_dim ellipsis[64]; /* right-aligned */
    uint32_t n_ellipsis;
} letters;

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Letters of a term without its ellipsis. */
static uint32_t count_letters(pg_str term, bool *dots)
{
    uint32_t count = 0;
    *dots = pg_str_contains(term, PG_STR("..."));
    for (size_t i = 0; i < term.len; i++)
        count += is_letter(term.ptr[i]);
    return count;
}

static pg_status read_term(pg_infer *c, pg_str term, size_t input, letters *seen, bool *known)
{
    uint32_t rank, d = 0;
    const pg_dim *dims;
    bool dots;
    uint32_t named = count_letters(term, &dots);
    if (dots && pg_str_contains(pg_str_sub(term, pg_str_find(term, '.') + 3, term.len), PG_STR("...")))
        return pg_infer_err(c, "term %zu has more than one ellipsis", input);
    if (!pg_get_shape(pg_in(c, input), &rank, &dims)) {
        *known = false;
        return NULL;
    }
    if (rank < named || (!dots && rank != named) || rank - named > 64)
        return pg_infer_err(c, "input %zu has rank %u, which its term does not fit", input, rank);
    uint32_t n = rank - named;
    for (size_t i = 0; i < term.len; i++) {
        char letter = term.ptr[i];
        if (is_letter(letter)) {
            pg_dim *at = &seen->dims[(unsigned char)letter];
            *at = pg_dim_is(*at, 1) ? dims[d]
                                    : pg_dim_merge(*at, pg_dim_is(dims[d], 1) ? (pg_dim){0} : dims[d]);
            if (!at->has_value && at->name.len == 0)
                *at = dims[d];
            d++;
        } else if (pg_str_starts(pg_str_sub(term, i, term.len), PG_STR("..."))) {
            i += 2;
            for (uint32_t k = 0; k < n; k++, d++) {
                pg_dim *at = &seen->ellipsis[64 - n + k];
                if (seen->n_ellipsis < n - k || pg_dim_is(*at, 1))
                    *at = dims[d];
                else if (!pg_dim_is(dims[d], 1) && !pg_dim_same(*at, dims[d]))
                    *at = pg_dim_known(*at) ? *at : pg_dim_known(dims[d]) ? dims[d] : (pg_dim){0};
            }
            seen->n_ellipsis = PG_MAX(seen->n_ellipsis, n);
        }
    }
    return NULL;
}

/* Without "->": the ellipsis and the letters that occur once, in alphabetical order. */
static size_t implicit_output(pg_str terms, char *out)
{
    size_t n = 0, counts[128] = {0};
    for (size_t i = 0; i < terms.len; i++)
        counts[is_letter(terms.ptr[i]) ? (unsigned char)terms.ptr[i] : 0]++;
    if (pg_str_contains(terms, PG_STR("...")))
        for (; n < 3; n++)
            out[n] = '.';
    for (unsigned letter = 'A'; letter <= 'z'; letter++)
        if (counts[letter] == 1)
            out[n++] = (char)letter;
    return n;
}

static pg_status einsum(pg_infer *c)
{
    pg_str equation = pg_str_attr(c, "equation", ""), terms = equation, output, term;
    letters seen = {0};
    char implicit[64];
    bool known = true, dots;
    pg_set_elem(c, 0, pg_elem(c, 0));
    size_t arrow = pg_str_find(equation, '-');
    if (arrow != SIZE_MAX && arrow + 1 < equation.len) {
        terms = pg_str_sub(equation, 0, arrow);
        output = pg_str_sub(equation, arrow + 2, equation.len);
    } else {
        output = (pg_str){implicit, implicit_output(terms, implicit)};
    }
    pg_str rest = terms;
    for (size_t i = 0; pg_str_split(&rest, ',', &term); i++)
        PG_TRY(read_term(c, term, i, &seen, &known));
    if (!known)
        return NULL;
    uint32_t rank = count_letters(output, &dots) + (dots ? seen.n_ellipsis : 0), d = 0;
    if (rank > 64)
        return NULL;
    pg_dim *dims = pg_new_dims(c, rank);
    for (size_t i = 0; i < output.len && d < rank; i++) {
        if (is_letter(output.ptr[i])) {
            dims[d++] = seen.dims[(unsigned char)output.ptr[i]];
        } else if (output.ptr[i] == '.') {
            i += 2;
            for (uint32_t k = 0; k < seen.n_ellipsis && d < rank; k++)
                dims[d++] = seen.ellipsis[64 - seen.n_ellipsis + k];
        }
    }
    pg_set_tensor(c, 0, pg_elem(c, 0), rank, dims);
    return NULL;
}

/* ---- Attention ---- */

static pg_dim dim_sum(pg_dim a, pg_dim b)
{
    int64_t sum;
    if (pg_dim_is(a, 0))
        return b;
    if (!pg_dim_known(a) || !pg_dim_known(b) || __builtin_add_overflow(a.value, b.value, &sum))
        return (pg_dim){0};
    return pg_dim_of(sum);
}

static pg_dim dim_scale(pg_dim a, int64_t by, int64_t parts)
{
    int64_t product;
    if (!pg_dim_known(a) || by <= 0 || parts <= 0 || __builtin_mul_overflow(a.value, by, &product))
        return (pg_dim){0};
    return pg_dim_of(product / parts);
}

/* [batch, heads, length, size] of an operand that may be packed as [batch, length, heads * size]. */
static bool unpack_heads(const pg_infer *c, size_t input, int64_t heads, pg_dim out[4])
{
    uint32_t rank;
    const pg_dim *dims;
    if (!pg_get_shape(pg_in(c, input), &rank, &dims) || (rank != 3 && rank != 4))
        return false;
    out[0] = dims[0];
    out[1] = rank == 4 ? dims[1] : heads > 0 ? pg_dim_of(heads) : (pg_dim){0};
    out[2] = dims[rank - 2];
    out[3] = rank == 4 ? dims[3] : dim_scale(dims[2], 1, heads);
    return true;
}

static void set_rank4(pg_infer *c, size_t o, pg_dtype elem, pg_dim a, pg_dim b, pg_dim d, pg_dim e)
{
    pg_dim *dims = pg_new_dims(c, 4);
    dims[0] = a;
    dims[1] = b;
    dims[2] = d;
    dims[3] = e;
    pg_set_tensor(c, o, elem, 4, dims);
}

static pg_status attention(pg_infer *c)
{
    pg_dim q[4], k[4], v[4], past[4] = {{0}, {0}, {.has_value = true}, {0}};
    uint32_t rank;
    const pg_dim *in;
    int64_t heads = pg_int_attr(c, "q_num_heads", 0), kv_heads = pg_int_attr(c, "kv_num_heads", 0);
    for (size_t o = 0; o < 4; o++)
        pg_set_elem(c, o, pg_elem(c, o == 2 ? 2 : 0));
    if (!unpack_heads(c, 0, heads, q) || !unpack_heads(c, 1, kv_heads, k) || !unpack_heads(c, 2, kv_heads, v))
        return NULL;
    if (pg_in(c, 4) != NULL && !unpack_heads(c, 4, kv_heads, past))
        past[2] = (pg_dim){0};
    pg_dim total = dim_sum(past[2], k[2]);
    if (pg_get_shape(pg_in(c, 0), &rank, &in) && rank == 3) {
        pg_dim *dims = pg_new_dims(c, 3);
        dims[0] = q[0];
        dims[1] = q[2];
        dims[2] = dim_scale(v[3], heads, 1);
        pg_set_tensor(c, 0, pg_elem(c, 0), 3, dims);
    } else {
        set_rank4(c, 0, pg_elem(c, 0), q[0], q[1], q[2], v[3]);
    }
    set_rank4(c, 1, pg_elem(c, 0), k[0], k[1], total, k[3]);
    set_rank4(c, 2, pg_elem(c, 2), v[0], v[1], total, v[3]);
    set_rank4(c, 3, pg_elem(c, 0), q[0], q[1], q[2], total);
    return NULL;
}

/* Packed [B, T, heads * size] operands; the state is [B, heads, key size, value size]. */
static pg_status linear_attention(pg_infer *c)
{
    uint32_t rank;
    const pg_dim *query;
    pg_dim k[4], v[4];
    int64_t heads = pg_int_attr(c, "q_num_heads", 0), kv_heads = pg_int_attr(c, "kv_num_heads", 0);
    pg_set_elem(c, 0, pg_elem(c, 0));
    pg_dtype state = pg_elem(c, 3) != PG_UNDEFINED ? pg_elem(c, 3) : pg_elem(c, 0);
    if (!pg_get_shape(pg_in(c, 0), &rank, &query) || rank != 3 || !unpack_heads(c, 1, kv_heads, k) ||
        !unpack_heads(c, 2, kv_heads, v))
        return NULL;
    pg_dim *dims = pg_new_dims(c, 3);
    dims[0] = query[0];
    dims[1] = query[1];
    dims[2] = dim_scale(v[3], heads, 1);
    pg_set_tensor(c, 0, pg_elem(c, 0), 3, dims);
    set_rank4(c, 1, state, query[0], k[1], k[3], v[3]);
    return NULL;
}

static pg_status causal_conv(pg_infer *c)
{
    uint32_t rank, weight_rank;
    const pg_dim *in, *weight;
    pg_set_like(c, 0, 0);
    pg_set_elem(c, 1, pg_elem(c, 0));
    if (!pg_get_shape(pg_in(c, 0), &rank, &in) || rank != 3 ||
        !pg_get_shape(pg_in(c, 1), &weight_rank, &weight) || weight_rank != 3)
        return NULL;
    pg_dim *dims = pg_new_dims(c, 3);
    dims[0] = in[0];
    dims[1] = in[1];
    if (pg_dim_known(weight[2]))
        dims[2] = pg_dim_of(PG_MAX(weight[2].value - 1, 0));
    pg_set_tensor(c, 1, pg_elem(c, 0), 3, dims);
    return NULL;
}

/* ---- Determinants and losses ---- */

static pg_status det(pg_infer *c)
{
    uint32_t rank;
    const pg_dim *in;
    pg_set_elem(c, 0, pg_elem(c, 0));
    if (pg_get_shape(pg_in(c, 0), &rank, &in) && rank >= 2)
        pg_set_tensor(c, 0, pg_elem(c, 0), rank - 2, in);
    return NULL;
}

static pg_status loss(pg_infer *c)
{
    uint32_t rank;
    const pg_dim *target;
    pg_set_elem(c, 0, pg_elem(c, 0));
    pg_set_like(c, 1, 0); /* the logarithms of probabilities */
    if (!pg_str_is(pg_str_attr(c, "reduction", "mean"), "none"))
        pg_set_tensor(c, 0, pg_elem(c, 0), 0, NULL);
    else if (pg_get_shape(pg_in(c, 1), &rank, &target))
        pg_set_tensor(c, 0, pg_elem(c, 0), rank, target);
    return NULL;
}

const pg_shape_rule pg_shape_rules_contract[] = {
    {"Einsum", einsum},
    {"Attention", attention},
    {"FlexAttention", attention, "ai.onnx.preview"},
    {"LinearAttention", linear_attention},
    {"CausalConvWithState", causal_conv},
    {"Det", det},
    {"NegativeLogLikelihoodLoss", loss},
    {"SoftmaxCrossEntropyLoss", loss},
    {0},
};

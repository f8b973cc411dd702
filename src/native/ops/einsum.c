/* Einsum and Det. */
#include <ctype.h>
#include <math.h>

#include "base/alloc.h"
#include "native/ops/nn.h"

/* Labels of an equation: letters are themselves, dims of an ellipsis get numbers below ' '. */
enum { MOST_OPERANDS = 8, MOST_LABELS = 64 };

typedef struct term {
    size_t rank;
    unsigned char labels[PG_MAX_RANK];
} term;

typedef struct equation {
    size_t n, n_labels;
    term operands[MOST_OPERANDS], output;
    unsigned char order[MOST_LABELS]; /* output labels first, then those that are summed */
    int64_t extent[256];              /* of each label; 0 = not seen */
    size_t dots;                      /* dims of the ellipsis */
} equation;

static pg_status bad(const pg_op *op, const char *why)
{
    return pg_op_err(op, PG_ERR_INVALID, "the equation %s", why);
}

/* The text of one operand or of the output; an ellipsis stands for `dots` dims, aligned at the end of all. */
static pg_status read_term(const pg_op *op, pg_str text, size_t dots, size_t most_dots, term *out)
{
    out->rank = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == ' ')
            continue;
        if (text.ptr[i] == '.') {
            if (i + 2 >= text.len || text.ptr[i + 1] != '.' || text.ptr[i + 2] != '.')
                return bad(op, "has a lone dot");
            for (size_t d = 0; d < dots; d++) {
                if (out->rank == PG_MAX_RANK)
                    return bad(op, "has too many labels");
                out->labels[out->rank++] = (unsigned char)(most_dots - dots + d + 1);
            }
            i += 2;
            continue;
        }
        if (!isalpha((unsigned char)text.ptr[i]))
            return bad(op, "has a label that is no letter");
        if (out->rank == PG_MAX_RANK)
            return bad(op, "has too many labels");
        out->labels[out->rank++] = (unsigned char)text.ptr[i];
    }
    return NULL;
}

static size_t letters_in(pg_str text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += isalpha((unsigned char)text.ptr[i]) != 0;
    return count;
}

static pg_status split(const pg_op *op, pg_str text, pg_str *parts, size_t *n, pg_str *output,
                       bool *has_output)
{
    *has_output = false;
    for (size_t i = 0; i + 1 < text.len; i++)
        if (text.ptr[i] == '-' && text.ptr[i + 1] == '>') {
            *output = pg_str_sub(text, i + 2, text.len);
            text.len = i;
            *has_output = true;
        }
    *n = 0;
    size_t begin = 0;
    for (size_t i = 0; i <= text.len; i++)
        if (i == text.len || text.ptr[i] == ',') {
            if (*n == MOST_OPERANDS)
                return bad(op, "has too many operands");
            parts[(*n)++] = pg_str_sub(text, begin, i);
            begin = i + 1;
        }
    return NULL;
}

static pg_status note_extents(const pg_op *op, equation *e, size_t i)
{
    const pg_tensor *t = pg_op_in(op, i);
    const term *own = &e->operands[i];
    if (own->rank != t->rank)
        return pg_op_err(op, PG_ERR_INVALID, "input %zu has rank %d, the equation says %zu", i, t->rank,
                         own->rank);
    for (size_t d = 0; d < own->rank; d++) {
        int64_t *extent = &e->extent[own->labels[d]];
        if (*extent == 0 || *extent == 1 || t->dims[d] == *extent)
            *extent = *extent == 0 || *extent == 1 ? t->dims[d] : *extent;
        else if (t->dims[d] != 1)
            return own->labels[d] > ' '
                       ? pg_op_err(op, PG_ERR_INVALID, "label '%c' stands for both %lld and %lld",
                                   own->labels[d], (long long)*extent, (long long)t->dims[d])
                       : pg_op_err(op, PG_ERR_INVALID, "a dim of the ellipsis is both %lld and %lld",
                                   (long long)*extent, (long long)t->dims[d]);
    }
    return NULL;
}

/* Without an output: the ellipsis, then the letters that appear once, in order. */
static void implicit_output(equation *e)
{
    size_t seen[256] = {0};
    e->output.rank = 0;
    for (size_t i = 0; i < e->n; i++)
        for (size_t d = 0; d < e->operands[i].rank; d++)
            seen[e->operands[i].labels[d]]++;
    for (size_t label = 1; label < 256; label++)
        if (e->output.rank < PG_MAX_RANK && (label <= e->dots || (label > ' ' && seen[label] == 1)))
            e->output.labels[e->output.rank++] = (unsigned char)label;
}

static pg_status order_labels(const pg_op *op, equation *e)
{
    bool used[256] = {false};
    for (size_t d = 0; d < e->output.rank; d++) {
        const unsigned char label = e->output.labels[d];
        bool known = false;
        for (size_t i = 0; i < e->n && !known; i++)
            known = memchr(e->operands[i].labels, label, e->operands[i].rank) != NULL;
        if (!known || used[label])
            return pg_op_err(op, PG_ERR_INVALID, "attribute 'equation': output label '%c' is %s",
                             label > ' ' ? label : '.', known ? "there twice" : "no operand's");
        used[label] = true;
        e->order[e->n_labels++] = label;
    }
    for (size_t i = 0; i < e->n; i++)
        for (size_t d = 0; d < e->operands[i].rank; d++)
            if (!used[e->operands[i].labels[d]]) {
                used[e->operands[i].labels[d]] = true;
                if (e->n_labels == MOST_LABELS)
                    return bad(op, "has too many labels");
                e->order[e->n_labels++] = e->operands[i].labels[d];
            }
    return NULL;
}

static pg_status read_equation(const pg_op *op, equation *e)
{
    pg_str text, parts[MOST_OPERANDS], output = PG_STR_EMPTY;
    bool has_output;
    *e = (equation){0};
    PG_TRY(pg_op_attr_s(op, "equation", "", &text));
    PG_TRY(split(op, text, parts, &e->n, &output, &has_output));
    if (e->n != op->n_in)
        return pg_op_err(op, PG_ERR_INVALID, "the equation has %zu operands for %zu inputs", e->n, op->n_in);
    PG_TRY(pg_op_need(op, e->n));
    size_t dots[MOST_OPERANDS];
    for (size_t i = 0; i < e->n; i++) {
        const size_t letters = letters_in(parts[i]), rank = pg_op_in(op, i)->rank;
        dots[i] = pg_str_contains(parts[i], PG_STR("...")) && rank > letters ? rank - letters : 0;
        e->dots = PG_MAX(e->dots, dots[i]);
    }
    for (size_t i = 0; i < e->n; i++) {
        PG_TRY(read_term(op, parts[i], dots[i], e->dots, &e->operands[i]));
        PG_TRY(note_extents(op, e, i));
    }
    if (has_output)
        PG_TRY(read_term(op, output, e->dots, e->dots, &e->output));
    else
        implicit_output(e);
    return order_labels(op, e);
}

/* A sum over all labels in an odometer; strides of every operand follow along. */
typedef struct walk {
    size_t n_labels, n_out;
    int64_t extent[MOST_LABELS], stride[MOST_OPERANDS][MOST_LABELS];
} walk;

static void make_walk(const pg_op *op, const equation *e, walk *w)
{
    *w = (walk){.n_labels = e->n_labels, .n_out = e->output.rank};
    for (size_t l = 0; l < e->n_labels; l++)
        w->extent[l] = e->extent[e->order[l]];
    for (size_t i = 0; i < e->n; i++) {
        const pg_tensor *t = pg_op_in(op, i);
        int64_t step = 1;
        for (size_t d = t->rank; d-- > 0;) {
            for (size_t l = 0; l < e->n_labels; l++)
                if (e->order[l] == e->operands[i].labels[d] && t->dims[d] != 1)
                    w->stride[i][l] += step;
            step *= t->dims[d];
        }
    }
}

static double sum_products(const walk *w, size_t n, const double *const *x, const int64_t *start,
                           size_t label)
{
    if (label == w->n_labels) {
        double product = 1;
        for (size_t i = 0; i < n; i++)
            product *= x[i][start[i]];
        return product;
    }
    double sum = 0;
    int64_t at[MOST_OPERANDS];
    memcpy(at, start, sizeof at);
    for (int64_t k = 0; k < w->extent[label]; k++) {
        sum += sum_products(w, n, x, at, label + 1);
        for (size_t i = 0; i < n; i++)
            at[i] += w->stride[i][label];
    }
    return sum;
}

static pg_status run_einsum(pg_op *op)
{
    equation e;
    walk w;
    const double *x[MOST_OPERANDS];
    int64_t dims[PG_MAX_RANK];
    nn_result y;
    PG_TRY(read_equation(op, &e));
    make_walk(op, &e, &w);
    for (size_t i = 0; i < e.n; i++)
        PG_TRY(nn_f64(op, i, &x[i]));
    for (size_t d = 0; d < e.output.rank; d++)
        dims[d] = w.extent[d];
    PG_TRY(nn_f64_out(op, 0, pg_op_in(op, 0)->dtype, e.output.rank, dims, &y));
    const uint64_t count = pg_tensor_count(y.tensor);
    for (uint64_t r = 0; r < count; r++) {
        int64_t start[MOST_OPERANDS] = {0};
        uint64_t rest = r;
        for (size_t l = w.n_out; l-- > 0;) {
            const int64_t at = (int64_t)(rest % (uint64_t)w.extent[l]);
            rest /= (uint64_t)w.extent[l];
            for (size_t i = 0; i < e.n; i++)
                start[i] += at * w.stride[i][l];
        }
        y.values[r] = sum_products(&w, e.n, x, start, w.n_out);
    }
    nn_f64_done(&y);
    return NULL;
}

/* ---- Det ---- */

/* Elimination with row pivots; destroys the matrix. */
static double determinant(double *m, size_t n)
{
    double product = 1;
    for (size_t c = 0; c < n; c++) {
        size_t pivot = c;
        for (size_t r = c + 1; r < n; r++)
            if (fabs(m[r * n + c]) > fabs(m[pivot * n + c]))
                pivot = r;
        if (m[pivot * n + c] == 0)
            return 0;
        for (size_t k = 0; k < n && pivot != c; k++) {
            const double swap = m[c * n + k];
            m[c * n + k] = m[pivot * n + k];
            m[pivot * n + k] = swap;
        }
        product *= pivot != c ? -m[c * n + c] : m[c * n + c];
        for (size_t r = c + 1; r < n; r++) {
            const double factor = m[r * n + c] / m[c * n + c];
            for (size_t k = c; k < n; k++)
                m[r * n + k] -= factor * m[c * n + k];
        }
    }
    return product;
}

static pg_status run_det(pg_op *op)
{
    PG_TRY(nn_need_floats(op, 1));
    const pg_tensor *x = pg_op_in(op, 0);
    const double *values;
    nn_result y;
    void *work;
    if (x->rank < 2 || x->dims[x->rank - 1] != x->dims[x->rank - 2])
        return pg_op_err(op, PG_ERR_INVALID, "the input is not made of square matrices");
    const size_t n = (size_t)x->dims[x->rank - 1];
    PG_TRY(nn_f64(op, 0, &values));
    PG_TRY(pg_op_scratch(op, (uint64_t)n * n * sizeof(double) + 8, &work));
    PG_TRY(nn_f64_out(op, 0, x->dtype, x->rank - 2u, x->dims, &y));
    for (uint64_t i = 0; i < pg_tensor_count(y.tensor); i++) {
        memcpy(work, values + i * n * n, n * n * sizeof(double));
        y.values[i] = determinant(work, n);
    }
    nn_f64_done(&y);
    return NULL;
}

const pg_kernel pg_kernels_einsum[] = {
    {"", "Einsum", 12, 0, run_einsum, NULL, NULL, PG_KERNEL_HALF_VIA_F32},
    {"", "Det", 11, 0, run_det, NULL, NULL, PG_KERNEL_HALF_VIA_F32},
    {0},
};

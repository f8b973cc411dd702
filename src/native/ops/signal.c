/* DFT, STFT, window functions and MelWeightMatrix; computed in float64. */
#include <math.h>

#include "base/alloc.h"
#include "native/ops/nn.h"
#include "tensor/dtype_convert.h"

/* ---- Fourier transforms ---- */

/* In place, n a power of two; sign -1 forward, +1 inverse without the factor 1/n. */
static void fft_power_of_two(double *re, double *im, size_t n, int sign)
{
    for (size_t i = 1, j = 0; i < n; i++) {
        size_t bit = n >> 1;
        for (; (j & bit) != 0; bit >>= 1)
            j ^= bit;
        j ^= bit;
        if (i < j) {
            double swap = re[i];
            re[i] = re[j];
            re[j] = swap;
            swap = im[i];
            im[i] = im[j];
            im[j] = swap;
        }
    }
    for (size_t half = 1; half < n; half *= 2)
        for (size_t k = 0; k < half; k++) {
            const double angle = sign * M_PI * (double)k / (double)half, c = cos(angle), s = sin(angle);
            for (size_t i = k; i < n; i += 2 * half) {
                const size_t j = i + half;
                const double r = re[j] * c - im[j] * s, q = re[j] * s + im[j] * c;
                re[j] = re[i] - r;
                im[j] = im[i] - q;
                re[i] += r;
                im[i] += q;
            }
        }
}

/* Any other length by its definition; angles are taken modulo n so that they stay exact. */
static void dft_by_definition(const double *re, const double *im, size_t n, int sign, double *out_re,
                              double *out_im)
{
    for (size_t k = 0; k < n; k++) {
        double r = 0, q = 0;
        size_t turn = 0;
        for (size_t i = 0; i < n; i++) {
            const double angle = sign * 2 * M_PI * (double)turn / (double)n, c = cos(angle), s = sin(angle);
            r += re[i] * c - im[i] * s;
            q += re[i] * s + im[i] * c;
            turn += k;
            if (turn >= n)
                turn -= n;
        }
        out_re[k] = r;
        out_im[k] = q;
    }
}

/* Work space: four arrays of n. The result is in the first two. */
static void transform(double *work, size_t n, bool inverse)
{
    double *re = work, *im = work + n;
    const int sign = inverse ? 1 : -1;
    if ((n & (n - 1)) == 0) {
        fft_power_of_two(re, im, n, sign);
    } else {
        dft_by_definition(re, im, n, sign, work + 2 * n, work + 3 * n);
        memcpy(work, work + 2 * n, 2 * n * sizeof *work);
    }
    for (size_t i = 0; i < 2 * n && inverse; i++)
        work[i] /= (double)n;
}

static pg_status one_integer(const pg_op *op, size_t i, int64_t missing, int64_t *out)
{
    const pg_tensor *t = pg_op_in(op, i);
    *out = missing;
    if (t == NULL)
        return NULL;
    if (!pg_dtype_is_integer(t->dtype) || pg_tensor_count(t) != 1)
        return pg_op_err(op, PG_ERR_INVALID, "input %zu is not one integer", i);
    *out = pg_tensor_get_i64(t, 0);
    return NULL;
}

enum { MOST_LENGTH = 1 << 24 };

typedef struct dft {
    bool inverse, onesided;
    size_t axis, length, outer, inner, parts; /* parts: 1 = real input, 2 = complex */
    size_t in, out, out_parts;                /* positions along the axis */
} dft;

static void load_signal(const dft *d, const double *x, size_t o, size_t i, double *work)
{
    const size_t n = d->length;
    memset(work, 0, 2 * n * sizeof *work);
    for (size_t k = 0; k < PG_MIN(n, d->in); k++) {
        const double *at = x + ((o * d->in + k) * d->inner + i) * d->parts;
        work[k] = at[0];
        work[n + k] = d->parts == 2 ? at[1] : 0;
    }
    /* Half a spectrum stands for the whole one of a real signal. */
    for (size_t k = 1; d->inverse && d->onesided && k < n; k++)
        if (k >= d->in && n - k < d->in) {
            work[k] = work[n - k];
            work[n + k] = -work[n + n - k];
        }
}

static void run_dft_rows(const dft *d, const double *x, double *work, double *y)
{
    for (size_t o = 0; o < d->outer; o++)
        for (size_t i = 0; i < d->inner; i++) {
            load_signal(d, x, o, i, work);
            transform(work, d->length, d->inverse);
            for (size_t k = 0; k < d->out; k++) {
                double *to = y + ((o * d->out + k) * d->inner + i) * d->out_parts;
                to[0] = work[k];
                if (d->out_parts == 2)
                    to[1] = work[d->length + k];
            }
        }
}

static pg_status dft_shape(const pg_op *op, const pg_tensor *x, dft *d, int64_t *dims)
{
    int64_t inverse, onesided, axis, length;
    PG_TRY(pg_op_attr_i(op, "inverse", 0, &inverse));
    PG_TRY(pg_op_attr_i(op, "onesided", 0, &onesided));
    PG_TRY(pg_op_attr_i(op, "axis", op->opset < 20 ? 1 : -2, &axis));
    PG_TRY(one_integer(op, 2, axis, &axis));
    if (x->rank < 2)
        return pg_op_err(op, PG_ERR_INVALID, "the input has rank %d, expected at least 2", x->rank);
    PG_TRY(pg_op_axis(op, axis, x->rank, &d->axis));
    d->inverse = inverse != 0;
    d->onesided = onesided != 0;
    d->parts = (size_t)x->dims[x->rank - 1];
    if (d->axis + 1u == x->rank || (d->parts != 1 && d->parts != 2))
        return pg_op_err(op, PG_ERR_INVALID, "the last axis does not hold real or complex numbers");
    d->in = (size_t)x->dims[d->axis];
    const bool real_out = d->inverse && d->onesided;
    PG_TRY(one_integer(op, 1, real_out ? 2 * (x->dims[d->axis] - 1) : x->dims[d->axis], &length));
    if (length < 1 || length > MOST_LENGTH)
        return pg_op_err(op, PG_ERR_LIMIT, "a transform of length %lld", (long long)length);
    d->length = (size_t)length;
    d->out = d->onesided && !d->inverse ? d->length / 2 + 1 : d->length;
    d->out_parts = real_out ? 1 : 2;
    d->outer = d->inner = 1;
    for (size_t i = 0; i + 1 < x->rank; i++) {
        dims[i] = i == d->axis ? (int64_t)d->out : x->dims[i];
        if (i != d->axis)
            *(i < d->axis ? &d->outer : &d->inner) *= (size_t)x->dims[i];
    }
    dims[x->rank - 1] = (int64_t)d->out_parts;
    return NULL;
}

static pg_status run_dft(pg_op *op)
{
    PG_TRY(nn_need_floats(op, 1));
    const pg_tensor *x = pg_op_in(op, 0);
    int64_t dims[PG_MAX_RANK];
    dft d;
    const double *values;
    nn_result y;
    void *work;
    PG_TRY(dft_shape(op, x, &d, dims));
    PG_TRY(nn_f64(op, 0, &values));
    PG_TRY(pg_op_scratch(op, d.length * 4 * sizeof(double), &work));
    PG_TRY(nn_f64_out(op, 0, x->dtype, x->rank, dims, &y));
    run_dft_rows(&d, values, work, y.values);
    nn_f64_done(&y);
    return NULL;
}

static pg_status run_stft(pg_op *op)
{
    PG_TRY(pg_op_need(op, 2));
    const pg_tensor *x = pg_op_in(op, 0), *window = pg_op_in(op, 2);
    int64_t step, length, onesided;
    PG_TRY(pg_op_attr_i(op, "onesided", 1, &onesided));
    if (x->rank < 2 || x->rank > 3 || !nn_is_float(x->dtype))
        return pg_op_err(op, PG_ERR_INVALID, "the signal is not (batch, length, 1 or 2)");
    const size_t parts = x->rank == 3 ? (size_t)x->dims[2] : 1, batch = (size_t)x->dims[0];
    const int64_t total = x->dims[1];
    PG_TRY(one_integer(op, 1, 0, &step));
    PG_TRY(one_integer(op, 3, window != NULL ? (int64_t)pg_tensor_count(window) : total, &length));
    if (step < 1 || length < 1 || length > total || length > MOST_LENGTH || (parts != 1 && parts != 2) ||
        (window != NULL && pg_tensor_count(window) != (uint64_t)length))
        return pg_op_err(op, PG_ERR_INVALID,
                         "frames of %lld in steps of %lld do not fit the signal or window", (long long)length,
                         (long long)step);
    const int64_t frames = (total - length) / step + 1, bins = onesided != 0 ? length / 2 + 1 : length;
    const double *signal, *weights;
    nn_result y;
    void *memory;
    PG_TRY(nn_f64(op, 0, &signal));
    PG_TRY(nn_f64(op, 2, &weights));
    PG_TRY(pg_op_scratch(op, (uint64_t)length * 4 * sizeof(double), &memory));
    PG_TRY(nn_f64_out(op, 0, x->dtype, 4, (int64_t[]){x->dims[0], frames, bins, 2}, &y));
    double *work = memory, *out = y.values;
    for (size_t b = 0; b < batch; b++)
        for (int64_t f = 0; f < frames; f++) {
            for (int64_t i = 0; i < length; i++) {
                const double *at = signal + ((int64_t)b * total + f * step + i) * (int64_t)parts;
                const double weight = weights != NULL ? weights[i] : 1;
                work[i] = at[0] * weight;
                work[length + i] = parts == 2 ? at[1] * weight : 0;
            }
            transform(work, (size_t)length, false);
            for (int64_t k = 0; k < bins; k++) {
                *out++ = work[k];
                *out++ = work[length + k];
            }
        }
    nn_f64_done(&y);
    return NULL;
}

/* ---- Windows ---- */

static pg_status output_type(const pg_op *op, pg_dtype *out)
{
    int64_t type;
    PG_TRY(pg_op_attr_i(op, "output_datatype", 1, &type));
    if (type <= 0 || type >= PG_DTYPE_COUNT || type == PG_STRING || type == PG_C64 || type == PG_C128)
        return pg_op_err(op, PG_ERR_UNSUPPORTED, "output_datatype %lld", (long long)type);
    *out = (pg_dtype)type;
    return NULL;
}

/* a - b cos(2 pi i / n) + c cos(4 pi i / n) */
static pg_status run_window(pg_op *op, double a, double b, double c)
{
    int64_t size, periodic;
    pg_dtype type;
    nn_result y;
    PG_TRY(pg_op_need(op, 1));
    PG_TRY(one_integer(op, 0, 0, &size));
    PG_TRY(pg_op_attr_i(op, "periodic", 1, &periodic));
    PG_TRY(output_type(op, &type));
    if (size < 0 || size > INT32_MAX)
        return pg_op_err(op, PG_ERR_INVALID, "a window of %lld values", (long long)size);
    PG_TRY(nn_f64_out(op, 0, type, 1, &size, &y));
    const double n = (double)(periodic != 0 ? size : PG_MAX(size - 1, (int64_t)1));
    for (int64_t i = 0; i < size; i++) {
        const double angle = 2 * M_PI * (double)i / n;
        y.values[i] = a - b * cos(angle) + c * cos(2 * angle);
    }
    nn_f64_done(&y);
    return NULL;
}

static pg_status run_hann(pg_op *op)
{
    return run_window(op, 0.5, 0.5, 0);
}
static pg_status run_hamming(pg_op *op)
{
    return run_window(op, 25.0 / 46, 21.0 / 46, 0);
}
static pg_status run_blackman(pg_op *op)
{
    return run_window(op, 0.42, 0.5, 0.08);
}

/* Edges of the bands are rounded to bins; between them the triangles rise and fall linearly. */
static pg_status run_mel(pg_op *op)
{
    int64_t bands, length, rate;
    const double *lower, *upper;
    pg_dtype type;
    nn_result y;
    void *memory;
    PG_TRY(pg_op_need(op, 5));
    PG_TRY(one_integer(op, 0, 0, &bands));
    PG_TRY(one_integer(op, 1, 0, &length));
    PG_TRY(one_integer(op, 2, 0, &rate));
    PG_TRY(nn_f64(op, 3, &lower));
    PG_TRY(nn_f64(op, 4, &upper));
    PG_TRY(output_type(op, &type));
    if (bands < 1 || bands > 1 << 20 || length < 1 || length > MOST_LENGTH || rate < 1)
        return pg_op_err(op, PG_ERR_INVALID, "%lld bands of a transform of length %lld", (long long)bands,
                         (long long)length);
    const int64_t bins = length / 2 + 1;
    PG_TRY(pg_op_scratch(op, (uint64_t)(bands + 2) * sizeof(int64_t), &memory));
    int64_t *edges = memory;
    const double low = 2595 * log10(1 + lower[0] / 700), high = 2595 * log10(1 + upper[0] / 700);
    for (int64_t i = 0; i < bands + 2; i++) {
        const double mel = low + (double)i * (high - low) / (double)(bands + 2);
        const double hertz = 700 * (pow(10, mel / 2595) - 1);
        edges[i] = (int64_t)fmin(fmax(floor((double)(length + 1) * hertz / (double)rate), 0), (double)bins);
    }
    PG_TRY(nn_f64_out(op, 0, type, 2, (int64_t[]){bins, bands}, &y));
    memset(y.values, 0, (size_t)(bins * bands) * sizeof(double));
    for (int64_t m = 0; m < bands; m++) {
        const int64_t first = edges[m], top = edges[m + 1], last = edges[m + 2];
        if (top == first && top < bins)
            y.values[top * bands + m] = 1;
        for (int64_t j = first; j <= top && top > first && j < bins; j++)
            y.values[j * bands + m] = (double)(j - first) / (double)(top - first);
        for (int64_t j = top; j < last && j < bins; j++)
            y.values[j * bands + m] = (double)(last - j) / (double)(last - top);
    }
    nn_f64_done(&y);
    return NULL;
}

const pg_kernel pg_kernels_signal[] = {
    {"", "DFT", 17, 0, run_dft, NULL, NULL, PG_KERNEL_HALF_VIA_F32},
    {"", "STFT", 17, 0, run_stft, NULL, NULL, PG_KERNEL_HALF_VIA_F32},
    {"", "HannWindow", 17, 0, run_hann, NULL, NULL, 0},
    {"", "HammingWindow", 17, 0, run_hamming, NULL, NULL, 0},
    {"", "BlackmanWindow", 17, 0, run_blackman, NULL, NULL, 0},
    {"", "MelWeightMatrix", 17, 0, run_mel, NULL, NULL, 0},
    {0},
};

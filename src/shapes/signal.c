/* Rules of operators on signals and images. */
#include "shapes/internal.h"

/* A known single integer of input i. */
static bool get_int(const pg_infer *c, size_t i, int64_t *out)
{
    size_t count;
    return pg_get_ints(c, i, out, 1, &count) && count == 1;
}

/* ---- Signals ---- */

/* The axis is an attribute before opset 20 and an input since. */
static pg_status dft(pg_infer *c)
{
    uint32_t rank, axis;
    const pg_dim *in;
    int64_t at = c->opset < 20 ? pg_int_attr(c, "axis", 1) : -2, length;
    bool one_sided = pg_int_attr(c, "onesided", 0) != 0, inverse = pg_int_attr(c, "inverse", 0) != 0;
    pg_set_elem(c, 0, pg_elem(c, 0));
    if (!pg_get_shape(pg_in(c, 0), &rank, &in) || rank < 2)
        return NULL;
    pg_dim *dims = pg_new_dims(c, rank);
    if (c->opset >= 20 && pg_in(c, 2) != NULL && !get_int(c, 2, &at)) {
        pg_set_tensor(c, 0, pg_elem(c, 0), rank, dims);
        return NULL;
    }
    PG_TRY(pg_norm_axis(c, at, rank, &axis));
    for (uint32_t d = 0; d < rank; d++)
        dims[d] = in[d];
    if (pg_in(c, 1) != NULL)
        dims[axis] = get_int(c, 1, &length) && length >= 0 ? pg_dim_of(length) : (pg_dim){0};
    else if (inverse && one_sided)
        dims[axis] = (pg_dim){0};
    if (one_sided && !inverse)
        dims[axis] = pg_dim_known(dims[axis]) ? pg_dim_of(dims[axis].value / 2 + 1) : (pg_dim){0};
    dims[rank - 1] = inverse && one_sided ? (pg_dim){0} : pg_dim_of(2);
    pg_set_tensor(c, 0, pg_elem(c, 0), rank, dims);
    return NULL;
}

static pg_status stft(pg_infer *c)
{
    uint32_t rank, window_rank;
    const pg_dim *in, *window;
    int64_t step, length = -1;
    pg_dim *dims = pg_new_dims(c, 4);
    if (pg_get_shape(pg_in(c, 2), &window_rank, &window) && window_rank == 1 && pg_dim_known(window[0]))
        length = window[0].value;
    if (pg_in(c, 3) != NULL && !get_int(c, 3, &length))
        length = -1;
    if (pg_get_shape(pg_in(c, 0), &rank, &in) && rank >= 2) {
        dims[0] = in[0];
        if (pg_dim_known(in[1]) && length > 0 && length <= in[1].value && get_int(c, 1, &step) && step > 0)
            dims[1] = pg_dim_of((in[1].value - length) / step + 1);
    }
    if (length > 0)
        dims[2] = pg_dim_of(pg_int_attr(c, "onesided", 1) != 0 ? length / 2 + 1 : length);
    dims[3] = pg_dim_of(2);
    pg_set_tensor(c, 0, pg_elem(c, 0), 4, dims);
    return NULL;
}

static pg_status window(pg_infer *c)
{
    int64_t size;
    pg_dim *dims = pg_new_dims(c, 1);
    if (get_int(c, 0, &size) && size >= 0)
        dims[0] = pg_dim_of(size);
    pg_set_tensor(c, 0, (pg_dtype)pg_int_attr(c, "output_datatype", PG_F32), 1, dims);
    return NULL;
}

static pg_status mel_weights(pg_infer *c)
{
    int64_t bins, length;
    pg_dim *dims = pg_new_dims(c, 2);
    if (get_int(c, 1, &length) && length >= 0)
        dims[0] = pg_dim_of(length / 2 + 1);
    if (get_int(c, 0, &bins) && bins >= 0)
        dims[1] = pg_dim_of(bins);
    pg_set_tensor(c, 0, (pg_dtype)pg_int_attr(c, "output_datatype", PG_F32), 2, dims);
    return NULL;
}

/* ---- Images ---- */

/* theta is [N, 2, 3] or [N, 3, 4]; the grid is [N, (depth,) height, width, 2 or 3]. */
static pg_status affine_grid(pg_infer *c)
{
    uint32_t rank;
    const pg_dim *theta;
    int64_t size[5];
    size_t count;
    pg_set_elem(c, 0, pg_elem(c, 0));
    bool known = pg_get_ints(c, 1, size, 5, &count);
    if (!known && pg_get_shape(pg_in(c, 0), &rank, &theta) && rank == 3 && pg_dim_known(theta[1]))
        count = (size_t)theta[1].value + 2;
    else if (!known)
        return NULL;
    if (count != 4 && count != 5)
        return NULL;
    pg_dim *dims = pg_new_dims(c, (uint32_t)count);
    for (size_t i = 0; known && i < count - 1; i++)
        dims[i] = pg_dim_of(size[i == 0 ? 0 : i + 1]);
    dims[count - 1] = pg_dim_of((int64_t)count - 2);
    pg_set_tensor(c, 0, pg_elem(c, 0), (uint32_t)count, dims);
    return NULL;
}

static pg_status center_crop_pad(pg_infer *c)
{
    uint32_t rank, axis;
    const pg_dim *in;
    const int64_t *axes = NULL;
    int64_t sizes[64];
    size_t n_axes = 0, count = 0;
    pg_set_elem(c, 0, pg_elem(c, 0));
    if (!pg_get_shape(pg_in(c, 0), &rank, &in) || rank > 64)
        return NULL;
    bool some = pg_ints_attr(c, "axes", &axes, &n_axes), known = pg_get_ints(c, 1, sizes, 64, &count);
    pg_dim *dims = pg_new_dims(c, rank);
    for (uint32_t d = 0; d < rank; d++)
        dims[d] = in[d];
    for (size_t i = 0; i < (some ? n_axes : rank); i++) {
        PG_TRY(pg_norm_axis(c, some ? axes[i] : (int64_t)i, rank, &axis));
        dims[axis] = known && i < count && sizes[i] >= 0 ? pg_dim_of(sizes[i]) : (pg_dim){0};
    }
    pg_set_tensor(c, 0, pg_elem(c, 0), rank, dims);
    return NULL;
}

/* [N, C * block, L] to [N, C, image...]. */
static pg_status col2im(pg_infer *c)
{
    uint32_t rank, shape_rank;
    const pg_dim *in, *shape;
    int64_t image[16], block[16], per = 1;
    size_t n = 0, n_block;
    pg_set_elem(c, 0, pg_elem(c, 0));
    bool have_image = pg_get_ints(c, 1, image, 16, &n);
    if (!have_image && pg_get_shape(pg_in(c, 1), &shape_rank, &shape) && shape_rank == 1 &&
        pg_dim_known(shape[0]) && shape[0].value <= 16)
        n = (size_t)shape[0].value;
    if (n == 0 || !pg_get_shape(pg_in(c, 0), &rank, &in) || rank != 3)
        return NULL;
    bool have_block = pg_get_ints(c, 2, block, 16, &n_block);
    for (size_t i = 0; have_block && i < n_block; i++)
        if (__builtin_mul_overflow(per, block[i], &per) || per <= 0)
            have_block = false;
    pg_dim *dims = pg_new_dims(c, (uint32_t)n + 2);
    dims[0] = in[0];
    if (have_block && pg_dim_known(in[1]))
        dims[1] = pg_dim_of(in[1].value / per);
    for (size_t i = 0; have_image && i < n; i++)
        if (image[i] >= 0)
            dims[2 + i] = pg_dim_of(image[i]);
    pg_set_tensor(c, 0, pg_elem(c, 0), (uint32_t)n + 2, dims);
    return NULL;
}

/* The offsets have the output's spatial dimensions. */
static pg_status deform_conv(pg_infer *c)
{
    uint32_t rank, weight_rank, offset_rank;
    const pg_dim *in, *weight, *offset;
    pg_set_elem(c, 0, pg_elem(c, 0));
    if (!pg_get_shape(pg_in(c, 0), &rank, &in) || rank < 2 ||
        !pg_get_shape(pg_in(c, 1), &weight_rank, &weight) || weight_rank != rank)
        return NULL;
    pg_dim *dims = pg_new_dims(c, rank);
    dims[0] = in[0];
    dims[1] = weight[0];
    if (pg_get_shape(pg_in(c, 2), &offset_rank, &offset) && offset_rank == rank)
        for (uint32_t d = 2; d < rank; d++)
            dims[d] = offset[d];
    pg_set_tensor(c, 0, pg_elem(c, 0), rank, dims);
    return NULL;
}

static pg_status max_unpool(pg_infer *c)
{
    uint32_t rank;
    const pg_dim *in;
    const int64_t *kernel, *strides = NULL, *pads = NULL;
    int64_t shape[18];
    size_t n_kernel, n_strides = 0, n_pads = 0, count;
    pg_set_elem(c, 0, pg_elem(c, 0));
    if (!pg_get_shape(pg_in(c, 0), &rank, &in) || rank < 3 || rank > 18)
        return NULL;
    pg_dim *dims = pg_new_dims(c, rank);
    dims[0] = in[0];
    dims[1] = in[1];
    bool given = pg_get_ints(c, 2, shape, 18, &count) && count == rank;
    bool known =
        pg_in(c, 2) == NULL && pg_ints_attr(c, "kernel_shape", &kernel, &n_kernel) && n_kernel == rank - 2;
    (void)pg_ints_attr(c, "strides", &strides, &n_strides);
    (void)pg_ints_attr(c, "pads", &pads, &n_pads);
    for (uint32_t i = 0; i < rank - 2; i++) {
        int64_t stride = i < n_strides ? strides[i] : 1, size;
        int64_t pad = n_pads == 2 * (rank - 2) ? pads[i] + pads[rank - 2 + i] : 0;
        if (given && shape[2 + i] >= 0)
            dims[2 + i] = pg_dim_of(shape[2 + i]);
        else if (known && pg_dim_known(in[2 + i]) &&
                 !__builtin_mul_overflow(in[2 + i].value - 1, stride, &size))
            dims[2 + i] = pg_dim_of(PG_MAX(size + kernel[i] - pad, 0));
    }
    pg_set_tensor(c, 0, pg_elem(c, 0), rank, dims);
    return NULL;
}

static pg_status max_roi_pool(pg_infer *c)
{
    uint32_t rank, roi_rank;
    const pg_dim *in, *rois;
    const int64_t *pooled;
    size_t count;
    pg_set_elem(c, 0, pg_elem(c, 0));
    if (!pg_get_shape(pg_in(c, 0), &rank, &in) || rank != 4 ||
        !pg_ints_attr(c, "pooled_shape", &pooled, &count) || count != 2)
        return NULL;
    pg_dim *dims = pg_new_dims(c, 4);
    if (pg_get_shape(pg_in(c, 1), &roi_rank, &rois) && roi_rank == 2)
        dims[0] = rois[0];
    dims[1] = in[1];
    dims[2] = pg_dim_of(pooled[0]);
    dims[3] = pg_dim_of(pooled[1]);
    pg_set_tensor(c, 0, pg_elem(c, 0), 4, dims);
    return NULL;
}

static pg_status image_decoder(pg_infer *c)
{
    pg_dim *dims = pg_new_dims(c, 3);
    dims[2] = pg_dim_of(pg_str_is(pg_str_attr(c, "pixel_format", "RGB"), "Grayscale") ? 1 : 3);
    pg_set_tensor(c, 0, PG_U8, 3, dims);
    return NULL;
}

const pg_shape_rule pg_shape_rules_signal[] = {
    {"DFT", dft},
    {"STFT", stft},
    {"HannWindow", window},
    {"HammingWindow", window},
    {"BlackmanWindow", window},
    {"MelWeightMatrix", mel_weights},
    {"AffineGrid", affine_grid},
    {"CenterCropPad", center_crop_pad},
    {"Col2Im", col2im},
    {"DeformConv", deform_conv},
    {"MaxUnpool", max_unpool},
    {"MaxRoiPool", max_roi_pool},
    {"ImageDecoder", image_decoder},
    {0},
};

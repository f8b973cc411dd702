/* From files to what a model gets. */
#include <string.h>

#include "base/alloc.h"
#include "data/spec_internal.h"
#include "tensor/dtype_convert.h"

/* ---- Pictures ---- */

static pg_status resize(const pg_spec_input *input, pg_image *image)
{
    uint64_t height = input->resize_height, width = input->resize_width;
    if (height == 0)
        return NULL;
    if (width == 0) { /* the shorter side; the other one keeps the proportion, rounded down */
        uint64_t side = height;
        bool tall = image->height > image->width;
        height = tall ? side * image->height / image->width : side;
        width = tall ? side : side * image->width / image->height;
    }
    if (width > PG_IMAGE_MAX_SIDE || height > PG_IMAGE_MAX_SIDE || width * height > PG_IMAGE_MAX_POINTS)
        return pg_err(PG_ERR_LIMIT, "resized to %llu x %llu points, more than %d a side or %d in all",
                      (unsigned long long)height, (unsigned long long)width, PG_IMAGE_MAX_SIDE,
                      PG_IMAGE_MAX_POINTS);
    return pg_image_resize(image, (uint32_t)width, (uint32_t)height, input->filter);
}

static pg_status crop(const pg_spec_input *input, pg_image *image)
{
    if (input->crop_height == 0)
        return NULL;
    if (input->crop_height > image->height || input->crop_width > image->width)
        return pg_err(PG_ERR_INVALID,
                      "a crop of %u x %u (height x width) from a picture of %u x %u: resize it first",
                      input->crop_height, input->crop_width, image->height, image->width);
    pg_image_crop(image, (image->width - input->crop_width) / 2, (image->height - input->crop_height) / 2,
                  input->crop_width, input->crop_height);
    return NULL;
}

static size_t put_dims(const pg_spec_input *input, const pg_image *image, int64_t dims[4])
{
    bool batched = input->layout == PG_SPEC_NCHW || input->layout == PG_SPEC_NHWC;
    bool planes = input->layout == PG_SPEC_NCHW || input->layout == PG_SPEC_CHW;
    size_t rank = 0;
    if (batched)
        dims[rank++] = 1;
    if (planes)
        dims[rank++] = image->channels;
    dims[rank++] = image->height;
    dims[rank++] = image->width;
    if (!planes)
        dims[rank++] = image->channels;
    return rank;
}

/* What a sample of a channel becomes, for all 256 of them. */
static void make_table(const pg_spec_input *input, unsigned channel, double table[256])
{
    double mean = input->n_mean > 1 ? input->mean[channel] : input->mean[0];
    double std = input->n_std > 1 ? input->std[channel] : input->std[0];
    for (int i = 0; i < 256; i++)
        table[i] = (i / input->divide - mean) / std;
}

static pg_status fill_tensor(const pg_spec_input *input, const pg_image *image, pg_dtype dtype,
                             pg_tensor *out)
{
    int64_t dims[4];
    size_t rank = put_dims(input, image, dims), count = (size_t)image->width * image->height;
    bool planes = input->layout == PG_SPEC_NCHW || input->layout == PG_SPEC_CHW;
    PG_TRY(pg_tensor_alloc(out, dtype, rank, dims));
    for (unsigned c = 0; c < image->channels; c++) {
        unsigned from = input->colour == PG_SPEC_BGR ? image->channels - 1 - c : c;
        double table[256];
        make_table(input, c, table);
        for (size_t i = 0; i < count; i++) {
            size_t at = planes ? c * count + i : i * image->channels + c;
            uint8_t value = image->pixels[i * image->channels + from];
            if (dtype == PG_U8)
                ((uint8_t *)out->data)[at] = value;
            else if (dtype == PG_F64)
                ((double *)out->data)[at] = table[value];
            else
                ((float *)out->data)[at] = (float)table[value];
        }
    }
    return NULL;
}

/* Integers are not scaled, so bytes hold them until the cast. */
static pg_dtype work_type(const pg_spec_input *input)
{
    if (input->dtype == PG_F64)
        return PG_F64;
    return input->dtype == PG_UNDEFINED || pg_dtype_is_float(input->dtype) ? PG_F32 : PG_U8;
}

static pg_status finish_type(const pg_spec_input *input, pg_tensor *made, pg_tensor *out)
{
    pg_status status = NULL;
    if (input->dtype == PG_UNDEFINED || input->dtype == made->dtype) {
        *out = *made;
        return NULL;
    }
    status = pg_tensor_cast(made, input->dtype, &pg_cast_numpy, out);
    pg_tensor_deinit(made);
    return status;
}

static pg_status make_image(const pg_spec_input *input, const char *path, pg_tensor *out)
{
    pg_image image;
    pg_tensor made = {0};
    PG_TRY(pg_image_load(path, &image));
    pg_status status = pg_image_set_channels(&image, input->colour == PG_SPEC_GREY ? 1 : 3);
    if (status == NULL)
        status = resize(input, &image);
    if (status == NULL)
        status = crop(input, &image);
    if (status == NULL)
        status = fill_tensor(input, &image, work_type(input), &made);
    pg_image_deinit(&image);
    PG_TRY_CTX(status, "'%s'", path);
    return finish_type(input, &made, out);
}

/* ---- Arrays ---- */

static pg_status load_from_archive(const pg_spec_input *input, const char *path, pg_tensor *out)
{
    pg_archive archive;
    pg_buf names = {0};
    PG_TRY(pg_archive_open(path, &archive));
    pg_status status = NULL;
    bool found = false;
    for (size_t i = 0; i < archive.count && !found; i++) {
        pg_str name = pg_archive_name(&archive, i);
        found = pg_str_eq(name, input->array);
        if (found)
            status = pg_archive_read(&archive, i, out);
        else
            pg_buf_printf(&names, "%s'%" PG_STR_FMT "'", i > 0 ? ", " : "", PG_STR_ARG(name));
    }
    if (!found)
        status = pg_err(PG_ERR_NOT_FOUND,
                        "'%s' has no array '%" PG_STR_FMT "'; it has %s; say which with \"array\"", path,
                        PG_STR_ARG(input->array), names.len > 0 ? pg_buf_cstr(&names) : "none");
    pg_buf_deinit(&names);
    pg_archive_close(&archive);
    return status;
}

pg_status pg_spec_load_array(const pg_spec_input *input, const char *path, pg_tensor *out)
{
    pg_format format = pg_format_of(path);
    *out = (pg_tensor){0};
    if (format == PG_FORMAT_NPZ || format == PG_FORMAT_SAFETENSORS)
        return load_from_archive(input, path, out);
    return pg_data_load_tensor(path, NULL, out);
}

static bool has_bytes(pg_dtype dtype, size_t *out_size)
{
    uint64_t one = 0, two = 0;
    bool whole = dtype != PG_STRING && pg_dtype_bytes(dtype, 1, &one) && pg_dtype_bytes(dtype, 2, &two) &&
                 two == 2 * one;
    *out_size = (size_t)one;
    return whole;
}

/* The slice [index] of the first axis, which becomes 1. */
static pg_status take_slice(const pg_tensor *whole, size_t index, pg_tensor *out)
{
    int64_t dims[PG_MAX_RANK];
    size_t size = 0;
    if (!has_bytes(whole->dtype, &size))
        return pg_err(PG_ERR_UNSUPPORTED, "\"split\" needs elements of whole bytes, not %s",
                      pg_dtype_name(whole->dtype));
    memcpy(dims, whole->dims, whole->rank * sizeof *dims);
    dims[0] = 1;
    PG_TRY(pg_tensor_alloc(out, whole->dtype, whole->rank, dims));
    size_t bytes = (size_t)pg_tensor_bytes(out);
    if (bytes > 0)
        memcpy(out->data, (const char *)whole->data + index * bytes, bytes);
    return NULL;
}

static pg_status transpose(const pg_spec_input *input, pg_tensor *tensor)
{
    int64_t dims[PG_MAX_RANK], strides[PG_MAX_RANK], stride = 1, at[PG_MAX_RANK] = {0};
    size_t size = 0, rank = tensor->rank;
    pg_tensor out;
    if (input->n_axes != rank)
        return pg_err(PG_ERR_INVALID, "\"axes\" lists %zu axes, the array has %zu", input->n_axes, rank);
    if (!has_bytes(tensor->dtype, &size))
        return pg_err(PG_ERR_UNSUPPORTED, "\"axes\" needs elements of whole bytes, not %s",
                      pg_dtype_name(tensor->dtype));
    for (size_t i = rank; i-- > 0; stride *= tensor->dims[i])
        strides[i] = stride;
    for (size_t i = 0; i < rank; i++)
        dims[i] = tensor->dims[input->axes[i]];
    PG_TRY(pg_tensor_alloc(&out, tensor->dtype, rank, dims));
    uint64_t count = pg_tensor_count(&out);
    for (uint64_t i = 0; i < count; i++) {
        int64_t from = 0;
        for (size_t k = 0; k < rank; k++)
            from += at[k] * strides[input->axes[k]];
        memcpy((char *)out.data + i * size, (const char *)tensor->data + (size_t)from * size, size);
        for (size_t k = rank; k-- > 0 && ++at[k] == dims[k];)
            at[k] = 0;
    }
    pg_tensor_deinit(tensor);
    *tensor = out;
    return NULL;
}

static pg_status scale_array(const pg_spec_input *input, pg_tensor *tensor)
{
    pg_tensor numbers;
    pg_dtype work = work_type(input);
    PG_TRY(pg_tensor_cast(tensor, work == PG_F64 || tensor->dtype == PG_F64 ? PG_F64 : PG_F32, &pg_cast_numpy,
                          &numbers));
    pg_tensor out;
    pg_status status = pg_tensor_alloc(&out, numbers.dtype, numbers.rank, numbers.dims);
    uint64_t count = pg_tensor_count(&numbers);
    for (uint64_t i = 0; status == NULL && i < count; i++) {
        bool wide = numbers.dtype == PG_F64;
        double value = wide ? ((const double *)numbers.data)[i] : (double)((const float *)numbers.data)[i];
        value = (value / input->divide - input->mean[0]) / input->std[0];
        if (wide)
            ((double *)out.data)[i] = value;
        else
            ((float *)out.data)[i] = (float)value;
    }
    pg_tensor_deinit(&numbers);
    PG_TRY(status);
    pg_tensor_deinit(tensor);
    *tensor = out;
    return NULL;
}

static pg_status make_array(const pg_spec_input *input, size_t index, pg_tensor *out)
{
    const char *path = input->paths[input->split || input->n_paths == 1 ? 0 : index];
    pg_tensor made = {0};
    if (input->split && input->whole.dims[0] > 1)
        PG_TRY_CTX(take_slice(&input->whole, index, &made), "'%s'", path);
    else if (input->split)
        made = pg_tensor_share(&input->whole);
    else
        PG_TRY(pg_spec_load_array(input, path, &made));
    pg_status status = input->n_axes > 0 ? transpose(input, &made) : NULL;
    if (status == NULL && input->scaled)
        status = scale_array(input, &made);
    if (status != NULL) {
        pg_tensor_deinit(&made);
        return pg_status_context(status, "'%s'", path);
    }
    return pg_status_context(finish_type(input, &made, out), "'%s'", path);
}

pg_status pg_spec_make(const pg_spec_input *input, size_t index, pg_tensor *out)
{
    *out = (pg_tensor){0};
    if (input->is_image)
        return make_image(input, input->paths[input->n_paths == 1 ? 0 : index], out);
    return make_array(input, index, out);
}

#include "compare/noise.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/vec.h"
#include "tensor/dtype_convert.h"
#include "tensor/number_text.h"

enum { FEW = 300, MULTIPLE = 4, MULTIPLE_OF_FEW = 16 };

/* One unit in the last place, relative. The reference says nothing about the rounding of float64 outputs, so
 * some thousand operations are allowed for. */
static double unit_of(pg_dtype dtype)
{
    switch (dtype) {
    case PG_F64:
        return 0x1p-40;
    case PG_F16:
        return 0x1p-10;
    case PG_BF16:
        return 0x1p-7;
    case PG_F8E4M3FN:
    case PG_F8E4M3FNUZ:
        return 0x1p-3;
    case PG_F8E5M2:
    case PG_F8E5M2FNUZ:
        return 0x1p-2;
    default:
        return pg_dtype_is_float(dtype) ? 0x1p-23 : 0;
    }
}

static pg_noise_output *output_of(pg_noise *noise, const char *name)
{
    for (size_t i = 0; i < noise->count; i++)
        if (strcmp(noise->items[i].name, name) == 0)
            return &noise->items[i];
    noise->items = pg_vec_grow_(noise->items, &noise->cap, noise->count + 1, sizeof *noise->items);
    pg_noise_output *added = &noise->items[noise->count++];
    *added = (pg_noise_output){.name = pg_strndup(name, strlen(name))};
    return added;
}

/* Why two values have no differences in numbers; NULL when they have. */
static const char *obstacle(const pg_value *reference, const pg_value *run)
{
    if (run == NULL || reference->kind != PG_VALUE_TENSOR || run->kind != PG_VALUE_TENSOR)
        return "it is not a tensor";
    pg_dtype_kind kind = pg_dtype_kind_of(run->tensor.dtype);
    if (kind == PG_KIND_STRING || kind == PG_KIND_COMPLEX || kind == PG_KIND_NONE)
        return "its elements are no real numbers";
    if (!pg_tensor_same_shape(&reference->tensor, &run->tensor))
        return "rounding changes its shape";
    return NULL;
}

static void compare(pg_noise_output *output, const double *r, const double *x, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        if (!isfinite(r[i]) || !isfinite(x[i])) {
            if (isnan(r[i]) != isnan(x[i]) || (!isnan(r[i]) && r[i] != x[i]))
                output->unmeasured = "rounding changes which elements are NaN or infinite";
            continue;
        }
        output->compared++;
        output->changed += r[i] != x[i];
        output->deviation = fmax(output->deviation, fabs(x[i] - r[i]));
        output->largest = fmax(output->largest, fabs(r[i]));
    }
}

static pg_status add_tensors(pg_noise_output *output, const pg_tensor *reference, const pg_tensor *run)
{
    pg_tensor r = {0}, x = {0};
    pg_status status = pg_tensor_cast(reference, PG_F64, NULL, &r);
    if (status == NULL)
        status = pg_tensor_cast(run, PG_F64, NULL, &x);
    if (status == NULL)
        compare(output, r.data, x.data, pg_tensor_count(&r));
    pg_tensor_deinit(&r);
    pg_tensor_deinit(&x);
    return status;
}

pg_status pg_noise_add(pg_noise *noise, const pg_feed *reference, const pg_feed *run)
{
    for (size_t i = 0; i < reference->count; i++) {
        const pg_value *r = &reference->items[i].value;
        const pg_value *x = pg_feed_find(run, pg_str_c(reference->items[i].name));
        pg_noise_output *output = output_of(noise, reference->items[i].name);
        const char *why = obstacle(r, x);
        if (why != NULL) {
            output->unmeasured = why;
            continue;
        }
        output->dtype = x->tensor.dtype;
        PG_TRY_CTX(add_tensors(output, &r->tensor, &x->tensor), "for output '%s'", output->name);
    }
    return NULL;
}

void pg_noise_deinit(pg_noise *noise)
{
    for (size_t i = 0; i < noise->count; i++)
        free(noise->items[i].name);
    free(noise->items);
    *noise = (pg_noise){0};
}

/* Two digits, upwards. */
static double round_up(double value)
{
    double printed = value;
    pg_buf text = {0};
    if (value == 0 || !isfinite(value))
        return value;
    for (double step = value; printed < value || step == value; step *= 1.01) {
        pg_buf_clear(&text);
        pg_text_g(&text, step, 2);
        if (!pg_str_to_f64(pg_buf_str(&text), &printed))
            printed = step;
        if (printed >= value)
            break;
    }
    pg_buf_deinit(&text);
    return printed;
}

pg_noise_tolerance pg_noise_tolerance_of(const pg_noise_output *output)
{
    pg_noise_tolerance result = {.multiple = output->compared < FEW ? MULTIPLE_OF_FEW : MULTIPLE};
    if (!pg_dtype_is_float(output->dtype)) {
        result.multiple = 1;
        result.atol = output->deviation;
        return result;
    }
    double unit = unit_of(output->dtype);
    double noise = output->largest > 0 ? output->deviation / output->largest : 0;
    result.at_floor = noise < unit;
    result.rtol = round_up(result.multiple * fmax(noise, unit));
    double measured = result.multiple * fmax(output->deviation, unit * output->largest);
    double least = fmin(output->largest / 100, MULTIPLE * unit);
    result.at_unit = measured < least;
    result.atol = round_up(fmax(measured, least));
    return result;
}

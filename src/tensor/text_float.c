/* How an array's floats are written so that they line up: one decision between the positional and the
 * scientific form, and one width on each side of the point. */
#include <limits.h>
#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "tensor/internal.h"
#include "tensor/number_text.h"

enum { PRECISION = 8 }; /* digits after the point at most */

/* Division rounded to the type of the operands, as NumPy divides before it compares. */
static double divide_in(pg_dtype dtype, double a, double b)
{
    if (dtype == PG_F64)
        return a / b;
    float quotient = (float)a / (float)b;
    return (double)(dtype == PG_F16 ? pg_f16_to_f32(pg_f32_to_f16(quotient)) : quotient);
}

static bool wants_scientific(pg_dtype dtype, double smallest, double largest)
{
    double from = dtype == PG_F16 ? 1e3 : dtype == PG_F32 ? 1e6 : 1e8;
    double below = dtype == PG_F16   ? (double)pg_f16_to_f32(pg_f64_to_f16(1e-4))
                   : dtype == PG_F32 ? (double)1e-4f
                                     : 1e-4;
    return largest >= from || smallest < below || divide_in(dtype, largest, smallest) > 1000;
}

static int sign_width(const pg_float_format *format, const pg_digits *d)
{
    return d->negative || format->plus;
}

/* Widens the format so that a value fits. */
static void measure(pg_float_format *format, double value)
{
    pg_digits d;
    pg_digit_limits limits = {.unique = true, .last = -PRECISION, .first_end = INT_MAX};
    if (format->scientific)
        limits = (pg_digit_limits){.unique = true, .total = true, .last = PRECISION + 1};
    pg_digits_get(format->dtype, value, limits, &d);
    int left = 1, right = d.count - 1;
    if (format->scientific) {
        int exponent_digits = abs(d.exponent) >= 100 ? 3 : 2;
        format->exponent_digits = PG_MAX(format->exponent_digits, exponent_digits);
        format->digits = PG_MAX(format->digits, right);
    } else {
        left = PG_MAX(d.exponent + 1, 1);
        right = PG_MAX(d.count - 1 - d.exponent, 0);
        format->right = PG_MAX(format->right, right);
    }
    format->left = PG_MAX(format->left, left + sign_width(format, &d));
}

void pg_float_format_init(pg_float_format *format, pg_dtype dtype, bool plus, const double *values,
                          size_t count)
{
    double smallest = INFINITY, largest = 0;
    size_t finite = 0;
    bool negative_infinity = plus;
    *format = (pg_float_format){.dtype = dtype, .plus = plus};
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(values[i])) {
            negative_infinity = negative_infinity || values[i] == -(double)INFINITY;
            continue;
        }
        finite++;
        if (values[i] != 0) {
            smallest = fmin(smallest, fabs(values[i]));
            largest = fmax(largest, fabs(values[i]));
        }
    }
    format->scientific = largest > 0 && wants_scientific(dtype, smallest, largest);
    for (size_t i = 0; i < count; i++)
        if (isfinite(values[i]))
            measure(format, values[i]);
    if (format->scientific)
        format->right = format->digits + format->exponent_digits + 2;
    if (finite < count) /* room for "nan" and "-inf" */
        format->left = PG_MAX(format->left, 3 + negative_infinity - (format->right + 1));
}

static void put_special(const pg_float_format *format, pg_buf *out, double value)
{
    const char *text = isnan(value) ? (format->plus ? "+nan" : "nan")
                       : value < 0  ? "-inf"
                                    : (format->plus ? "+inf" : "inf");
    int pad = format->left + format->right + 1 - (int)strlen(text);
    pg_buf_pad(out, ' ', (size_t)PG_MAX(pad, 0));
    pg_buf_puts(out, text);
}

static void put_sign(const pg_float_format *format, pg_buf *out, const pg_digits *d, int whole_digits)
{
    int pad = format->left - whole_digits - sign_width(format, d);
    pg_buf_pad(out, ' ', (size_t)PG_MAX(pad, 0));
    if (sign_width(format, d) > 0)
        pg_buf_putc(out, d->negative ? '-' : '+');
}

static void put_scientific(const pg_float_format *format, pg_buf *out, double value)
{
    pg_digits d;
    int digits = format->digits + 1;
    pg_digits_get(format->dtype, value,
                  (pg_digit_limits){.unique = true, .total = true, .last = digits, .first_end = digits}, &d);
    put_sign(format, out, &d, 1);
    pg_buf_putc(out, d.digits[0]);
    pg_buf_putc(out, '.');
    pg_buf_add(out, d.digits + 1, (size_t)(d.count - 1));
    pg_buf_pad(out, '0', (size_t)PG_MAX(digits - d.count, 0));
    pg_buf_printf(out, "e%c%0*d", d.exponent < 0 ? '-' : '+', format->exponent_digits, abs(d.exponent));
}

static void put_positional(const pg_float_format *format, pg_buf *out, double value)
{
    pg_digits d;
    pg_digits_get(format->dtype, value,
                  (pg_digit_limits){.unique = true, .last = -PRECISION, .first_end = INT_MAX}, &d);
    int whole = PG_MAX(d.exponent + 1, 1), lead = PG_MAX(-d.exponent - 1, 0), used = 0;
    put_sign(format, out, &d, whole);
    if (d.exponent < 0) {
        pg_buf_putc(out, '0');
    } else {
        used = PG_MIN(whole, d.count);
        pg_buf_add(out, d.digits, (size_t)used);
        pg_buf_pad(out, '0', (size_t)(whole - used));
    }
    pg_buf_putc(out, '.');
    pg_buf_pad(out, '0', (size_t)lead);
    pg_buf_add(out, d.digits + used, (size_t)(d.count - used));
    int fraction = lead + d.count - used;
    if (value == 0) /* its one digit stands before the point */
        fraction = 0;
    pg_buf_pad(out, ' ', (size_t)PG_MAX(format->right - fraction, 0));
}

void pg_float_format_put(const pg_float_format *format, pg_buf *out, double value)
{
    if (!isfinite(value))
        put_special(format, out, value);
    else if (format->scientific)
        put_scientific(format, out, value);
    else
        put_positional(format, out, value);
}

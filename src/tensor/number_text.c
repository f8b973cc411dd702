/* Digits by exact integer arithmetic: the value and half the distances to its neighbours are fractions over a
 * common denominator, and digits come off by long division until the rest is below those distances (Steele
 * and White 1990; Gay 1990). */
#include "tensor/number_text.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "base/status.h"
#include "base/alloc.h"
#include "tensor/internal.h"

/* ---- Natural numbers of up to 1280 bits ---- */

enum { LIMBS = 40 };

typedef struct big {
    uint32_t limbs[LIMBS]; /* least significant first */
    int len;               /* without leading zeros; 0 is the number 0 */
} big;

static void big_set(big *x, uint64_t value)
{
    x->limbs[0] = (uint32_t)value;
    x->limbs[1] = (uint32_t)(value >> 32);
    x->len = x->limbs[1] != 0 ? 2 : x->limbs[0] != 0;
}

static void big_push(big *x, uint32_t limb)
{
    PG_ASSERT(x->len < LIMBS);
    x->limbs[x->len++] = limb;
}

static void big_multiply(big *x, uint32_t factor)
{
    uint64_t carry = 0;
    for (int i = 0; i < x->len; i++) {
        carry += (uint64_t)x->limbs[i] * factor;
        x->limbs[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry != 0)
        big_push(x, (uint32_t)carry);
}

static void big_multiply_pow10(big *x, int power)
{
    for (; power >= 9; power -= 9)
        big_multiply(x, 1000000000);
    static const uint32_t small[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};
    if (power > 0)
        big_multiply(x, small[power]);
}

static void big_shift(big *x, int bits)
{
    if (x->len == 0)
        return;
    int limbs = bits / 32;
    PG_ASSERT(x->len + limbs < LIMBS);
    big_multiply(x, 1u << (bits % 32));
    memmove(x->limbs + limbs, x->limbs, (size_t)x->len * sizeof x->limbs[0]);
    memset(x->limbs, 0, (size_t)limbs * sizeof x->limbs[0]);
    x->len += limbs;
}

static int big_compare(const big *a, const big *b)
{
    if (a->len != b->len)
        return a->len < b->len ? -1 : 1;
    for (int i = a->len - 1; i >= 0; i--)
        if (a->limbs[i] != b->limbs[i])
            return a->limbs[i] < b->limbs[i] ? -1 : 1;
    return 0;
}

static void big_add(big *x, const big *y)
{
    uint64_t carry = 0;
    for (int i = 0; i < PG_MAX(x->len, y->len) || carry != 0; i++) {
        if (i >= x->len)
            big_push(x, 0);
        carry += (uint64_t)x->limbs[i] + (i < y->len ? y->limbs[i] : 0);
        x->limbs[i] = (uint32_t)carry;
        carry >>= 32;
    }
}

/* x -= y * factor; the result is not negative. */
static void big_subtract(big *x, const big *y, uint32_t factor)
{
    uint64_t carry = 0, borrow = 0;
    for (int i = 0; i < x->len; i++) {
        carry += i < y->len ? (uint64_t)y->limbs[i] * factor : 0;
        uint64_t difference = (uint64_t)x->limbs[i] - (uint32_t)carry - borrow;
        x->limbs[i] = (uint32_t)difference;
        borrow = difference >> 63;
        carry >>= 32;
    }
    while (x->len > 0 && x->limbs[x->len - 1] == 0)
        x->len--;
}

/* The quotient of x / y, below 10; x becomes the rest. */
static int big_divide_digit(big *x, const big *y)
{
    int digit = 0;
    if (x->len == y->len && y->limbs[y->len - 1] < UINT32_MAX)
        digit = (int)(x->limbs[x->len - 1] / (y->limbs[y->len - 1] + 1));
    else if (x->len == y->len + 1)
        digit = (int)((((uint64_t)x->limbs[x->len - 1] << 32) + x->limbs[x->len - 2]) /
                      ((uint64_t)y->limbs[y->len - 1] + 1));
    if (digit > 0) /* an estimate from the leading limbs: never too large */
        big_subtract(x, y, (uint32_t)digit);
    for (; big_compare(x, y) >= 0; digit++)
        big_subtract(x, y, 1);
    return digit;
}

/* ---- Digits ---- */

/* The state of a division: value = rest / scale; the neighbours' halfway points are `low` below and `high`
 * above it, over the same scale. */
typedef struct division {
    big rest, scale, low, high;
    bool even; /* the halfway points belong to this value */
} division;

/* |value| = mantissa * 2^exponent, as its type stores it. */
static void take_apart(pg_dtype dtype, double value, uint64_t *mantissa, int *exponent, bool *narrow)
{
    int bits = dtype == PG_F16 ? 11 : dtype == PG_F32 ? 24 : 53;
    int lowest = dtype == PG_F16 ? -24 : dtype == PG_F32 ? -149 : -1074, power;
    double fraction = frexp(fabs(value), &power);
    *exponent = PG_MAX(power - bits, lowest);
    *mantissa = (uint64_t)ldexp(fraction, power - *exponent);
    /* Below a power of two the floats lie twice as dense. */
    *narrow = *mantissa == (uint64_t)1 << (bits - 1) && *exponent > lowest;
}

/* Sets up the division so that the first digit is its next quotient; returns that digit's power of ten. */
static int start_division(division *d, pg_dtype dtype, double value)
{
    uint64_t mantissa;
    int exponent;
    bool narrow;
    take_apart(dtype, value, &mantissa, &exponent, &narrow);
    d->even = mantissa % 2 == 0;
    int halves = narrow ? 2 : 1; /* everything times 2^halves makes the distances integers */
    big_set(&d->rest, mantissa);
    big_set(&d->scale, 1);
    big_set(&d->low, 1);
    big_shift(&d->rest, halves + PG_MAX(exponent, 0));
    big_shift(&d->scale, halves + PG_MAX(-exponent, 0));
    big_shift(&d->low, PG_MAX(exponent, 0));
    d->high = d->low;
    if (narrow)
        big_shift(&d->high, 1);
    int power = (int)ceil(log10(fabs(value)) - 1e-9); /* exact or one too small: 10^power >= value */
    if (power > 0) {
        big_multiply_pow10(&d->scale, power);
    } else {
        big_multiply_pow10(&d->rest, -power);
        big_multiply_pow10(&d->low, -power);
        big_multiply_pow10(&d->high, -power);
    }
    if (big_compare(&d->rest, &d->scale) >= 0)
        return power;
    big_multiply(&d->rest, 10);
    big_multiply(&d->low, 10);
    big_multiply(&d->high, 10);
    return power - 1;
}

/* Adds one unit to the last digit. */
static void round_up(pg_digits *out)
{
    while (out->count > 0 && out->digits[out->count - 1] == '9')
        out->count--;
    if (out->count > 0) {
        out->digits[out->count - 1]++;
        return;
    }
    out->digits[out->count++] = '1';
    out->exponent++;
}

/* Whether the rest says to round the digit just taken up. */
static bool rounds_up(division *d, bool low, bool high, int digit)
{
    if (low != high)
        return high;
    big_shift(&d->rest, 1);
    int order = big_compare(&d->rest, &d->scale);
    return order > 0 || (order == 0 && digit % 2 == 1);
}

static void divide(division *d, pg_digit_limits limits, pg_digits *out)
{
    int last = limits.last, first_end = limits.first_end;
    if (limits.total) {
        last = last == INT_MIN ? INT_MIN : out->exponent - last + 1;
        first_end = out->exponent - first_end + 1;
    }
    for (int position = out->exponent;; position--) {
        bool low = false, high = false;
        int digit = big_divide_digit(&d->rest, &d->scale);
        out->digits[out->count++] = (char)('0' + digit);
        if (limits.unique) {
            big sum = d->rest;
            big_add(&sum, &d->high);
            int below = big_compare(&d->rest, &d->low), above = big_compare(&sum, &d->scale);
            low = d->even ? below <= 0 : below < 0;
            high = d->even ? above >= 0 : above > 0;
        }
        if (((low || high) && position <= first_end) || position <= last || out->count == PG_DIGITS_MAX) {
            if (rounds_up(d, low, high, digit))
                round_up(out);
            return;
        }
        big_multiply(&d->rest, 10);
        big_multiply(&d->low, 10);
        big_multiply(&d->high, 10);
    }
}

void pg_digits_get(pg_dtype dtype, double value, pg_digit_limits limits, pg_digits *out)
{
    out->count = 0;
    out->negative = signbit(value) != 0;
    out->exponent = 0;
    if (value == 0) {
        out->digits[out->count++] = '0';
        return;
    }
    division d;
    out->exponent = start_division(&d, dtype, value);
    divide(&d, limits, out);
    while (out->count > 1 && out->digits[out->count - 1] == '0')
        out->count--;
}

/* ---- Texts ---- */

static bool put_special(pg_buf *out, double value)
{
    if (isfinite(value))
        return false;
    pg_buf_puts(out, isnan(value) ? "nan" : value < 0 ? "-inf" : "inf");
    return true;
}

/* "12.5", "0.001", "1200": no point when nothing follows it. */
static void put_positional(pg_buf *out, const pg_digits *d)
{
    if (d->negative)
        pg_buf_putc(out, '-');
    int whole = d->exponent + 1; /* digits before the point */
    if (whole <= 0) {
        pg_buf_puts(out, "0.");
        pg_buf_pad(out, '0', (size_t)-whole);
        pg_buf_add(out, d->digits, (size_t)d->count);
        return;
    }
    pg_buf_add(out, d->digits, (size_t)PG_MIN(whole, d->count));
    if (whole >= d->count) {
        pg_buf_pad(out, '0', (size_t)(whole - d->count));
        return;
    }
    pg_buf_putc(out, '.');
    pg_buf_add(out, d->digits + whole, (size_t)(d->count - whole));
}

/* "1.5e-07", "1e+20". */
static void put_scientific(pg_buf *out, const pg_digits *d)
{
    if (d->negative)
        pg_buf_putc(out, '-');
    pg_buf_putc(out, d->digits[0]);
    if (d->count > 1) {
        pg_buf_putc(out, '.');
        pg_buf_add(out, d->digits + 1, (size_t)d->count - 1);
    }
    pg_buf_printf(out, "e%+03d", d->exponent);
}

void pg_text_g(pg_buf *out, double value, int precision)
{
    pg_digits d;
    if (put_special(out, value))
        return;
    pg_digits_get(PG_F64, value, (pg_digit_limits){.total = true, .last = precision}, &d);
    if (d.exponent >= -4 && d.exponent < precision)
        put_positional(out, &d);
    else
        put_scientific(out, &d);
}

static const pg_digit_limits shortest = {.unique = true, .last = INT_MIN, .first_end = INT_MAX};

void pg_text_repr(pg_buf *out, double value)
{
    pg_text_float(out, PG_F64, value);
}

/* Above what magnitude str() of a scalar turns to the scientific form: 10 to this. */
static double scientific_from(pg_dtype dtype)
{
    return dtype == PG_F16 ? 1e3 : dtype == PG_F32 ? 1e6 : 1e16;
}

static void put_shortest(pg_buf *out, pg_dtype dtype, double value, bool point_zero)
{
    pg_digits d;
    if (put_special(out, value))
        return;
    pg_digits_get(dtype, value, shortest, &d);
    if (value != 0 && (fabs(value) < 1e-4 || fabs(value) >= scientific_from(dtype))) {
        put_scientific(out, &d);
        return;
    }
    put_positional(out, &d);
    if (point_zero && d.exponent >= d.count - 1)
        pg_buf_puts(out, ".0");
}

void pg_text_float(pg_buf *out, pg_dtype dtype, double value)
{
    put_shortest(out, dtype, value, true);
}

void pg_text_complex(pg_buf *out, pg_dtype part, double real, double imaginary)
{
    bool pure = real == 0 && !signbit(real);
    if (!pure) {
        pg_buf_putc(out, '(');
        put_shortest(out, part, real, false);
        if (!signbit(imaginary) || isnan(imaginary))
            pg_buf_putc(out, '+');
    }
    put_shortest(out, part, imaginary, false);
    pg_buf_puts(out, pure ? "j" : "j)");
}

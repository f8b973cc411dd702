/* Floating-point numbers as Python's repr prints them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "json/json.h"

/* Significant digits without a point, and the power of ten of the first one. */
typedef struct digits {
    char text[24];
    int count, exponent;
} digits;

/* printf's decimal point depends on the locale; digits are picked out by kind, so it does not matter here. */
static digits round_to(double value, int precision)
{
    char text[64];
    digits d = {.count = 0};
    snprintf(text, sizeof text, "%.*e", precision - 1, value);
    const char *at = text;
    for (; *at != 'e' && *at != '\0'; at++)
        if (*at >= '0' && *at <= '9' && d.count < precision)
            d.text[d.count++] = *at;
    d.exponent = atoi(at + 1);
    return d;
}

/* The next larger number of as many digits. */
static digits next_up(digits d)
{
    int i = d.count - 1;
    while (i >= 0 && d.text[i] == '9')
        d.text[i--] = '0';
    if (i >= 0) {
        d.text[i]++;
    } else {
        d.text[0] = '1'; /* 999 became 1000 */
        d.exponent++;
    }
    return d;
}

static void drop_zeros(digits *d)
{
    while (d->count > 1 && d->text[d->count - 1] == '0')
        d->count--;
}

static double read_back(const digits *d)
{
    char text[40];
    double value;
    int length = snprintf(text, sizeof text, "%.*se%d", d->count, d->text, d->exponent - (d->count - 1));
    return pg_str_to_f64((pg_str){text, (size_t)length}, &value) ? value : NAN;
}

/* Lays digits out as repr does: plain between 1e-4 and 1e16, else with an exponent of at least two digits. */
static void lay_out(const digits *d, bool negative, char *out)
{
    char *to = out;
    if (negative)
        *to++ = '-';
    int point = d->exponent + 1;
    if (d->exponent < -4 || d->exponent >= 16) {
        *to++ = d->text[0];
        if (d->count > 1) {
            *to++ = '.';
            memcpy(to, d->text + 1, (size_t)d->count - 1);
            to += d->count - 1;
        }
        snprintf(to, PG_JSON_NUMBER_SIZE - 24, "e%c%02d", d->exponent < 0 ? '-' : '+', abs(d->exponent));
        return;
    }
    if (point <= 0) {
        *to++ = '0';
        *to++ = '.';
        for (int i = point; i < 0; i++)
            *to++ = '0';
        memcpy(to, d->text, (size_t)d->count);
        to[d->count] = '\0';
        return;
    }
    for (int i = 0; i < PG_MAX(d->count, point + 1); i++) {
        if (i == point)
            *to++ = '.';
        *to++ = i < d->count ? d->text[i] : '0';
    }
    *to = '\0';
}

/* True when the value needs no digits: writes it. */
static bool special(double value, char *out)
{
    if (isnan(value))
        strcpy(out, "NaN");
    else if (isinf(value))
        strcpy(out, value < 0 ? "-Infinity" : "Infinity");
    else if (value == 0)
        strcpy(out, signbit(value) ? "-0.0" : "0.0");
    else
        return false;
    return true;
}

/* Below a power of two the doubles lie twice as close as above it: the nearest number of so many digits may
 * then read back as the neighbour below while the next larger one still reads back as the value. Whether `d`
 * or that one, left in `d`, reads back. */
static bool reads_back(digits *d, double value, bool single)
{
    for (int step = 0; step < 2; step++) {
        double back = read_back(d);
        if (single ? (float)back == (float)value : back == value)
            return true;
        if (step == 0 && back < value)
            *d = next_up(*d);
        else
            break;
    }
    return false;
}

/* Up to 15 digits survive the way through a double, so when 15 read back, dropping their zeros is the
 * shortest form; only subnormals, which hold fewer digits, need the search from one. */
void pg_json_f64_text(double value, char out[PG_JSON_NUMBER_SIZE])
{
    if (special(value, out))
        return;
    double size = fabs(value);
    digits d;
    for (int precision = size < 2.3e-308 ? 1 : 15; precision <= 17; precision++) {
        d = round_to(size, precision);
        if (precision == 17 || reads_back(&d, size, false))
            break;
    }
    drop_zeros(&d);
    lay_out(&d, value < 0, out);
}

void pg_json_f32_text(float value, char out[PG_JSON_NUMBER_SIZE])
{
    if (special((double)value, out))
        return;
    float size = fabsf(value);
    digits d;
    for (int precision = size < 1.2e-38f ? 1 : 6; precision <= 9; precision++) {
        d = round_to((double)size, precision);
        if (precision == 9 || reads_back(&d, (double)size, true))
            break;
    }
    drop_zeros(&d);
    lay_out(&d, value < 0, out);
}

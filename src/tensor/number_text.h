/* Numbers as decimal text, independent of the locale: the digits that identify a float of 16, 32 or 64 bits,
 * and Python's and NumPy's ways to write them. All conversions are exact. */
#ifndef PG_TENSOR_NUMBER_TEXT_H
#define PG_TENSOR_NUMBER_TEXT_H

#include "base/buf.h"
#include "tensor/dtype.h"

enum { PG_DIGITS_MAX = 64 };

/* 0.d1d2d3... * 10^(exponent + 1): the first digit stands for 10^exponent. Zero is one digit 0 of exponent 0.
 */
typedef struct pg_digits {
    char digits[PG_DIGITS_MAX]; /* '0'..'9', not terminated */
    int count;
    int exponent;
    bool negative;
} pg_digits;

/* Where to stop. Positions are powers of ten; digits below `last` are rounded away, to nearest and ties to
 * even. With `unique`, digits end as soon as they tell the value from its neighbours in its type, but not
 * before position `first_end`. */
typedef struct pg_digit_limits {
    bool unique;
    bool total;    /* last and first_end count digits (1 = one digit) instead of naming positions */
    int last;      /* position, or number of digits; INT_MIN = none (only with unique) */
    int first_end; /* position, or number of digits; INT_MAX = no minimum for positions, 0 for counts */
} pg_digit_limits;

/* Digits of a finite value; `dtype` (PG_F16, PG_F32, PG_F64) says which floats are its neighbours. */
void pg_digits_get(pg_dtype dtype, double value, pg_digit_limits limits, pg_digits *out);

/* Python's format(value, ".<precision>g"), precision 1..40. */
void pg_text_g(pg_buf *out, double value, int precision);
/* Python's repr(float): shortest text that reads back; "1.0", "1e-05", "inf", "nan". */
void pg_text_repr(pg_buf *out, double value);
/* str() of a NumPy scalar of type PG_F16, PG_F32 or PG_F64. */
void pg_text_float(pg_buf *out, pg_dtype dtype, double value);
/* str() of a NumPy complex scalar whose parts are of type PG_F32 or PG_F64. */
void pg_text_complex(pg_buf *out, pg_dtype part, double real, double imaginary);

#endif

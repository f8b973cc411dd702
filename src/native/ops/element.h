/* What an elementwise operator does to one row of elements, apart from the node that asks for it.
 *
 * A kernel with PG_KERNEL_BY_ELEMENT whose op->element is set fills that in and returns, without touching outputs:
 * its inputs then have types and dims, but only those beyond element->n_in have elements. It answers with an error
 * when these inputs are not treated element by element, or are wrong. pg.Chain (chain.c) so runs many operators on
 * one block of elements after the other, by the same functions as the operators alone. */
#ifndef PG_NATIVE_OPS_ELEMENT_H
#define PG_NATIVE_OPS_ELEMENT_H

#include "native/kernel.h"
#include "native/simd/simd.h"
#include "tensor/dtype_convert.h"

enum { PG_ELEMENT_MOST = 3 };

struct pg_element {
    /* z[i] = f(x[0][i * steps[0]], x[1][i * steps[1]], ...) for n elements; a step is 0 or 1. With `in_place` z may
     * be an x that has step 1 and elements of the same size. */
    void (*row)(const pg_element *f, void *z, const void *const *x, size_t n, const int64_t *steps);
    size_t n_in; /* inputs 0 .. n_in - 1 are read element by element */
    pg_dtype
        takes[PG_ELEMENT_MOST]; /* input k is converted to this type first; PG_UNDEFINED: it is as it is */
    pg_dtype result;
    size_t grain; /* elements that are worth a thread */
    bool in_place;
    /* For `row`: */
    void (*loop)(void);
    pg_dtype dtype;
    double a, b;
    pg_act act;
    pg_cast_options cast;
};

/* An element that converts numbers from one type to another. */
pg_element pg_element_cast(pg_dtype from, pg_dtype to, const pg_cast_options *options);

#endif

/* Convolutions by oneDNN, where the user has it: libdnnl of version 3, e.g. from the PyPI package
 * onednn-cpu-gomp.
 *
 * Searched in this order: the path given to pg_onednn_configure, the environment variable POLYGRAPHY_ONEDNN
 * (a path, "auto" to search, "off" for never), the active Python environment, the loader's path. It is loaded
 * at the first use. The answers are those of the portable kernels within rounding.
 *
 * An object is made for fixed shapes and constant weights, which it packs. It is not thread-safe. */
#ifndef PG_NATIVE_ONEDNN_ONEDNN_H
#define PG_NATIVE_ONEDNN_ONEDNN_H

#include "base/status.h"
#include "native/simd/simd.h"

/* Before the first use. `path` NULL: search; `wanted`: whether to search at all when neither a path nor the
 * environment variable is set. */
void pg_onednn_configure(const char *path, bool wanted);
bool pg_onednn_available(void);
/* "3.2.0"; NULL when it is not available. */
const char *pg_onednn_version(void);
/* Why it is not available; NULL when it is. */
const char *pg_onednn_reason(void);

enum { PG_ONEDNN_SPATIAL = 3 };
typedef struct pg_onednn_conv_spec {
    size_t spatial; /* 1 to 3: of the last entries of the arrays */
    int64_t batch, groups, in_channels, out_channels;
    int64_t in[PG_ONEDNN_SPATIAL], out[PG_ONEDNN_SPATIAL], kernel[PG_ONEDNN_SPATIAL];
    int64_t stride[PG_ONEDNN_SPATIAL], dilation[PG_ONEDNN_SPATIAL], pad_begin[PG_ONEDNN_SPATIAL];
    const float *weights; /* (out, in / groups, kernel...), row-major; read once */
    bool bias, add;       /* given when it runs */
    pg_act act;
} pg_onednn_conv_spec;

typedef struct pg_onednn_primitive pg_onednn_primitive;
/* PG_ERR_UNAVAILABLE without the library, PG_ERR_RUNTIME when it refuses. x, y and the addend of a run are
 * channels-last. */
PG_MUST_USE pg_status pg_onednn_conv_new(const pg_onednn_conv_spec *spec, pg_onednn_primitive **out);

PG_MUST_USE pg_status pg_onednn_run(pg_onednn_primitive *primitive, const float *x, const float *bias,
                                    const float *add, float *y);
void pg_onednn_free(pg_onednn_primitive *primitive);

#endif

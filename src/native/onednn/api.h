/* oneDNN's C interface (version 3), as far as it is used: opaque pointers, numbers of its enumerations, and
 * the table of functions that is filled when the library is loaded. Facts of its ABI. */
#ifndef PG_NATIVE_ONEDNN_API_H
#define PG_NATIVE_ONEDNN_API_H

#include "base/dylib.h"
#include "base/status.h"

#include <stdint.h>

enum { DNN_MAX_DIMS = 12 };
typedef int64_t dnn_dims[DNN_MAX_DIMS];
typedef void *dnn_handle; /* engine, stream, descriptor, memory, primitive, attributes */

typedef struct dnn_version {
    int major, minor, patch;
} dnn_version;

typedef struct dnn_arg {
    int arg;
    dnn_handle memory;
} dnn_arg;

enum {
    DNN_CPU = 1,
    DNN_FORWARD_INFERENCE = 96,
    DNN_CONVOLUTION_AUTO = 3,
    DNN_F32 = 3,
    DNN_TAG_ANY = 1,
    DNN_QUERY_WEIGHTS = 131,
    DNN_ARG_SRC = 1,
    DNN_ARG_SRC_1 = 2,
    DNN_ARG_FROM = 1,
    DNN_ARG_DST = 17,
    DNN_ARG_WEIGHTS = 33,
    DNN_ARG_BIAS = 41,
    DNN_ARG_POST_OP = 32768, /* times (index + 1) */
    DNN_BINARY_ADD = 0x1fff0,
    DNN_RELU = 0x20,
    DNN_TANH = 0x21,
    DNN_LINEAR = 0x26,
    DNN_HARDSIGMOID = 0x28,
    DNN_LOGISTIC = 0x29,
    DNN_GELU_TANH = 0x2b,
    DNN_SWISH = 0x2c,
    DNN_CLIP_V2 = 0x2f,
    DNN_GELU_ERF = 0x31,
    DNN_HARDSWISH = 0x34,
};

typedef struct dnn_functions {
    const dnn_version *(*version)(void);
    int (*engine_create)(dnn_handle *, int kind, size_t index);
    int (*stream_create)(dnn_handle *, dnn_handle engine, unsigned flags);
    int (*stream_wait)(dnn_handle);
    int (*desc_with_tag)(dnn_handle *, int n, const dnn_dims, int type, int tag);
    int (*desc_with_strides)(dnn_handle *, int n, const dnn_dims, int type, const dnn_dims);
    int (*desc_destroy)(dnn_handle);
    size_t (*desc_size)(dnn_handle);
    int (*memory_create)(dnn_handle *, dnn_handle desc, dnn_handle engine, void *data);
    int (*memory_set)(dnn_handle, void *data);
    int (*memory_destroy)(dnn_handle);
    int (*convolution)(dnn_handle *, dnn_handle engine, int prop, int algorithm, dnn_handle src,
                       dnn_handle weights, dnn_handle bias, dnn_handle dst, const dnn_dims strides,
                       const dnn_dims dilates, const dnn_dims pad_begin, const dnn_dims pad_end,
                       dnn_handle attributes);
    int (*reorder)(dnn_handle *, dnn_handle src, dnn_handle src_engine, dnn_handle dst, dnn_handle dst_engine,
                   dnn_handle attributes);
    dnn_handle (*query_desc)(dnn_handle, int what, int index);
    int (*primitive_desc_destroy)(dnn_handle);
    int (*primitive_create)(dnn_handle *, dnn_handle primitive_desc);
    int (*primitive_execute)(dnn_handle, dnn_handle stream, int n, const dnn_arg *);
    int (*primitive_destroy)(dnn_handle);
    int (*attr_create)(dnn_handle *);
    int (*attr_destroy)(dnn_handle);
    int (*attr_set_post_ops)(dnn_handle, dnn_handle post_ops);
    int (*post_ops_create)(dnn_handle *);
    int (*post_ops_destroy)(dnn_handle);
    int (*post_ops_eltwise)(dnn_handle, int algorithm, float alpha, float beta);
    int (*post_ops_binary)(dnn_handle, int algorithm, dnn_handle desc);
    void (*omp_set_num_threads)(int); /* of the OpenMP runtime behind it; NULL when it has none */
} dnn_functions;

/* The loaded library with an engine and a stream; NULL when it is not available. */
typedef struct dnn_library {
    dnn_functions call;
    dnn_handle engine, stream;
    dnn_version version;
} dnn_library;
const dnn_library *dnn_get(void);
/* Sets the OpenMP threads to the engine's; before every execution. */
void dnn_use_threads(const dnn_library *library);
/* NULL for 0, else an error that names the call and oneDNN's status. */
PG_MUST_USE pg_status dnn_check(int status, const char *what);

#endif

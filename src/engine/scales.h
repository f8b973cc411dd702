/* Quantization scales of tensors, and the text file that TensorRT keeps them in (the calibration cache).
 *
 * The file: a first line "TRT-<version>-<algorithm>", then one line per tensor, "<name>: <hex>", where the
 * eight hexadecimal digits are the bits of the float32 scale. A name may itself hold colons and blanks: the
 * last colon of the line counts. */
#ifndef PG_ENGINE_SCALES_H
#define PG_ENGINE_SCALES_H

#include "base/arena.h"
#include "base/map.h"
#include "base/status.h"
#include "base/vec.h"

typedef enum pg_calibrator {
    PG_CALIBRATOR_ENTROPY2,
    PG_CALIBRATOR_ENTROPY,
    PG_CALIBRATOR_MINMAX,
    PG_CALIBRATOR_LEGACY,
    PG_CALIBRATORS
} pg_calibrator;
/* "IInt8EntropyCalibrator2", ... as TensorRT names the classes. */
const char *pg_calibrator_class(pg_calibrator calibrator);
/* The class name, with or without the leading "trt."; the error lists the classes. */
PG_MUST_USE pg_status pg_calibrator_parse(pg_str class_name, pg_calibrator *out);

typedef struct pg_scale {
    pg_str tensor;
    float value;  /* real = value * int8; finite and above zero */
    double noise; /* of the tensor rounded to int8, as a part of its power; 0: not known */
} pg_scale;

/* A zeroed struct is empty. */
typedef struct pg_scales {
    PG_VEC(pg_scale) items; /* in file order */
    pg_map by_tensor;       /* its entries stand in the order of `items` */
    pg_arena arena;         /* of the names */
} pg_scales;
void pg_scales_deinit(pg_scales *scales);
/* Adds, or replaces the value of a known tensor. The name is copied. */
void pg_scales_put(pg_scales *scales, pg_str tensor, float value);
/* 0 when the tensor has none. */
/* noise of a tensor; 0 when it is not known */
double pg_scales_noise(const pg_scales *scales, pg_str tensor);
float pg_scales_get(const pg_scales *scales, pg_str tensor);

/* Reads a cache; errors name the path and the line. *out_calibrator is the algorithm of the first line. A file
 * of no bytes gives no scales and PG_CALIBRATORS. */
PG_MUST_USE pg_status pg_scales_read(const char *path, pg_scales *out, pg_calibrator *out_calibrator);
PG_MUST_USE pg_status pg_scales_write(const pg_scales *scales, pg_calibrator calibrator, const char *path);

#endif

/* Scales of a model's floating-point tensors, found by running it on representative inputs.
 *
 * Every float tensor of the main graph gets a histogram of its magnitudes; the calibrator then chooses the
 * largest magnitude T that int8 shall reach, and the scale is T / 127.
 *
 *   entropy, entropy 2   T is the edge among 128 .. 2048 of 2048 bins where the histogram cut at T, with what
 *                        lies beyond put into the last bin, loses least when 128 levels stand for it
 *                        (Kullback-Leibler divergence; S. Migacz, "8-bit inference with TensorRT", 2017).
 *   min-max              T is the largest magnitude.
 *   legacy               T is the magnitude that the share `quantile` of the elements stays below, but at least
 *                        `regression_cutoff` times the largest magnitude.
 *
 * The class IInt8EntropyCalibrator differs from IInt8EntropyCalibrator2 only in the name that a cache bears. */
#ifndef PG_ENGINE_CALIBRATE_H
#define PG_ENGINE_CALIBRATE_H

#include "engine/scales.h"
#include "onnx/onnx.h"
#include "tensor/value.h"

typedef struct pg_calibrate_options {
    pg_calibrator calibrator;
    double quantile, regression_cutoff; /* of the legacy calibrator, in [0, 1] */
    unsigned threads;                   /* 0 = all processors */
} pg_calibrate_options;

/* Fills the zeroed `out` with the inputs of iteration `index`, or sets *end. */
typedef pg_status (*pg_feed_source)(void *context, size_t index, pg_feed *out, bool *end);

/* Runs the model on every feed of the source. PG_ERR_INVALID when the source has none. Elements that are not
 * finite are passed over; a tensor without a finite element other than 0 gets no scale. */
PG_MUST_USE pg_status pg_calibrate(pg_model *model, const pg_calibrate_options *options,
                                   pg_feed_source source, void *context, pg_scales *out);

/* The choice alone, for one histogram of `count` bins of `width` each; `max` is the largest magnitude. */
double pg_calibrate_threshold(const pg_calibrate_options *options, const uint64_t *bins, size_t count,
                              double width, double max);

#endif

/* Between the parts of input specs: what is written in the file, and how it is carried out. */
#ifndef PG_DATA_SPEC_INTERNAL_H
#define PG_DATA_SPEC_INTERNAL_H

#include "data/image.h"
#include "data/internal.h"
#include "data/spec.h"

typedef enum pg_spec_layout { PG_SPEC_NCHW, PG_SPEC_NHWC, PG_SPEC_CHW, PG_SPEC_HWC } pg_spec_layout;
typedef enum pg_spec_colour { PG_SPEC_RGB, PG_SPEC_BGR, PG_SPEC_GREY } pg_spec_colour;

enum { PG_SPEC_CHANNELS = 3 };

/* One input of the model. */
typedef struct pg_spec_input {
    pg_str name;
    const pg_json *json;
    char **paths;
    size_t n_paths;
    bool is_image;
    /* Pictures: done in this order. */
    uint32_t resize_height, resize_width; /* 0: not; width alone 0: the shorter side */
    pg_image_filter filter;
    uint32_t crop_height, crop_width; /* 0: not */
    pg_spec_colour colour;
    pg_spec_layout layout;
    /* Arrays. */
    pg_str array; /* its name in an archive */
    bool split;   /* the first axis counts iterations */
    size_t n_axes;
    int64_t axes[PG_MAX_RANK];
    pg_tensor whole; /* of a split array */
    /* Both: (value / divide - mean) / std. */
    bool scaled;
    size_t n_mean, n_std; /* 0, 1, or one per channel */
    double divide, mean[PG_SPEC_CHANNELS], std[PG_SPEC_CHANNELS];
    pg_dtype dtype; /* PG_UNDEFINED: float32 for pictures, else the array's own */
} pg_spec_input;

/* What the model gets in iteration `index`. */
PG_MUST_USE pg_status pg_spec_make(const pg_spec_input *input, size_t index, pg_tensor *out);
/* The array of a file as it stands there. */
PG_MUST_USE pg_status pg_spec_load_array(const pg_spec_input *input, const char *path, pg_tensor *out);

#endif

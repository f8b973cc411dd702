/* Models written to files and handed to runtimes as bytes. */
#ifndef PG_ONNX_SAVE_H
#define PG_ONNX_SAVE_H

#include "onnx/onnx.h"

/* Above this a model's weights move to an external file even if nobody asked: protobuf readers end at 2 GiB.
 */
#define PG_MODEL_INLINE_LIMIT 2000000000ull

typedef struct pg_model_save_options {
    bool external; /* move initializers to a file beside the model */
    /* Its name, relative to the model's folder; NULL or "": the model's own file name with ".data" after it.
     */
    const char *external_name;
    bool per_tensor;         /* one file per initializer, named after it */
    bool has_threshold;      /* else 1024 */
    uint64_t size_threshold; /* bytes; smaller initializers stay in the model file */
} pg_model_save_options;

/* Writes the model; each file is replaced as a whole or left as it was. Weights that lie in external files of
 * the old place come into the model file unless `options` say otherwise, so that the written model is
 * complete. An unedited model without external data is copied byte for byte. Large parts are copied by the
 * system and do not pass through memory. `options` may be NULL. */
PG_MUST_USE pg_status pg_model_save(const pg_model *model, const char *path,
                                    const pg_model_save_options *options);

/* The model as one piece of memory, external references as they are. *out lies in the mapped file for an
 * unedited model and in `scratch` otherwise. PG_ERR_LIMIT above 2 GiB. */
PG_MUST_USE pg_status pg_model_serialize(const pg_model *model, pg_buf *scratch, pg_str *out);
/* How many bytes that takes. */
uint64_t pg_model_serialized_size(const pg_model *model);
/* Whether any tensor's elements are in external files. */
bool pg_model_has_external(const pg_model *model);

#endif

/* Inputs described in JSON: pictures and arrays from files, and what is done to them before a model gets them. No script
 * is run. docs/formats.md says what such a file holds. */
#ifndef PG_DATA_SPEC_H
#define PG_DATA_SPEC_H

#include "json/json.h"
#include "tensor/value.h"

typedef struct pg_input_spec pg_input_spec;

/* By its extension: .png, .jpg, .jpeg. */
bool pg_is_picture_path(const char *path);
/* Whether a document is such a description: an object with the member "input_spec". */
bool pg_input_spec_is(const pg_json *root);
/* Checks every field and that the files exist; errors name the file, the place in it and what is allowed there. */
PG_MUST_USE pg_status pg_input_spec_open(const char *path, pg_input_spec **out);
size_t pg_input_spec_count(const pg_input_spec *spec); /* iterations */
PG_MUST_USE pg_status pg_input_spec_get(const pg_input_spec *spec, size_t index, pg_feed *out);
void pg_input_spec_close(pg_input_spec *spec); /* NULL is fine */

#endif

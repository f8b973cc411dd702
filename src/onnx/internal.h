/* Private to src/onnx. */
#ifndef PG_ONNX_INTERNAL_H
#define PG_ONNX_INTERNAL_H

#include <pthread.h>

#include "base/vec.h"
#include "onnx/onnx.h"
#include "onnx/proto.h"

/* Reads messages into structs of an arena; views point into the bytes. */
typedef struct pg_parser {
    pg_arena *arena;
    pg_wire_source source;
    unsigned depth; /* messages around the one being read */
} pg_parser;

PG_MUST_USE pg_status pg_parse_model(pg_parser *parser, const pg_wire_message *message, pg_model *out);
PG_MUST_USE pg_status pg_parse_graph(pg_parser *parser, const pg_wire_field *from, pg_graph *out);
PG_MUST_USE pg_status pg_parse_value_info(pg_parser *parser, const pg_wire_field *from, pg_value_info *out);
PG_MUST_USE pg_status pg_parse_weight(pg_parser *parser, const pg_wire_field *from, pg_weight *out);

/* An empty model with one owner. */
pg_model *pg_model_new(void);

/* External files that were opened, once each; safe for several threads. */
typedef struct pg_external {
    pthread_mutex_t lock;
    PG_VEC(struct pg_external_file *) files;
} pg_external;
pg_external *pg_external_new(void);
void pg_external_free(pg_external *external);
/* The opened file whose bytes hold an address; NULL when there is none. */
const pg_file_map *pg_external_find_map(pg_external *external, const char *address);

/* A weight's external bytes inside a mapped file; checks path, offset and length. */
PG_MUST_USE pg_status pg_weight_external_bytes(const pg_model *model, const pg_weight *weight, pg_str *out);

/* Every tensor of a model: initializers, sparse ones, attributes, in subgraphs and functions too. The walk
 * ends with the first error. */
typedef pg_status (*pg_weight_visit)(void *context, const pg_model *model, const pg_weight *weight);
PG_MUST_USE pg_status pg_model_each_weight(const pg_model *model, pg_weight_visit visit, void *context);

static inline pg_dtype pg_dtype_of_number(int32_t number)
{
    return number > 0 && number < PG_DTYPE_COUNT ? (pg_dtype)number : PG_UNDEFINED;
}

#endif

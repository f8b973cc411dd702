/* What flows along an edge of a graph: a tensor, a sequence, a map, an optional. */
#ifndef PG_TENSOR_VALUE_H
#define PG_TENSOR_VALUE_H

#include "tensor/tensor.h"

typedef enum pg_value_kind {
    PG_VALUE_NONE = 0, /* absent: an omitted input, or an optional without a value */
    PG_VALUE_TENSOR,
    PG_VALUE_SEQUENCE,
    PG_VALUE_MAP,
} pg_value_kind;

typedef struct pg_value pg_value;
struct pg_value {
    pg_value_kind kind;
    pg_dtype elem; /* element type of an empty sequence, if known */
    union {
        pg_tensor tensor;
        struct {
            pg_value *items; /* owned */
            size_t count;
        } sequence;
        struct {
            pg_tensor *keys; /* owned; 1-D, strings or integers */
            pg_value *items; /* owned; one value per key */
            size_t count;
        } map;
    };
};

void pg_value_deinit(pg_value *value);
/* Another owner of the same tensors; containers are copied. */
pg_value pg_value_share(const pg_value *value);
static inline pg_value pg_value_of_tensor(pg_tensor tensor) /* takes over the tensor */
{
    return (pg_value){.kind = PG_VALUE_TENSOR, .elem = tensor.dtype, .tensor = tensor};
}

/* An ordered list of named values: a feed, or the outputs of one inference. Names are owned by the list. */
typedef struct pg_named_value {
    char *name;
    pg_value value;
} pg_named_value;
typedef struct pg_feed {
    pg_named_value *items;
    size_t count, cap;
} pg_feed;
/* Appends a copy of the name and takes over the value (a zeroed value may be filled in later). */
pg_value *pg_feed_add(pg_feed *feed, pg_str name, pg_value value);
pg_value *pg_feed_find(const pg_feed *feed, pg_str name); /* NULL when missing */
pg_feed pg_feed_share(const pg_feed *feed);
void pg_feed_deinit(pg_feed *feed);

#endif

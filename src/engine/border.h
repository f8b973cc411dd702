/* The border of an engine: what callers hand in and get, where that is not what its network computes with. Element
 * types are cast, channels-last arrays are taken and given as they lie. */
#ifndef PG_ENGINE_BORDER_H
#define PG_ENGINE_BORDER_H

#include "onnx/onnx.h"
#include "tensor/value.h"

/* How arrays lie in memory, by TensorRT's names. Of HWC and its kin the array's own dims are N,H,W,C (N,D,H,W,C);
 * HWC8 and HWC16 are the same for numbers of channels that need no padding. */
typedef enum pg_io_format {
    PG_IO_LINEAR,
    PG_IO_HWC,
    PG_IO_HWC8,
    PG_IO_HWC16,
    PG_IO_DHWC,
    PG_IO_DHWC8,
    PG_IO_FORMATS
} pg_io_format;
const char *pg_io_format_name(pg_io_format format); /* "HWC8" */
/* In any case of letters; false for a format that engines of the built-in engine do not have. */
bool pg_io_format_parse(pg_str name, pg_io_format *out);

typedef struct pg_io_border {
    pg_str name;    /* an input or output of the network */
    pg_dtype dtype; /* of the caller's arrays; PG_UNDEFINED: the network's */
    pg_io_format format;
} pg_io_border;

struct pg_engine;
struct pg_session;

/* Whether the tensor that `info` states can have the border's type and format: an error says which it can. */
PG_MUST_USE pg_status pg_border_check(const pg_value_info *info, bool input, const pg_io_border *border);
/* After the engine's model, profiles and borders are known: what callers see. */
void pg_border_open(struct pg_engine *engine);
/* NULL for a tensor that goes in or out as the network has it. */
const pg_io_border *pg_border_find(const struct pg_engine *engine, pg_str name);
/* The caller's arrays as the network takes them. `inner` is zeroed by the caller and the caller's on errors too. */
PG_MUST_USE pg_status pg_border_enter(const struct pg_engine *engine, const pg_feed *feed, pg_feed *inner);
/* Tells the session which outputs are wanted channels-last. */
void pg_border_prepare(const struct pg_engine *engine, struct pg_session *session);
/* The network's results as callers get them, in place. */
PG_MUST_USE pg_status pg_border_leave(const struct pg_engine *engine, pg_feed *outputs);

#endif

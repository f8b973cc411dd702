/* The layout of plan files, for those who write and read them.
 *
 *     0    header, which says where the sections are; padded to PG_PLAN_ALIGNMENT
 *     ..   sections, each at a multiple of PG_PLAN_ALIGNMENT
 *
 * What a file holds:
 *
 *     TEXT          always: JSON, what `inspect` shows
 *     NET, NET_WEIGHTS, FORMS, PACKED
 *                   the network as it runs (an ONNX ModelProto after all passes), the elements of its weights that are
 *                   read as they are, the list of packed weights, and those, on pages of their own. For one
 *                   instruction set. Absent with --hardware-compatibility-level ampere_plus, and where they would take
 *                   more than one and a half times the room of the plain weights
 *     MODEL, MODEL_WEIGHTS
 *                   the ONNX model that the network was made of, with plain weights: every processor and later
 *                   versions pack them anew. With --version-compatible, and where there is no NET
 *
 *     BARE          with --refittable and --strip-plan: the ONNX model that was given, without the elements of its
 *                   weights; with --strip-plan there is no other
 *
 * In NET a weight that only packed forms stand for is external data of PG_PACKED_LOCATION; in both models larger weights
 * are external data of PG_PLAN_LOCATION, at offsets from the beginning of the section.
 *
 * Numbers are little-endian. The header has a checksum of its own and one of each section, but PACKED, whose parts have
 * theirs in FORMS: they are compared when a part is first read. */
#ifndef PG_ENGINE_PLAN_FORMAT_H
#define PG_ENGINE_PLAN_FORMAT_H

#include "base/file.h"
#include "engine/engine.h"

enum { PG_PLAN_FORMAT = 3, PG_PLAN_ALIGNMENT = 64, PG_PLAN_PAGE = 4096 };
#define PG_PLAN_MAGIC "\x89PGPLAN\n"
#define PG_PLAN_LOCATION "weights"

typedef enum pg_plan_part {
    PG_PLAN_TEXT,
    PG_PLAN_NET,
    PG_PLAN_NET_WEIGHTS,
    PG_PLAN_FORMS,
    PG_PLAN_PACKED,
    PG_PLAN_MODEL,
    PG_PLAN_MODEL_WEIGHTS,
    PG_PLAN_BARE,
    PG_PLAN_PARTS
} pg_plan_part;

typedef struct pg_plan_section {
    uint64_t offset, size, checksum; /* all 0: absent */
} pg_plan_section;

typedef struct pg_plan_head {
    char magic[8];
    uint32_t format, size; /* of this struct */
    uint64_t file_size;
    pg_plan_section parts[PG_PLAN_PARTS];
    uint64_t checksum; /* of all bytes before this field */
} pg_plan_head;

/* An entry of FORMS; its kind follows, padded to 8 bytes. */
typedef struct pg_plan_form {
    uint32_t node, kind_size;
    uint64_t offset, size, checksum; /* offset from the beginning of PACKED */
} pg_plan_form;

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "plan files are written as they lie in memory");

static inline uint64_t pg_plan_aligned(uint64_t offset, uint64_t alignment)
{
    return (offset + alignment - 1) / alignment * alignment;
}
/* Of the weights of a main graph that lie in a section, in order. */
PG_MUST_USE pg_status pg_plan_weights_checksum(const pg_model *model, uint64_t *out);

#endif

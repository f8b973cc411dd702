/* Constant weights in the forms that kernels read, kept beyond the session that packed them: what makes an engine's file
 * run at once. A form belongs to a node of the main plan, by position, and has the name of a way of packing; one node may
 * have several. Packed bytes are those of one instruction set (pg_forms_layout): another one cannot read them.
 *
 * A session that finds forms uses them where they are and asks for no others: it has frozen (pg_session_freeze) what the
 * session had chosen that packed them, so both compute the same, bit for bit. */
#ifndef PG_NATIVE_FORMS_H
#define PG_NATIVE_FORMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/str.h"

typedef struct pg_form {
    uint32_t node;
    pg_str kind;
    uint64_t size;
    const void *bytes;
    uint64_t checksum;
    bool checked;
    bool stays; /* with weight streaming: in memory after use */
} pg_form;

/* The forms of an engine's file. */
typedef struct pg_forms {
    pg_form *items; /* by node */
    size_t count;
    const char *path;
    /* Weight streaming: called after a node has run, so that its bytes may leave memory; NULL without it. */
    void (*used)(void *context, const pg_form *form);
    void *context;
} pg_forms;

/* `kind` NULL: any. */
pg_form *pg_forms_find(const pg_forms *forms, uint32_t node, const char *kind);
/* The first time compares the checksum: damaged bytes are named and never used. */
PG_MUST_USE pg_status pg_forms_check(const pg_forms *forms, pg_form *form);
void pg_forms_node_ran(const pg_forms *forms, uint32_t node);

/* The instruction set and version of packed bytes: "avx512-2". */
const char *pg_forms_layout(void);
/* "avx512f avx512vnni" for what a layout needs and this processor lacks; "" when it lacks nothing. */
void pg_forms_lacking(pg_str layout, char *out, size_t room);

#endif

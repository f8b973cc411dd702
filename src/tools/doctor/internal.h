/* The pieces of `polygraphy doctor`:
 *
 *     doctor.c    the command: text and JSON
 *     runtimes.c  libraries and programs that are looked for at run time
 *     machine.c   processor, memory, surroundings */
#ifndef PG_TOOLS_DOCTOR_INTERNAL_H
#define PG_TOOLS_DOCTOR_INTERNAL_H

#include "base/arena.h"
#include "base/vec.h"

/* Something that is looked for. Texts are static or in the report's arena; NULL where there is nothing to say. */
typedef struct doctor_part {
    const char *name;
    bool found;
    const char *version, *path;
    const char *how;      /* it was found: "named in POLYGRAPHY_ONNXRUNTIME" */
    const char *details;  /* "providers: CPUExecutionProvider" */
    const char *problem;  /* why it is not usable */
    const char *disables; /* what is not there without it */
    const char *todo;     /* how to get it */
} doctor_part;

/* A fact about the machine. */
typedef struct doctor_fact {
    const char *key, *value;
} doctor_fact;

typedef struct doctor_report {
    pg_arena arena;
    PG_VEC(doctor_part) parts;
    PG_VEC(doctor_fact) facts;
} doctor_report;

void doctor_find_parts(doctor_report *report);
void doctor_find_facts(doctor_report *report);
/* Where a library whose file name starts with `stem` is mapped into this process; NULL when it is not. */
const char *doctor_mapped(pg_arena *arena, const char *stem);
/* The first program of that name on PATH; NULL when there is none. */
const char *doctor_program(pg_arena *arena, const char *name);

#endif

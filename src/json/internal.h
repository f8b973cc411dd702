/* Shared by the files of this folder. */
#ifndef PG_JSON_INTERNAL_H
#define PG_JSON_INTERNAL_H

#include "json/json.h"

/* The text between two quotes with its escapes resolved; they must be well formed (the parser checks). */
pg_str pg_json_unescape(const char *text, size_t size, pg_arena *arena);

#endif

#include "native/tactic.h"

#include "base/alloc.h"

static const struct {
    const char *name;
    pg_tactic_source source;
} tactics[PG_TACTICS] = {
    [PG_TACTIC_RULE] = {"default", PG_SOURCE_NATIVE},
    [PG_TACTIC_TAPS] = {"taps", PG_SOURCE_NATIVE},
    [PG_TACTIC_GATHER] = {"gather", PG_SOURCE_NATIVE},
    [PG_TACTIC_DEPTHWISE] = {"depthwise", PG_SOURCE_NATIVE},
    [PG_TACTIC_WINOGRAD] = {"winograd", PG_SOURCE_WINOGRAD},
    [PG_TACTIC_PACKED] = {"packed", PG_SOURCE_NATIVE},
    [PG_TACTIC_ONEDNN] = {"onednn", PG_SOURCE_ONEDNN},
};

static const char *const sources[PG_TACTIC_SOURCES] = {"NATIVE", "WINOGRAD", "ONEDNN"};

const char *pg_tactic_name(pg_tactic_id tactic)
{
    return tactics[tactic].name;
}

bool pg_tactic_find(pg_str name, pg_tactic_id *out)
{
    for (size_t i = 0; i < PG_TACTICS; i++)
        if (pg_str_is(name, tactics[i].name)) {
            *out = (pg_tactic_id)i;
            return true;
        }
    return false;
}

pg_tactic_source pg_tactic_source_of(pg_tactic_id tactic)
{
    return tactics[tactic].source;
}

const char *pg_tactic_source_name(pg_tactic_source source)
{
    return sources[source];
}

bool pg_tactic_source_find(pg_str name, pg_tactic_source *out)
{
    for (size_t i = 0; i < PG_TACTIC_SOURCES; i++)
        if (pg_str_eq_nocase(name, pg_str_c(sources[i]))) {
            *out = (pg_tactic_source)i;
            return true;
        }
    return false;
}

#include <stdlib.h>
#include <string.h>

#include "api/internal.h"
#include "base/version.h"
#include "log/log.h"

static _Thread_local pg_status last;
static bool level_chosen;

void polygraphy_set_log_level(polygraphy_log_level level)
{
    pg_severity severity = PG_CRITICAL;
    static const pg_severity known[] = {PG_EXTRA_VERBOSE, PG_VERBOSE, PG_INFO, PG_WARNING, PG_ERROR};
    for (size_t i = PG_COUNT(known); i-- > 0;)
        if ((int)level <= (int)known[i])
            severity = known[i];
    level_chosen = true;
    pg_log_set_severity(PG_STR_EMPTY, severity);
}

void pg_api_begin(void)
{
    if (!level_chosen)
        polygraphy_set_log_level(POLYGRAPHY_LOG_SILENT);
    pg_status_drop(last);
    last = NULL;
}

polygraphy_code pg_api_end(pg_status status)
{
    last = status;
    switch (pg_status_code(status)) {
    case PG_OK:
        return POLYGRAPHY_OK;
    case PG_ERR_NOT_FOUND:
        return POLYGRAPHY_NOT_FOUND;
    case PG_ERR_IO:
        return POLYGRAPHY_IO;
    case PG_ERR_UNAVAILABLE:
        return POLYGRAPHY_UNAVAILABLE;
    case PG_ERR_UNSUPPORTED:
        return POLYGRAPHY_UNSUPPORTED;
    case PG_ERR_RUNTIME:
        return POLYGRAPHY_RUNTIME;
    case PG_ERR_LIMIT:
        return POLYGRAPHY_LIMIT;
    case PG_ERR_NO_MEMORY:
        return POLYGRAPHY_NO_MEMORY;
    case PG_ERR_INTERRUPTED:
        return POLYGRAPHY_INTERRUPTED;
    case PG_ERR_INVALID:
    case PG_ERR_USAGE:
    case PG_ERR_FAILED:
        break;
    }
    return POLYGRAPHY_INVALID;
}

const char *polygraphy_error_message(void)
{
    return pg_status_message(last);
}

const char *polygraphy_version(void)
{
    return PG_VERSION;
}

void polygraphy_free_text(char *text)
{
    free(text);
}

void pg_api_options(void *out, size_t size, const void *options)
{
    size_t given = 0;
    if (options != NULL)
        memcpy(&given, options, sizeof given); /* the first member of every such struct */
    memcpy(out, options != NULL ? options : out, PG_MIN(given, size));
}

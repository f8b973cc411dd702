/* Conversions between strings and numbers. */
#include "tensor/internal.h"

pg_status pg_cast_from_strings(const pg_tensor *in, const pg_cast_options *options, pg_tensor *out)
{
    return pg_err(PG_ERR_UNSUPPORTED, "strings cannot be converted to numbers yet");
}

pg_status pg_cast_to_strings(const pg_tensor *in, pg_tensor *out)
{
    *out = (pg_tensor){0};
    return pg_err(PG_ERR_UNSUPPORTED, "numbers cannot be converted to strings yet");
}

/* Where in a document something is wrong. */
#include <stdlib.h>

#include "data/internal.h"

static bool is_word(pg_str key)
{
    for (size_t i = 0; i < key.len; i++) {
        char c = key.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'))
            return false;
    }
    return key.len > 0;
}

static void put_place(pg_buf *out, const pg_place *place)
{
    if (place == NULL)
        return;
    put_place(out, place->up);
    if (place->key.ptr == NULL)
        pg_buf_printf(out, "[%zu]", place->index);
    else if (is_word(place->key))
        pg_buf_printf(out, "%s%" PG_STR_FMT, out->len > 0 ? "." : "", PG_STR_ARG(place->key));
    else
        pg_buf_printf(out, "['%" PG_STR_FMT "']", PG_STR_ARG(place->key));
}

pg_status pg_place_context(pg_status status, const pg_json_doc *doc, const pg_place *place,
                           const pg_json *value)
{
    if (status == NULL)
        return NULL;
    pg_buf path = {0};
    put_place(&path, place);
    status =
        pg_status_context(status, "'%s'%s%s, value at byte %llu, line %llu", doc->map.path,
                          path.len > 0 ? ": " : "", pg_buf_cstr(&path), (unsigned long long)value->offset,
                          (unsigned long long)pg_json_line(doc->map.data, doc->map.size, value->offset));
    pg_buf_deinit(&path);
    return status;
}

pg_status pg_place_err(pg_code code, const pg_json_doc *doc, const pg_place *place, const pg_json *value,
                       const char *format, ...)
{
    va_list args;
    va_start(args, format);
    pg_status status = pg_err_v(code, format, args);
    va_end(args);
    return pg_place_context(status, doc, place, value);
}

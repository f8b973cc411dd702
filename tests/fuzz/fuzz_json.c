/* Any bytes as JSON. What is accepted can be written, and what was written reads and writes the same again.
 */
#include <string.h>

#include "fuzz/fuzz.h"
#include "json/json.h"

static void write_value(pg_json_writer *w, const pg_json *value, pg_arena *arena)
{
    pg_str text;
    double number;
    int64_t integer;
    switch ((pg_json_kind)value->kind) {
    case PG_JSON_NULL:
        pg_json_put_null(w);
        break;
    case PG_JSON_BOOL:
        pg_json_put_bool(w, value->truth);
        break;
    case PG_JSON_NUMBER:
        FUZZ_CHECK(pg_json_f64(value, &number) || value->count > 64);
        if (pg_json_i64(value, &integer))
            pg_json_put_i64(w, integer);
        else if (pg_json_f64(value, &number))
            pg_json_put_f64(w, number);
        else
            pg_json_put_null(w);
        break;
    case PG_JSON_STRING:
        FUZZ_CHECK(pg_json_text(value, arena, &text));
        pg_json_put_str(w, text);
        break;
    case PG_JSON_ARRAY:
        pg_json_begin_array(w);
        for (size_t i = 0; i < value->count; i++)
            write_value(w, &value->items[i], arena);
        pg_json_end_array(w);
        break;
    case PG_JSON_OBJECT:
        pg_json_begin_object(w);
        for (size_t i = 0; i < value->count; i++) {
            pg_json_key_str(w, value->members[i].key);
            write_value(w, &value->members[i].value, arena);
        }
        pg_json_end_object(w);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pg_arena arena = {0};
    pg_json first, second;
    pg_buf written = {0}, again = {0};
    pg_json_writer w;
    pg_status status = pg_json_parse(data, size, "fuzz", &arena, &first);
    if (status == NULL) {
        pg_json_to_memory(&w, &written, 4);
        write_value(&w, &first, &arena);
        pg_status bad = pg_json_parse(written.ptr, written.len, "written", &arena, &second);
        FUZZ_CHECK(bad == NULL);
        pg_json_to_memory(&w, &again, 4);
        write_value(&w, &second, &arena);
        FUZZ_CHECK(pg_str_eq(pg_buf_str(&written), pg_buf_str(&again)));
    }
    pg_status_drop(status);
    pg_buf_deinit(&written);
    pg_buf_deinit(&again);
    pg_arena_deinit(&arena);
    return 0;
}

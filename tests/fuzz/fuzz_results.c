/* Any bytes as a file of run results or of inputs. What was read can be saved, and reads again. */
#include <string.h>

#include "data/internal.h"
#include "fuzz/fuzz.h"

static pg_status read_results(const void *bytes, uint64_t size, pg_run_results *out)
{
    pg_json_doc doc = {.map = {.data = bytes, .size = size, .path = (char *)"fuzz"}};
    pg_status status = pg_json_parse(bytes, size, "fuzz", &doc.arena, &doc.root);
    if (status == NULL)
        status = pg_json_get_results(&doc, out);
    pg_arena_deinit(&doc.arena);
    return status;
}

static pg_status read_inputs(const void *bytes, uint64_t size, pg_feed *out)
{
    pg_json_doc doc = {.map = {.data = bytes, .size = size, .path = (char *)"fuzz"}};
    pg_status status = pg_json_parse(bytes, size, "fuzz", &doc.arena, &doc.root);
    if (status == NULL)
        status = pg_json_get_feed(&doc, NULL, &doc.root, out);
    pg_arena_deinit(&doc.arena);
    return status;
}

static void check_round_trip(const pg_run_results *results)
{
    pg_buf text = {0};
    pg_json_writer w;
    pg_run_results back = {0};
    pg_json_to_memory(&w, &text, 4);
    pg_status status = pg_data_put_results(&w, results);
    FUZZ_CHECK(status == NULL);
    status = read_results(text.ptr, text.len, &back);
    FUZZ_CHECK(status == NULL && back.count == results->count);
    pg_run_results_deinit(&back);
    pg_buf_deinit(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pg_run_results results = {0};
    pg_feed feed = {0};
    pg_status status = read_results(data, size, &results);
    if (status == NULL)
        check_round_trip(&results);
    pg_status_drop(status);
    pg_run_results_deinit(&results);
    pg_status_drop(read_inputs(data, size, &feed));
    pg_feed_deinit(&feed);
    return 0;
}

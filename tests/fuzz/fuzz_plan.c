/* Any bytes as an engine's file: loaded, checked, described and run. Half of the runs make the checksums fit first, so that
 * what is behind them is reached. */
#include <string.h>
#include <unistd.h>

#include "base/checksum.h"
#include "engine/engine_text.h"
#include "engine/plan_format.h"
#include "fuzz/fuzz.h"

enum { MOST_ELEMENTS = 512, MOST_BYTES = 4 << 20 };

static bool is_inside(const pg_plan_section *part, size_t size)
{
    return part->offset <= size && part->size <= size - part->offset;
}

static void fit_forms(uint8_t *data, size_t size, const pg_plan_head *head)
{
    const pg_plan_section *list = &head->parts[PG_PLAN_FORMS], *packed = &head->parts[PG_PLAN_PACKED];
    if (!is_inside(list, size) || !is_inside(packed, size))
        return;
    for (uint64_t at = 0; at + sizeof(pg_plan_form) <= list->size;) {
        pg_plan_form entry;
        memcpy(&entry, data + list->offset + at, sizeof entry);
        if (entry.offset <= packed->size && entry.size <= packed->size - entry.offset)
            entry.checksum = pg_checksum(data + packed->offset + entry.offset, entry.size);
        memcpy(data + list->offset + at, &entry, sizeof entry);
        at += sizeof entry + pg_plan_aligned(entry.kind_size, 8);
    }
}

/* The weights' checksums stay as they are: those of the seeds fit until their bytes change. */
static void fit_checksums(uint8_t *data, size_t size)
{
    pg_plan_head head;
    if (size < sizeof head)
        return;
    memcpy(&head, data, sizeof head);
    head.file_size = size;
    fit_forms(data, size, &head);
    for (size_t i = 0; i < PG_PLAN_PARTS; i++)
        if (i != PG_PLAN_NET_WEIGHTS && i != PG_PLAN_MODEL_WEIGHTS && i != PG_PLAN_PACKED &&
            is_inside(&head.parts[i], size))
            head.parts[i].checksum = pg_checksum(data + head.parts[i].offset, head.parts[i].size);
    head.checksum = pg_checksum(&head, offsetof(pg_plan_head, checksum));
    memcpy(data, &head, sizeof head);
}

static bool give_inputs(const pg_engine *engine, pg_feed *feed)
{
    if (engine->n_profiles == 0)
        return false;
    for (size_t i = 0; i < engine->profiles[0].count; i++) {
        const pg_shape_range *range = &engine->profiles[0].items[i];
        pg_tensor tensor;
        uint64_t count;
        if (!pg_dims_count(range->rank, range->opt, &count) || count > MOST_ELEMENTS)
            return false;
        pg_status status = pg_tensor_alloc(&tensor, PG_F32, range->rank, range->opt);
        if (status != NULL) {
            pg_status_drop(status);
            return false;
        }
        memset(tensor.data, 0, pg_tensor_bytes(&tensor));
        pg_feed_add(feed, range->input, pg_value_of_tensor(tensor));
    }
    return true;
}

static void run(pg_engine *engine)
{
    pg_session *session = NULL;
    pg_feed feed = {0}, outputs = {0};
    engine->workspace = MOST_BYTES;
    pg_status status =
        pg_engine_open(engine, &(pg_native_options){.threads = 1, .max_loop_iterations = 20}, &session);
    if (status == NULL && give_inputs(engine, &feed))
        status = pg_session_run(session, &feed, &outputs);
    pg_status_drop(status);
    if (session != NULL)
        pg_engine_close(engine, session);
    pg_feed_deinit(&feed);
    pg_feed_deinit(&outputs);
}

static void look_at(const char *path)
{
    pg_engine *engine;
    pg_buf text = {0};
    pg_status status = pg_engine_load(path, &engine);
    if (status != NULL) {
        pg_status_drop(status);
        return;
    }
    pg_engine_text(engine, &(pg_engine_text_options){true, true, true}, &text);
    pg_status_drop(pg_engine_check(engine));
    run(engine);
    pg_buf_deinit(&text);
    pg_engine_unref(engine);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[] = "/dev/shm/fuzz-plan-XXXXXX";
    uint8_t *copy = malloc(size + 1);
    memcpy(copy, data, size);
    int fd = mkstemp(path);
    FUZZ_CHECK(fd >= 0);
    for (int fitting = 0; fitting < 2; fitting++) {
        if (fitting == 1)
            fit_checksums(copy, size);
        FUZZ_CHECK(pwrite(fd, copy, size, 0) == (ssize_t)size && ftruncate(fd, (off_t)size) == 0);
        look_at(path);
    }
    close(fd);
    unlink(path);
    free(copy);
    return 0;
}

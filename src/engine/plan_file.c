/* Writing plan files (plan_format.h). */
#include "base/alloc.h"
#include "base/checksum.h"
#include "engine/internal.h"
#include "engine/plan_format.h"
#include "engine/plan_text.h"
#include "onnx/build.h"
#include "onnx/edit.h"
#include "onnx/save.h"

enum { INLINE_LIMIT = 1024 };

/* A model on its way into the file. */
typedef struct written_model {
    const pg_model *from;
    pg_buf scratch;
    pg_str bytes;
    PG_VEC(const pg_weight *) moved; /* in order of their offsets */
    uint64_t size, checksum;         /* of the moved weights */
} written_model;

typedef struct plan_writer {
    const pg_engine *engine;
    pg_writer file;
    pg_plan_head head;
    pg_buf text, index;
    written_model net, model;
    pg_buf bare_scratch;
    pg_str bare;
    pg_form *forms;
    size_t n_forms;
    uint64_t packed_size;
} plan_writer;

/* ---- Models with their weights apart ---- */

static bool moves(const pg_weight *weight, uint64_t *out_size)
{
    return weight->dtype != PG_STRING && !pg_engine_is_packed(weight) && pg_weight_bytes(weight, out_size) &&
           *out_size >= INLINE_LIMIT;
}

/* The model with its larger weights named as external; their places follow from the order. */
static pg_status move_weights(written_model *w, pg_model **out)
{
    pg_arena arena = {0};
    pg_wire_message *root, *graph;
    const pg_graph *from = w->from->graph;
    pg_status status = pg_model_edit(&arena, w->from, &root, &graph);
    if (status != NULL) {
        pg_arena_deinit(&arena);
        return status;
    }
    pg_wire_remove(graph, PG_PB_GRAPH_WEIGHT);
    for (size_t i = 0; i < from->n_weights; i++) {
        const pg_weight *weight = &from->weights[i];
        pg_wire_message *tensor = (pg_wire_message *)weight->wire;
        uint64_t size;
        if (moves(weight, &size)) {
            tensor = pg_build_external_tensor(&arena, pg_arena_cstr(&arena, weight->name), weight->dtype,
                                              weight->rank, weight->dims, PG_PLAN_LOCATION, w->size, size);
            w->size = pg_plan_aligned(w->size + size, PG_PLAN_ALIGNMENT);
            PG_VEC_PUSH(&w->moved, weight);
        }
        pg_wire_add_message(&arena, graph, PG_PB_GRAPH_WEIGHT, tensor);
    }
    return pg_model_from_wire(&arena, root, w->from, "plan", out);
}

static uint64_t add_to_checksum(uint64_t sum, const pg_tensor *tensor)
{
    return (sum ^ pg_checksum(tensor->data, pg_tensor_bytes(tensor))) * 0xff51afd7ed558ccdu;
}

static pg_status write_model(written_model *w, const pg_model *from)
{
    pg_model *moved;
    w->from = from;
    PG_TRY(move_weights(w, &moved));
    pg_status status = pg_model_serialize(moved, &w->scratch, &w->bytes);
    if (status == NULL && w->scratch.len == 0) { /* the bytes lie in the model */
        pg_buf_add(&w->scratch, w->bytes.ptr, w->bytes.len);
        w->bytes = pg_buf_str(&w->scratch);
    }
    pg_model_unref(moved);
    for (size_t i = 0; i < w->moved.len && status == NULL; i++) {
        pg_tensor tensor;
        status = pg_weight_load(from, w->moved.items[i], &tensor);
        if (status != NULL)
            break;
        w->checksum = add_to_checksum(w->checksum, &tensor);
        pg_tensor_deinit(&tensor);
    }
    return status;
}

pg_status pg_plan_weights_checksum(const pg_model *model, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < model->graph->n_weights; i++) {
        pg_tensor tensor;
        const pg_weight *weight = &model->graph->weights[i];
        if (weight->storage != PG_STORED_EXTERNAL || !pg_str_is(weight->location, PG_PLAN_LOCATION))
            continue;
        PG_TRY(pg_weight_view(model, weight, &tensor));
        *out = add_to_checksum(*out, &tensor);
        pg_tensor_deinit(&tensor);
    }
    return NULL;
}

/* ---- What goes into the file ---- */

/* Packed bytes on pages of their own, so that they can leave memory one by one. */
static uint64_t alignment_of(uint64_t size)
{
    return size >= PG_PLAN_PAGE ? PG_PLAN_PAGE : PG_PLAN_ALIGNMENT;
}

static void list_forms(plan_writer *w)
{
    w->n_forms = pg_session_forms(w->engine->session, &w->forms);
    for (size_t i = 0; i < w->n_forms; i++) {
        pg_form *form = &w->forms[i];
        static const char zeros[8];
        pg_plan_form entry = {form->node, (uint32_t)form->kind.len,
                              pg_plan_aligned(w->packed_size, alignment_of(form->size)), form->size,
                              pg_checksum(form->bytes, form->size)};
        pg_buf_add(&w->index, &entry, sizeof entry);
        pg_buf_add(&w->index, form->kind.ptr, form->kind.len);
        pg_buf_add(&w->index, zeros, pg_plan_aligned(form->kind.len, 8) - form->kind.len);
        w->packed_size = entry.offset + form->size;
    }
}

static pg_status collect(plan_writer *w)
{
    const pg_engine *engine = w->engine;
    if (engine->bare != NULL)
        PG_TRY(pg_model_serialize(engine->bare, &w->bare_scratch, &w->bare));
    if (engine->stripped) {
        pg_engine_describe(engine, "", &w->text);
        return NULL;
    }
    if (engine->net != NULL) {
        list_forms(w);
        PG_TRY(write_model(&w->net, engine->net));
    }
    if (engine->net == NULL || engine->version_compatible)
        PG_TRY(write_model(&w->model, engine->model));
    pg_engine_describe(engine, engine->net != NULL ? pg_forms_layout() : "", &w->text);
    return NULL;
}

/* ---- The file ---- */

static void place(plan_writer *w, pg_plan_part part, uint64_t size, uint64_t checksum)
{
    const uint64_t alignment = part == PG_PLAN_PACKED ? alignment_of(size) : PG_PLAN_ALIGNMENT;
    w->head.parts[part] = (pg_plan_section){pg_plan_aligned(w->head.file_size, alignment), size, checksum};
    w->head.file_size = w->head.parts[part].offset + size;
}

static void place_model(plan_writer *w, pg_plan_part part, const written_model *model)
{
    place(w, part, model->bytes.len, pg_checksum(model->bytes.ptr, model->bytes.len));
    place(w, part + 1, model->size, model->checksum);
}

static void place_all(plan_writer *w)
{
    w->head = (pg_plan_head){.magic = PG_PLAN_MAGIC, .format = PG_PLAN_FORMAT, .size = sizeof w->head};
    w->head.file_size = sizeof w->head;
    place(w, PG_PLAN_TEXT, w->text.len, pg_checksum(w->text.ptr, w->text.len));
    if (w->net.from != NULL) {
        place_model(w, PG_PLAN_NET, &w->net);
        place(w, PG_PLAN_FORMS, w->index.len, pg_checksum(w->index.ptr, w->index.len));
    }
    if (w->model.from != NULL)
        place_model(w, PG_PLAN_MODEL, &w->model);
    if (w->bare.len > 0)
        place(w, PG_PLAN_BARE, w->bare.len, pg_checksum(w->bare.ptr, w->bare.len));
    if (w->net.from != NULL)
        place(w, PG_PLAN_PACKED, w->packed_size, 0);
    w->head.checksum = pg_checksum(&w->head, offsetof(pg_plan_head, checksum));
}

static void write_at(plan_writer *w, pg_plan_part part, pg_str bytes)
{
    pg_writer_align(&w->file, PG_PLAN_ALIGNMENT);
    PG_ASSERT(w->file.offset == w->head.parts[part].offset);
    pg_writer_add_str(&w->file, bytes);
}

static pg_status write_moved(plan_writer *w, pg_plan_part part, const written_model *model)
{
    write_at(w, part, model->bytes);
    pg_writer_align(&w->file, PG_PLAN_ALIGNMENT);
    for (size_t i = 0; i < model->moved.len; i++) {
        pg_tensor tensor;
        PG_TRY(pg_weight_load(model->from, model->moved.items[i], &tensor));
        pg_writer_add(&w->file, tensor.data, pg_tensor_bytes(&tensor));
        pg_writer_align(&w->file, PG_PLAN_ALIGNMENT);
        pg_tensor_deinit(&tensor);
    }
    return NULL;
}

static void write_packed(plan_writer *w)
{
    pg_writer_align(&w->file, alignment_of(w->packed_size));
    const uint64_t begin = w->file.offset;
    for (size_t i = 0; i < w->n_forms; i++) {
        pg_writer_align(&w->file, alignment_of(w->forms[i].size));
        pg_writer_add(&w->file, w->forms[i].bytes, w->forms[i].size);
    }
    PG_ASSERT(w->file.offset - begin == w->packed_size);
}

static pg_status write_all(plan_writer *w)
{
    PG_TRY(collect(w));
    place_all(w);
    pg_writer_add(&w->file, &w->head, sizeof w->head);
    write_at(w, PG_PLAN_TEXT, pg_buf_str(&w->text));
    if (w->net.from != NULL) {
        PG_TRY(write_moved(w, PG_PLAN_NET, &w->net));
        write_at(w, PG_PLAN_FORMS, pg_buf_str(&w->index));
    }
    if (w->model.from != NULL)
        PG_TRY(write_moved(w, PG_PLAN_MODEL, &w->model));
    if (w->bare.len > 0)
        write_at(w, PG_PLAN_BARE, w->bare);
    if (w->net.from != NULL)
        write_packed(w);
    return NULL;
}

static void free_model(written_model *model)
{
    pg_buf_deinit(&model->scratch);
    PG_VEC_FREE(&model->moved);
}

pg_status pg_engine_save(const pg_engine *engine, const char *path)
{
    plan_writer w = {.engine = engine};
    pg_status status = pg_writer_open(&w.file, path);
    if (status == NULL) {
        status = write_all(&w);
        if (status == NULL)
            status = pg_writer_commit(&w.file);
        else
            pg_writer_abandon(&w.file);
    }
    free_model(&w.net);
    free_model(&w.model);
    pg_buf_deinit(&w.bare_scratch);
    pg_buf_deinit(&w.text);
    pg_buf_deinit(&w.index);
    free(w.forms);
    return pg_status_context(status, "while saving the engine '%s'", path);
}

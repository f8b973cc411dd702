/* What the programs that write models share: weights, nodes, the command line
 *
 *     PROGRAM --list
 *     PROGRAM FOLDER NAME...
 *
 * A model is made by a function in a table; the same name gives the same bytes every time. */
#ifndef TESTS_TOOLS_MAKER_H
#define TESTS_TOOLS_MAKER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "onnx/build.h"
#include "onnx/edit.h"
#include "onnx/save.h"

/* What a model is made in. */
typedef struct maker {
    pg_arena arena;
    pg_wire_message *graph;
    const char *folder, *name;
    uint64_t random;
    int64_t opset;
} maker;

/* A double in [-1, 1). */
static double next_random(maker *m)
{
    m->random = m->random * 6364136223846793005ull + 1442695040888963407ull;
    return (double)(int64_t)m->random * 0x1p-63;
}

static uint64_t count_of(size_t rank, const int64_t *dims)
{
    uint64_t count = 1;
    for (size_t i = 0; i < rank; i++)
        count *= (uint64_t)dims[i];
    return count;
}

enum { MOST_DIMS = 4 };

/* "16,32" -> dims; returns the rank. */
static size_t read_dims(const char *text, int64_t dims[MOST_DIMS])
{
    pg_str rest = text[0] != '\0' ? pg_str_c(text) : PG_STR_EMPTY, part;
    size_t rank = 0;
    while (rank < MOST_DIMS && pg_str_split(&rest, ',', &part))
        if (!pg_str_to_i64(part, &dims[rank++]))
            PG_BUG("bad dims '%s'", text);
    return rank;
}

static void add_raw(maker *m, const char *name, pg_dtype dtype, const char *dims_text, const void *data)
{
    int64_t dims[MOST_DIMS];
    pg_tensor tensor;
    size_t rank = read_dims(dims_text, dims);
    pg_status status = pg_tensor_borrow(&tensor, dtype, rank, dims, data);
    if (status != NULL)
        PG_BUG("weight '%s': %s", name, pg_status_message(status));
    pg_build_weight(&m->arena, m->graph, pg_build_tensor(&m->arena, name, &tensor));
}

/* A weight of random floats around `center`, scaled as usual for the number of values that are summed. */
static void add_floats(maker *m, const char *name, const char *dims_text, double center, double scale)
{
    int64_t dims[MOST_DIMS];
    uint64_t count = count_of(read_dims(dims_text, dims), dims);
    float *values = PG_ARENA_ARRAY(&m->arena, float, count);
    for (uint64_t i = 0; i < count; i++)
        values[i] = (float)(center + scale * next_random(m));
    add_raw(m, name, PG_F32, dims_text, values);
}

static void add_int64s(maker *m, const char *name, const char *list)
{
    int64_t values[MOST_DIMS];
    char dims[32];
    snprintf(dims, sizeof dims, "%zu", read_dims(list, values));
    add_raw(m, name, PG_I64, dims, values);
}

static pg_wire_message *node(maker *m, const char *op, const char *inputs, const char *outputs)
{
    char name[64];
    snprintf(name, sizeof name, "%s_%s", op, outputs);
    name[strcspn(name, ",")] = '\0';
    return pg_build_node(&m->arena, m->graph, op, name, inputs, outputs);
}

static void input(maker *m, const char *name, pg_dtype dtype, const char *dims)
{
    pg_build_input(&m->arena, m->graph, name, dtype, dims);
}

static void output(maker *m, const char *name, pg_dtype dtype, const char *dims)
{
    pg_build_output(&m->arena, m->graph, name, dtype, dims);
}

static void ints(maker *m, pg_wire_message *n, const char *name, const char *list)
{
    int64_t values[MOST_DIMS];
    size_t count = read_dims(list, values);
    pg_build_attr_ints(&m->arena, n, name, count, values);
}

typedef struct model_row {
    const char *name, *what;
    void (*make)(maker *m);
    void (*finish)(maker *m, pg_wire_message *model);
} model_row;

static uint64_t seed_of(const char *name)
{
    uint64_t seed = 5381;
    for (; *name != '\0'; name++)
        seed = seed * 33 + (unsigned char)*name;
    return seed;
}

static pg_status write_model(const model_row *row, const char *folder)
{
    maker m = {.folder = folder, .name = row->name, .random = seed_of(row->name), .opset = 17};
    pg_model *model = NULL;
    m.graph = pg_build_graph(&m.arena, row->name);
    row->make(&m);
    pg_wire_message *root = pg_build_model(&m.arena, m.graph, m.opset);
    if (m.opset > 20) {
        pg_wire_remove(root, PG_PB_MODEL_IR_VERSION);
        pg_wire_add_int(&m.arena, root, PG_PB_MODEL_IR_VERSION, 13);
    }
    if (row->finish != NULL)
        row->finish(&m, root);
    pg_buf text = {0};
    pg_buf_printf(&text, "%s/%s.onnx", folder, row->name);
    pg_status status = pg_model_from_wire(&m.arena, root, NULL, row->name, &model);
    if (status == NULL) {
        model->ignore_external_data = true; /* references stay as they are */
        status = pg_model_save(model, pg_buf_cstr(&text), NULL);
    }
    pg_model_unref(model);
    pg_buf_deinit(&text);
    return status;
}

static const model_row *find_row(const model_row *rows, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

static int maker_main(const model_row *rows, size_t count, int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (size_t i = 0; i < count; i++)
            printf("%-12s %s\n", rows[i].name, rows[i].what);
        return 0;
    }
    if (argc < 3) {
        fprintf(stderr, "usage: %s FOLDER NAME...  |  %s --list\n", argv[0], argv[0]);
        return 2;
    }
    for (int i = 2; i < argc; i++) {
        const model_row *row = find_row(rows, count, argv[i]);
        pg_status status = row == NULL ? pg_err(PG_ERR_INVALID, "there is no model '%s', see --list", argv[i])
                                       : write_model(row, argv[1]);
        if (status != NULL) {
            fprintf(stderr, "%s: %s\n", argv[0], pg_status_message(status));
            pg_status_drop(status);
            return 1;
        }
    }
    return 0;
}

#endif

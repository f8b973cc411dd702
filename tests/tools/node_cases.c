/* Runs the ONNX standard's node test cases (scripts/gen_node_cases.py) through the built-in engine.
 *
 *     node_cases [-v] [-q] [-x] [-s] [-d FOLDER] [PATTERN...]
 *
 * Patterns are shell wildcards over case names; without one all cases run. Prints a line per case that does
 * not pass (-v: for every case), and a summary. Each case runs in its own process, so a crash is a result
 * like any other. -x: nothing is optimised (every node runs as written).
 * -s: as -x, and what shape inference says of every tensor, without the types that the file states for anything but its
 * inputs, must be what the run makes; an operator whose output is of unknown type or rank is counted as unknown. The exit status is 1 when a case
 * failed or crashed; an operator without a kernel is "unsupported" and does not count. */
#include <fnmatch.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/vec.h"
#include "native/native.h"
#include "onnx/wire.h"
#include "shapes/shapes.h"

enum outcome { PASS, FAIL, UNSUPPORTED, CRASH, N_OUTCOMES };
enum { FIRST_EXIT = 40 }; /* exit statuses of children; others are crashes and sanitizers */
static const char *const outcome_names[] = {"pass", "FAIL", "unsupported", "CRASH"};

static bool verbose, quiet, unoptimized, check_types;

typedef struct case_value {
    bool is_output;
    char kind[16], name[512], file[512];
    double rtol, atol; /* negative: the case's */
} case_value;

typedef struct node_case {
    double rtol, atol;
    PG_VEC(case_value) values;
    PG_VEC(pg_file_map) maps; /* open: tensors point into them */
    pg_model *model;
    pg_session *session;
    pg_feed feed, wanted, results;
} node_case;

/* Cases whose outputs are random numbers: only type and shape are compared. */
static bool is_random(const char *name)
{
    return strncmp(name, "test_bernoulli", 14) == 0;
}

static pg_status read_case(const char *folder, node_case *out)
{
    char path[4096];
    pg_buf text = {0};
    snprintf(path, sizeof path, "%s/case.txt", folder);
    PG_TRY(pg_file_read(path, 1 << 20, &text));
    out->rtol = 1e-3;
    out->atol = 1e-7;
    pg_str rest = pg_buf_str(&text), line;
    while (pg_str_split(&rest, '\n', &line)) {
        char buffer[2048], side[16];
        case_value value = {0};
        snprintf(buffer, sizeof buffer, "%" PG_STR_FMT, PG_STR_ARG(line));
        if (sscanf(buffer, "rtol %lf", &out->rtol) == 1 || sscanf(buffer, "atol %lf", &out->atol) == 1)
            continue;
        value.rtol = value.atol = -1;
        if (sscanf(buffer, "%15s %15s %511s %511s %lf %lf", side, value.kind, value.name, value.file,
                   &value.rtol, &value.atol) < 4)
            continue;
        value.is_output = strcmp(side, "output") == 0;
        PG_VEC_PUSH(&out->values, value);
    }
    pg_buf_deinit(&text);
    return NULL;
}

static pg_status parse_sequence(pg_wire_source source, pg_str message, pg_value *out);

/* OptionalProto: 3 is a tensor, 5 a sequence, 7 another optional. */
static pg_status parse_optional(pg_wire_source source, pg_str message, pg_value *out)
{
    pg_wire_cursor cursor = pg_wire_open(source, message);
    *out = (pg_value){0};
    for (pg_wire_field field; pg_wire_next(&cursor, &field);) {
        if (field.kind != PG_WIRE_BYTES)
            continue;
        if (field.number == 3) {
            pg_tensor tensor;
            PG_TRY(pg_tensor_parse_pb(field.bytes.ptr, field.bytes.len, "optional", &tensor, NULL));
            *out = pg_value_of_tensor(tensor);
        } else if (field.number == 5) {
            PG_TRY(parse_sequence(source, field.bytes, out));
        } else if (field.number == 7) {
            PG_TRY(parse_optional(source, field.bytes, out));
        }
    }
    return cursor.status;
}

/* SequenceProto: 3 is a tensor, 5 a sequence, 7 an optional; each may repeat. */
static pg_status parse_sequence(pg_wire_source source, pg_str message, pg_value *out)
{
    pg_wire_cursor cursor = pg_wire_open(source, message);
    PG_VEC(pg_value) items = {0};
    for (pg_wire_field field; pg_wire_next(&cursor, &field);) {
        pg_value item = {0};
        if (field.kind != PG_WIRE_BYTES || field.number < 3)
            continue;
        if (field.number == 3) {
            pg_tensor tensor;
            PG_TRY(pg_tensor_parse_pb(field.bytes.ptr, field.bytes.len, "sequence", &tensor, NULL));
            item = pg_value_of_tensor(tensor);
        } else if (field.number == 5) {
            PG_TRY(parse_sequence(source, field.bytes, &item));
        } else if (field.number == 7) {
            PG_TRY(parse_optional(source, field.bytes, &item));
        }
        PG_VEC_PUSH(&items, item);
    }
    *out = (pg_value){.kind = PG_VALUE_SEQUENCE};
    out->sequence.items = items.items;
    out->sequence.count = items.len;
    return cursor.status;
}

static pg_status copy_element(const pg_tensor *from, size_t i, pg_value *out)
{
    const size_t size = pg_dtype_get(from->dtype)->bits / 8;
    pg_tensor view, copy;
    PG_TRY(pg_tensor_borrow(&view, from->dtype, 0, NULL, (const char *)from->data + i * size));
    PG_TRY(pg_tensor_copy(&copy, &view));
    *out = pg_value_of_tensor(copy);
    return NULL;
}

/* From a sequence of two tensors, keys and values: one map, or with `rows` a sequence of maps, one for each
 * row of values. */
static pg_status make_maps(const pg_value *pair, bool rows, pg_value *out)
{
    if (pair->kind != PG_VALUE_SEQUENCE || pair->sequence.count != 2)
        return pg_err(PG_ERR_INVALID, "a map needs keys and values");
    const pg_tensor *keys = &pair->sequence.items[0].tensor, *values = &pair->sequence.items[1].tensor;
    const size_t n = (size_t)pg_tensor_count(keys), n_maps = rows ? (size_t)values->dims[0] : 1;
    *out = (pg_value){.kind = PG_VALUE_SEQUENCE};
    out->sequence.items = pg_calloc(n_maps, sizeof(pg_value));
    out->sequence.count = n_maps;
    for (size_t m = 0; m < n_maps; m++) {
        pg_value *map = &out->sequence.items[m];
        *map = (pg_value){.kind = PG_VALUE_MAP, .elem = values->dtype};
        map->map.keys = PG_NEW(pg_tensor);
        map->map.items = pg_calloc(n, sizeof(pg_value));
        map->map.count = n;
        PG_TRY(pg_tensor_copy(map->map.keys, keys));
        for (size_t i = 0; i < n; i++)
            PG_TRY(copy_element(values, m * n + i, &map->map.items[i]));
    }
    if (!rows) {
        pg_value *items = out->sequence.items;
        *out = items[0];
        free(items);
    }
    return NULL;
}

static pg_status load_value(node_case *test, const char *folder, const case_value *value, pg_value *out)
{
    char path[4096];
    pg_file_map map;
    pg_tensor tensor;
    snprintf(path, sizeof path, "%s/%s", folder, value->file);
    PG_TRY(pg_file_map_open(path, &map));
    PG_VEC_PUSH(&test->maps, map);
    pg_wire_source source = {(const char *)map.data};
    pg_str bytes = {(const char *)map.data, (size_t)map.size};
    if (strcmp(value->kind, "sequence") == 0)
        return parse_sequence(source, bytes, out);
    if (strncmp(value->kind, "map", 3) == 0) {
        pg_value pair;
        PG_TRY(parse_sequence(source, bytes, &pair));
        pg_status status = make_maps(&pair, strcmp(value->kind, "maps") == 0, out);
        pg_value_deinit(&pair);
        return status;
    }
    if (strcmp(value->kind, "optional") == 0)
        return parse_optional(source, bytes, out);
    PG_TRY(pg_tensor_parse_pb(map.data, map.size, path, &tensor, NULL));
    *out = pg_value_of_tensor(tensor);
    return NULL;
}

typedef struct tolerance {
    double rtol, atol;
} tolerance;

/* Expectations that are further from the exact result than their own tolerance. */
static const struct {
    const char *pattern;
    tolerance limits;
} inexact[] = {
    /* Computed in float32: 1.9e-7 where the exact value is 0. */
    {"test_dft_inverse*", {1e-3, 2e-7}},
    /* Its softmax rounds to float16 at every step; ours rounds once. Two units of float16. */
    {"test_attention_4d_causal_fp16_expanded", {1.0 / 512, 1e-7}},
};

/* What the output itself states, else the case; bfloat16 at least two of its units, as in the standard's own runner. */
static tolerance limits_of(const node_case *test, const case_value *value, const pg_value *want,
                           const char *name)
{
    tolerance limits = {test->rtol, test->atol};
    if (value->rtol >= 0)
        return (tolerance){value->rtol, value->atol};
    for (size_t i = 0; i < PG_COUNT(inexact); i++)
        if (fnmatch(inexact[i].pattern, name, 0) == 0)
            limits = inexact[i].limits;
    if (want->kind == PG_VALUE_TENSOR && want->tensor.dtype == PG_BF16)
        limits.rtol = fmax(limits.rtol, 1.0 / 64);
    return limits;
}

static bool is_close(double got, double want, tolerance test)
{
    if (isnan(want) || isnan(got))
        return isnan(want) && isnan(got);
    if (isinf(want) || isinf(got))
        return want == got;
    return fabs(got - want) <= test.atol + test.rtol * fabs(want);
}

static void component(const pg_tensor *tensor, uint64_t i, double *real, double *imaginary)
{
    *imaginary = 0;
    if (tensor->dtype == PG_C64) {
        *real = (double)((const float *)tensor->data)[2 * i];
        *imaginary = (double)((const float *)tensor->data)[2 * i + 1];
    } else if (tensor->dtype == PG_C128) {
        *real = ((const double *)tensor->data)[2 * i];
        *imaginary = ((const double *)tensor->data)[2 * i + 1];
    } else {
        *real = pg_tensor_get_f64(tensor, i);
    }
}

static pg_status compare_tensors(const pg_tensor *got, const pg_tensor *want, tolerance test, bool values)
{
    if (got->dtype != want->dtype)
        return pg_err(PG_ERR_FAILED, "type %s, expected %s", pg_dtype_name(got->dtype),
                      pg_dtype_name(want->dtype));
    if (!pg_tensor_same_shape(got, want)) {
        pg_buf a = {0}, b = {0};
        pg_shape_text(&a, got->rank, got->dims);
        pg_shape_text(&b, want->rank, want->dims);
        return pg_err(PG_ERR_FAILED, "shape %s, expected %s", pg_buf_cstr(&a), pg_buf_cstr(&b));
    }
    uint64_t count = values ? pg_tensor_count(want) : 0, bad = 0;
    char first[300] = "";
    for (uint64_t i = 0; i < count; i++) {
        double a, b, ai, bi;
        if (want->dtype == PG_STRING) {
            pg_str s = ((const pg_str *)got->data)[i], t = ((const pg_str *)want->data)[i];
            if (!pg_str_eq(s, t) && bad++ == 0)
                snprintf(first, sizeof first, "element %llu is '%" PG_STR_FMT "', expected '%" PG_STR_FMT "'",
                         (unsigned long long)i, PG_STR_ARG(s), PG_STR_ARG(t));
            continue;
        }
        component(got, i, &a, &ai);
        component(want, i, &b, &bi);
        if ((!is_close(a, b, test) || !is_close(ai, bi, test)) && bad++ == 0)
            snprintf(first, sizeof first, "element %llu is %.9g, expected %.9g", (unsigned long long)i, a, b);
    }
    if (bad == 0)
        return NULL;
    return pg_err(PG_ERR_FAILED, "%llu of %llu differ; %s", (unsigned long long)bad,
                  (unsigned long long)count, first);
}

static pg_status compare_values(const pg_value *got, const pg_value *want, tolerance test, bool values)
{
    if (got->kind != want->kind)
        return pg_err(PG_ERR_FAILED, "kind of value %d, expected %d", (int)got->kind, (int)want->kind);
    if (want->kind == PG_VALUE_TENSOR)
        return compare_tensors(&got->tensor, &want->tensor, test, values);
    if (want->kind == PG_VALUE_MAP) {
        PG_TRY_CTX(compare_tensors(got->map.keys, want->map.keys, test, values), "keys");
        for (size_t i = 0; i < want->map.count; i++)
            PG_TRY_CTX(compare_values(&got->map.items[i], &want->map.items[i], test, values), "value %zu", i);
    }
    if (want->kind != PG_VALUE_SEQUENCE)
        return NULL;
    if (got->sequence.count != want->sequence.count)
        return pg_err(PG_ERR_FAILED, "a sequence of %zu, expected %zu", got->sequence.count,
                      want->sequence.count);
    for (size_t i = 0; i < want->sequence.count; i++)
        PG_TRY_CTX(compare_values(&got->sequence.items[i], &want->sequence.items[i], test, values),
                   "item %zu", i);
    return NULL;
}

/* ---- Inferred types against what runs ---- */

typedef struct type_check {
    const pg_graph *graph;
    pg_shapes *shapes;
    size_t known, unknown;
    char first_unknown[64]; /* an operator */
    PG_VEC(pg_dim) symbols; /* each with the value it had first */
} type_check;

/* What the file states would be taken over: only inputs keep their types. */
static void forget_types(pg_model *model)
{
    pg_graph *graph = (pg_graph *)model->graph;
    for (size_t i = 0; i < graph->n_outputs; i++)
        ((pg_value_info *)graph->outputs)[i].type = (pg_type){0};
    graph->n_value_infos = 0;
}

/* A symbol stands for one number throughout a run. */
static bool symbol_is(type_check *check, pg_str name, int64_t value)
{
    for (size_t i = 0; i < check->symbols.len; i++)
        if (pg_str_eq(check->symbols.items[i].name, name))
            return check->symbols.items[i].value == value;
    PG_VEC_PUSH(&check->symbols, ((pg_dim){true, value, name}));
    return true;
}

static pg_status check_tensor(type_check *check, const pg_node *node, pg_str name, const pg_type *type,
                              const pg_tensor *tensor)
{
    if (type->kind != PG_TYPE_TENSOR)
        return pg_err(PG_ERR_FAILED, "%" PG_STR_FMT " '%" PG_STR_FMT "': a tensor, inferred as kind %d",
                      PG_STR_ARG(node->op_type), PG_STR_ARG(name), (int)type->kind);
    if (type->elem != PG_UNDEFINED && type->elem != tensor->dtype)
        return pg_err(PG_ERR_FAILED, "%" PG_STR_FMT " '%" PG_STR_FMT "': type %s, inferred as %s",
                      PG_STR_ARG(node->op_type), PG_STR_ARG(name), pg_dtype_name(tensor->dtype),
                      pg_dtype_name(type->elem));
    bool same = !type->has_shape || type->rank == tensor->rank;
    for (uint32_t d = 0; type->has_shape && same && d < type->rank; d++) {
        const pg_dim *dim = &type->dims[d];
        if (dim->has_value && dim->value >= 0)
            same = dim->value == tensor->dims[d];
        else if (!dim->has_value && dim->name.len > 0)
            same = symbol_is(check, dim->name, tensor->dims[d]);
    }
    if (same)
        return NULL;
    pg_buf got = {0}, inferred = {0};
    pg_shape_text(&got, tensor->rank, tensor->dims);
    for (uint32_t d = 0; d < type->rank; d++)
        pg_buf_printf(&inferred, "%s%lld%" PG_STR_FMT, d > 0 ? ", " : "", (long long)type->dims[d].value,
                      PG_STR_ARG(type->dims[d].name));
    return pg_err(PG_ERR_FAILED, "%" PG_STR_FMT " '%" PG_STR_FMT "': shape %s, inferred as (%s)",
                  PG_STR_ARG(node->op_type), PG_STR_ARG(name), pg_buf_cstr(&got), pg_buf_cstr(&inferred));
}

static pg_status see_node(void *context, const pg_node *node, const pg_value *const *inputs,
                          const pg_value *outputs, double seconds)
{
    type_check *check = context;
    const pg_graph *graph = check->graph;
    if (node->index >= graph->n_nodes || graph->nodes[node->index].outputs != node->outputs)
        return NULL; /* of a function or a nested graph */
    for (size_t i = 0; i < node->n_outputs; i++) {
        if (node->outputs[i].len == 0 || outputs[i].kind == PG_VALUE_NONE)
            continue;
        const pg_type *type = pg_shapes_find(check->shapes, node->outputs[i]);
        bool is_tensor = outputs[i].kind == PG_VALUE_TENSOR;
        if (type == NULL ||
            (is_tensor && type->kind == PG_TYPE_TENSOR && (type->elem == PG_UNDEFINED || !type->has_shape))) {
            if (check->unknown++ == 0)
                snprintf(check->first_unknown, sizeof check->first_unknown, "%" PG_STR_FMT,
                         PG_STR_ARG(node->op_type));
        } else {
            check->known++;
        }
        if (type != NULL && is_tensor && type->kind != PG_TYPE_OPTIONAL)
            PG_TRY(check_tensor(check, node, node->outputs[i], type, &outputs[i].tensor));
        if (type != NULL && outputs[i].kind == PG_VALUE_SEQUENCE && type->kind != PG_TYPE_SEQUENCE &&
            type->kind != PG_TYPE_OPTIONAL)
            return pg_err(PG_ERR_FAILED, "%" PG_STR_FMT " '%" PG_STR_FMT "': a sequence, inferred as kind %d",
                          PG_STR_ARG(node->op_type), PG_STR_ARG(node->outputs[i]), (int)type->kind);
    }
    return NULL;
}

static pg_status run_checked(node_case *test, type_check *check)
{
    const pg_observer observer = {check, see_node};
    forget_types(test->model);
    check->graph = test->model->graph;
    PG_TRY(pg_shapes_infer(test->model, NULL, &check->shapes));
    if (pg_shapes_first_problem(check->shapes) != NULL)
        return pg_err(PG_ERR_FAILED, "inference: %s", pg_shapes_first_problem(check->shapes));
    pg_session_observe(test->session, &observer);
    PG_TRY(pg_session_run(test->session, &test->feed, &test->results));
    return check->unknown == 0 ? NULL
                               : pg_err(PG_ERR_UNSUPPORTED, "%zu of %zu outputs unknown, first of %s",
                                        check->unknown, check->unknown + check->known, check->first_unknown);
}

static pg_status run_and_check_types(node_case *test)
{
    type_check check = {0};
    pg_status status = run_checked(test, &check);
    pg_shapes_free(check.shapes);
    PG_VEC_FREE(&check.symbols);
    return status;
}

static pg_status run_case(node_case *test, const char *folder, const char *name)
{
    char path[4096];
    pg_native_options options = {.no_optimization = unoptimized};
    PG_TRY(read_case(folder, test));
    snprintf(path, sizeof path, "%s/model.onnx", folder);
    PG_TRY(pg_model_load(path, NULL, &test->model));
    PG_TRY(pg_session_new(test->model, &options, &test->session));
    for (size_t i = 0; i < test->values.len; i++) {
        const case_value *value = &test->values.items[i];
        pg_value *slot =
            pg_feed_add(value->is_output ? &test->wanted : &test->feed, pg_str_c(value->name), (pg_value){0});
        PG_TRY(load_value(test, folder, value, slot));
    }
    if (check_types)
        return run_and_check_types(test);
    PG_TRY(pg_session_run(test->session, &test->feed, &test->results));
    size_t next = 0; /* of test->values */
    for (size_t i = 0; i < test->wanted.count; i++) {
        const char *output = test->wanted.items[i].name;
        while (!test->values.items[next].is_output)
            next++;
        const case_value *value = &test->values.items[next++];
        const pg_value *want = &test->wanted.items[i].value;
        tolerance limits = limits_of(test, value, want, name);
        pg_value *got = pg_feed_find(&test->results, pg_str_c(output));
        if (got == NULL)
            return pg_err(PG_ERR_FAILED, "output '%s' is missing", output);
        PG_TRY_CTX(compare_values(got, want, limits, !is_random(name)), "output '%s'", output);
    }
    return NULL;
}

static void end_case(node_case *test)
{
    pg_feed_deinit(&test->feed);
    pg_feed_deinit(&test->wanted);
    pg_feed_deinit(&test->results);
    pg_session_free(test->session);
    pg_model_unref(test->model);
    for (size_t i = 0; i < test->maps.len; i++)
        pg_file_map_close(&test->maps.items[i]);
    PG_VEC_FREE(&test->maps);
    PG_VEC_FREE(&test->values);
}

/* In the child: the outcome is the exit status, the message goes through the pipe. */
static void run_in_child(int pipe_end, const char *folder, const char *name)
{
    node_case test = {0};
    pg_status status = run_case(&test, folder, name);
    const char *message = pg_status_message(status);
    int code = status == NULL ? PASS : pg_status_code(status) == PG_ERR_UNSUPPORTED ? UNSUPPORTED : FAIL;
    ssize_t written = write(pipe_end, message, strlen(message));
    (void)written;
    pg_status_drop(status);
    end_case(&test);
    exit(FIRST_EXIT + code); /* not _exit: sanitizers look for leaks */
}

static enum outcome run_isolated(const char *folder, const char *name, char *message, size_t size)
{
    int ends[2], wait_status;
    if (pipe(ends) != 0)
        return CRASH;
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        alarm(120);
        run_in_child(ends[1], folder, name);
    }
    close(ends[1]);
    size_t used = 0;
    for (ssize_t n; used + 1 < size && (n = read(ends[0], message + used, size - 1 - used)) > 0;)
        used += (size_t)n;
    message[used] = '\0';
    close(ends[0]);
    if (child < 0 || waitpid(child, &wait_status, 0) != child)
        return CRASH;
    int code = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) - FIRST_EXIT : -1;
    if (code >= PASS && code <= UNSUPPORTED)
        return (enum outcome)code;
    snprintf(message, size, WIFSIGNALED(wait_status) ? "signal %d" : "exit status %d",
             WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : WEXITSTATUS(wait_status));
    return CRASH;
}

static bool is_selected(const char *name, char **patterns, int n)
{
    for (int i = 0; i < n; i++)
        if (fnmatch(patterns[i], name, 0) == 0 ||
            (strncmp(name, "test_", 5) == 0 && fnmatch(patterns[i], name + 5, 0) == 0))
            return true;
    return n == 0;
}

int main(int argc, char **argv)
{
    char folder[2048];
    snprintf(folder, sizeof folder, "%s/.cache/polygraphy-c/node-cases-1.23.2",
             getenv("HOME") != NULL ? getenv("HOME") : "");
    for (int option; (option = getopt(argc, argv, "vqxsd:")) != -1;) {
        if (option == 'd')
            snprintf(folder, sizeof folder, "%s", optarg);
        else if (option == 'v')
            verbose = true;
        else if (option == 'q')
            quiet = true;
        else if (option == 'x')
            unoptimized = true;
        else if (option == 's')
            unoptimized = check_types = true;
        else
            return 2;
    }
    pg_arena arena = {0};
    char **names;
    size_t count;
    int totals[N_OUTCOMES] = {0};
    pg_status status = pg_path_list(folder, &arena, &names, &count);
    if (status != NULL) {
        fprintf(stderr, "%s; make the cases with scripts/gen_node_cases.py\n", pg_status_message(status));
        pg_status_drop(status);
        return 2;
    }
    for (size_t i = 0; i < count; i++) {
        char path[3072], message[2048];
        if (!is_selected(names[i], argv + optind, argc - optind))
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        fflush(stdout);
        enum outcome outcome = run_isolated(path, names[i], message, sizeof message);
        totals[outcome]++;
        if (verbose || (!quiet && outcome != PASS))
            printf("%-11s %s%s%s\n", outcome_names[outcome], names[i], message[0] != '\0' ? ": " : "",
                   message);
    }
    printf("%d passed, %d failed, %d crashed, %d unsupported\n", totals[PASS], totals[FAIL], totals[CRASH],
           totals[UNSUPPORTED]);
    pg_arena_deinit(&arena);
    return totals[FAIL] + totals[CRASH] > 0;
}

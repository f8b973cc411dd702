/* Loads and saves data files, for the parity tests and for measuring.
 *
 *     data_file kind PATH                  "inputs", "results" or "accuracy"
 *     data_file copy-inputs OUT PATH...    loads inputs, saves them
 *     data_file copy-results OUT PATH...   loads and appends results, saves them
 *     data_file report OUT PATH            loads results, saves the readable report
 *     data_file load-inputs PATH...        prints name, type, shape and a checksum per array
 *     data_file load-results PATH...       the same for results
 *     data_file time PATH OUT              seconds to load results and to save them */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "data/files.h"

static void print_value(const char *name, const pg_value *value)
{
    static const char *const kinds[] = {"none", "tensor", "sequence", "map"};
    printf("%s %s", name, kinds[value->kind]);
    if (value->kind == PG_VALUE_SEQUENCE)
        printf(" of %zu", value->sequence.count);
    if (value->kind == PG_VALUE_TENSOR) {
        const pg_tensor *tensor = &value->tensor;
        pg_buf shape = {0};
        uint64_t hash = 14695981039346656037u, bytes = pg_tensor_bytes(tensor);
        pg_shape_text(&shape, tensor->rank, tensor->dims);
        if (tensor->dtype == PG_STRING)
            for (uint64_t i = 0; i < pg_tensor_count(tensor); i++)
                for (size_t k = 0; k < ((pg_str *)tensor->data)[i].len; k++)
                    hash = (hash ^ (uint8_t)((pg_str *)tensor->data)[i].ptr[k]) * 1099511628211u;
        else
            for (uint64_t i = 0; i < bytes; i++)
                hash = (hash ^ ((const uint8_t *)tensor->data)[i]) * 1099511628211u;
        printf(" %s %s %016llx", pg_dtype_name(tensor->dtype), pg_buf_cstr(&shape), (unsigned long long)hash);
        pg_buf_deinit(&shape);
    }
    printf("\n");
}

static void print_feed(const pg_feed *feed)
{
    for (size_t i = 0; i < feed->count; i++)
        print_value(feed->items[i].name, &feed->items[i].value);
}

static pg_status inputs(const char *out, char **paths, int n_paths)
{
    pg_inputs *from = NULL;
    pg_inputs_writer *to = NULL;
    PG_TRY(pg_inputs_open((const char *const *)paths, (size_t)n_paths, NULL, &from));
    pg_status status = out != NULL ? pg_inputs_create(out, &to) : NULL;
    for (size_t i = 0; i < pg_inputs_count(from) && status == NULL; i++) {
        pg_feed feed;
        status = pg_inputs_get(from, i, &feed);
        if (status == NULL && to != NULL)
            status = pg_inputs_add(to, &feed);
        if (status == NULL && to == NULL) {
            printf("-- %zu\n", i);
            print_feed(&feed);
        }
        pg_feed_deinit(&feed);
    }
    pg_inputs_close(from);
    if (status == NULL && to != NULL)
        return pg_inputs_finish(to);
    pg_inputs_abandon(to);
    return status;
}

static void print_results(const pg_run_results *results)
{
    for (size_t r = 0; r < results->count; r++) {
        printf("== %s\n", results->items[r].name);
        for (size_t i = 0; i < results->items[r].count; i++) {
            const pg_iteration *iteration = &results->items[r].items[i];
            printf("-- %zu %s", i, iteration->runner_name != NULL ? iteration->runner_name : "(none)");
            if (iteration->has_runtime)
                printf(" %.17g", iteration->runtime);
            printf("\n");
            print_feed(&iteration->outputs);
        }
    }
}

static pg_status results(const char *command, const char *out, char **paths, int n_paths)
{
    pg_run_results all = {0};
    pg_status status = NULL;
    for (int i = 0; i < n_paths && status == NULL; i++)
        status = pg_results_load(paths[i], &all);
    if (status == NULL && strcmp(command, "report") == 0) {
        pg_report_row row = {.name = PG_STR("y"), .max_error = 0.001, .mean_error = 0.0001, .passed = true};
        status = pg_results_save_report(out, &all, &row, 1);
    } else if (status == NULL && out != NULL) {
        status = pg_results_save(out, &all);
    } else if (status == NULL) {
        print_results(&all);
    }
    pg_run_results_deinit(&all);
    return status;
}

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static pg_status measure(const char *path, const char *out)
{
    pg_run_results all = {0};
    uint64_t start = pg_clock_ns();
    double cpu = cpu_seconds();
    PG_TRY(pg_results_load(path, &all));
    printf("load %.3f s (cpu %.3f s)\n", pg_clock_seconds_since(start), cpu_seconds() - cpu);
    start = pg_clock_ns();
    cpu = cpu_seconds();
    pg_status status = pg_results_save(out, &all);
    printf("save %.3f s (cpu %.3f s)\n", pg_clock_seconds_since(start), cpu_seconds() - cpu);
    pg_run_results_deinit(&all);
    return status;
}

static pg_status run(int argc, char **argv)
{
    const char *command = argc > 2 ? argv[1] : "";
    if (strcmp(command, "kind") == 0) {
        static const char *const names[] = {"inputs", "results", "accuracy"};
        pg_data_kind kind;
        PG_TRY(pg_data_kind_of(argv[2], &kind));
        printf("%s\n", names[kind]);
        return NULL;
    }
    if (strcmp(command, "load-inputs") == 0)
        return inputs(NULL, argv + 2, argc - 2);
    if (strcmp(command, "load-results") == 0)
        return results(command, NULL, argv + 2, argc - 2);
    if (argc < 4)
        return pg_err(PG_ERR_USAGE, "usage: data_file COMMAND PATH...");
    if (strcmp(command, "copy-inputs") == 0)
        return inputs(argv[2], argv + 3, argc - 3);
    if (strcmp(command, "time") == 0)
        return measure(argv[2], argv[3]);
    return results(command, argv[2], argv + 3, argc - 3);
}

int main(int argc, char **argv)
{
    pg_status status = run(argc, argv);
    if (status == NULL)
        return 0;
    fprintf(stderr, "%s\n", pg_status_message(status));
    pg_status_drop(status);
    return 1;
}

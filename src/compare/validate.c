/* NaN and infinity in outputs. */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "compare/internal.h"
#include "log/log.h"
#include "tensor/dtype_convert.h"
#include "tensor/text.h"

/* ---- Scanning ---- */

/* The words of a tensor whose exponent bits are all set are not finite; with a mantissa they are NaN. */
typedef struct scan_run {
    const pg_tensor *tensor;
    pthread_mutex_t lock;
    pg_validity found;
} scan_run;

static void note_bad(pg_validity *found, uint64_t index, bool nan)
{
    uint64_t *count = nan ? &found->n_nan : &found->n_inf,
             *first = nan ? &found->first_nan : &found->first_inf;
    if ((*count)++ == 0)
        *first = index;
}

/* A test without branches over a piece first: most pieces hold nothing bad. */
#define SCAN_WORDS(type, exponent, mantissa)                               \
    do {                                                                   \
        const type *x = run->tensor->data;                                 \
        for (size_t piece = begin; piece < end; piece += 1024) {           \
            size_t stop = PG_MIN(piece + 1024, end);                       \
            unsigned bad = 0;                                              \
            for (size_t i = piece; i < stop; i++)                          \
                bad |= (x[i] & (exponent)) == (exponent);                  \
            for (size_t i = piece; bad && i < stop; i++)                   \
                if ((x[i] & (exponent)) == (exponent))                     \
                    note_bad(&found, i / parts, (x[i] & (mantissa)) != 0); \
        }                                                                  \
    } while (0)

static void scan_small(const scan_run *run, size_t begin, size_t end, pg_validity *found)
{
    for (size_t i = begin; i < end; i++) {
        double value = pg_tensor_get_f64(run->tensor, i);
        if (!isfinite(value))
            note_bad(found, i, isnan(value));
    }
}

static void merge_count(uint64_t *count, uint64_t *first, uint64_t more, uint64_t at)
{
    if (more > 0 && (*count == 0 || at < *first))
        *first = at;
    *count += more;
}

static void scan_range(void *context, size_t begin, size_t end)
{
    scan_run *run = context;
    pg_dtype dtype = run->tensor->dtype;
    size_t parts = pg_dtype_kind_of(dtype) == PG_KIND_COMPLEX ? 2 : 1;
    pg_validity found = {0};
    begin *= parts;
    end *= parts;
    if (dtype == PG_F32 || dtype == PG_C64)
        SCAN_WORDS(uint32_t, 0x7f800000u, 0x7fffffu);
    else if (dtype == PG_F64 || dtype == PG_C128)
        SCAN_WORDS(uint64_t, UINT64_C(0x7ff0000000000000), UINT64_C(0xfffffffffffff));
    else if (dtype == PG_F16)
        SCAN_WORDS(uint16_t, 0x7c00u, 0x3ffu);
    else if (dtype == PG_BF16)
        SCAN_WORDS(uint16_t, 0x7f80u, 0x7fu);
    else
        scan_small(run, begin, end, &found);
    pthread_mutex_lock(&run->lock);
    merge_count(&run->found.n_nan, &run->found.first_nan, found.n_nan, found.first_nan);
    merge_count(&run->found.n_inf, &run->found.first_inf, found.n_inf, found.first_inf);
    pthread_mutex_unlock(&run->lock);
}

static void scan_tensor(const pg_tensor *tensor, uint64_t before, pg_validity *out)
{
    pg_dtype_kind kind = pg_dtype_kind_of(tensor->dtype);
    if (kind != PG_KIND_FLOAT && kind != PG_KIND_COMPLEX)
        return;
    scan_run run = {.tensor = tensor, .lock = PTHREAD_MUTEX_INITIALIZER};
    pg_parallel_for((size_t)pg_tensor_count(tensor), 1 << 16, scan_range, &run);
    merge_count(&out->n_nan, &out->first_nan, run.found.n_nan, before + run.found.first_nan);
    merge_count(&out->n_inf, &out->first_inf, run.found.n_inf, before + run.found.first_inf);
}

static void scan_value(const pg_value *value, uint64_t *before, pg_validity *out)
{
    switch (value->kind) {
    case PG_VALUE_NONE:
        break;
    case PG_VALUE_TENSOR:
        scan_tensor(&value->tensor, *before, out);
        *before += pg_tensor_count(&value->tensor);
        break;
    case PG_VALUE_SEQUENCE:
        for (size_t i = 0; i < value->sequence.count; i++)
            scan_value(&value->sequence.items[i], before, out);
        break;
    case PG_VALUE_MAP:
        for (size_t i = 0; i < value->map.count; i++)
            scan_value(&value->map.items[i], before, out);
        break;
    }
}

pg_validity pg_validity_scan(const pg_value *value)
{
    pg_validity found = {0};
    uint64_t before = 0;
    scan_value(value, &before, &found);
    return found;
}

/* ---- Text ---- */

static void log_block(const char *what, const pg_tensor *tensor)
{
    pg_buf text = {0};
    pg_tensor_text(&text, tensor, NULL);
    PG_LOG(PG_EXTRA_VERBOSE, "%s\n%s", what, pg_buf_cstr(&text));
    pg_buf_deinit(&text);
}

/* Where an output is NaN (or not finite), as a bool tensor of its shape; and those values. */
static pg_status log_places(const pg_tensor *tensor, bool nan_only)
{
    uint64_t count = pg_tensor_count(tensor);
    size_t size = pg_dtype_get(tensor->dtype)->bits / 8, n_bad = 0;
    pg_tensor mask = {0}, bad = {0};
    PG_TRY(pg_tensor_alloc(&mask, PG_BOOL, tensor->rank, tensor->dims));
    uint8_t *flags = mask.data;
    for (uint64_t i = 0; i < count; i++) {
        double value = pg_tensor_get_f64(tensor, i);
        flags[i] = nan_only ? isnan(value) : !isfinite(value);
        n_bad += flags[i];
    }
    log_block(nan_only ? "Note: NaNs at:" : "Note: non-finite values at:", &mask);
    pg_status status = NULL;
    if (!nan_only && size > 0 &&
        (status = pg_tensor_alloc(&bad, tensor->dtype, 1, (int64_t[]){(int64_t)n_bad})) == NULL) {
        char *next = bad.data;
        for (uint64_t i = 0; i < count; i++)
            if (flags[i]) {
                memcpy(next, (const char *)tensor->data + i * size, size);
                next += size;
            }
        log_block("Note: non-finite values:", &bad);
        pg_tensor_deinit(&bad);
    }
    pg_tensor_deinit(&mask);
    return status;
}

static pg_status explain_places(const pg_value *value, bool nan_only)
{
    if (value->kind != PG_VALUE_TENSOR || !PG_LOG_ENABLED(PG_EXTRA_VERBOSE) ||
        !pg_dtype_is_float(value->tensor.dtype))
        return NULL;
    return log_places(&value->tensor, nan_only);
}

static void log_culprit(const pg_named_value *output, const pg_validity *found)
{
    pg_buf text = {0};
    for (int nan = 1; nan >= 0; nan--) {
        uint64_t count = nan ? found->n_nan : found->n_inf, first = nan ? found->first_nan : found->first_inf;
        if (count == 0)
            continue;
        pg_buf_printf(&text, "%s%llu %s, the first at ", text.len > 0 ? " | " : "", (unsigned long long)count,
                      nan ? "NaN" : "infinite");
        if (output->value.kind == PG_VALUE_TENSOR)
            pg_report_index(&text, first, &output->value.tensor);
        else
            pg_buf_printf(&text, "element %llu of the flattened items", (unsigned long long)first);
    }
    if (text.len > 0)
        PG_LOG_INFO("Output: %s | %s", output->name, pg_buf_cstr(&text));
    pg_buf_deinit(&text);
}

static pg_status log_nan(const pg_value *value)
{
    PG_LOG_ERROR("NaN Detected | One or more NaNs were encountered in this output");
    PG_LOG_ONCE(PG_INFO,
                "Note: Use -vv or set logging verbosity to EXTRA_VERBOSE to display locations of NaNs");
    return explain_places(value, true);
}

static pg_status log_inf(const pg_value *value)
{
    PG_LOG_ERROR("Inf Detected | One or more non-finite values were encountered in this output");
    PG_LOG_ONCE(PG_INFO,
                "Note: Use -vv or set logging verbosity to EXTRA_VERBOSE to display non-finite values");
    return explain_places(value, false);
}

static pg_status judge_output(const pg_named_value *output, const pg_validation_options *options,
                              bool *out_valid)
{
    if (output->value.kind == PG_VALUE_TENSOR)
        PG_TRY(pg_report_tensor_stats(NULL, &output->value.tensor, NULL));
    pg_validity found = pg_validity_scan(&output->value);
    *out_valid = true;
    if (options->check_nan && found.n_nan > 0) {
        *out_valid = false;
        PG_TRY(log_nan(&output->value));
    }
    if (options->check_inf && found.n_nan + found.n_inf > 0) {
        *out_valid = false;
        PG_TRY(log_inf(&output->value));
    }
    if (*out_valid) {
        PG_LOG(PG_FINISH, "PASSED | Output: %s is valid", output->name);
    } else {
        PG_LOG_ERROR("FAILED | Errors detected in output: %s", output->name);
        log_culprit(output, &found);
    }
    return NULL;
}

pg_status pg_validate_iteration(pg_str runner, const pg_iteration *iteration, size_t index,
                                const pg_validation_options *options, bool *out_valid)
{
    char prefix[48] = "";
    if (index != SIZE_MAX)
        snprintf(prefix, sizeof prefix, "Iteration %zu | ", index);
    *out_valid = true;
    for (size_t i = 0; i < iteration->outputs.count; i++) {
        const pg_named_value *output = &iteration->outputs.items[i];
        bool valid;
        PG_LOG(PG_START, "%-*.*s | %sValidating output: %s (check_inf=%s, check_nan=%s)",
               PG_REPORT_NAME_WIDTH, PG_STR_ARG(runner), prefix, output->name,
               options->check_inf ? "True" : "False", options->check_nan ? "True" : "False");
        pg_log_indent(1);
        pg_status status = judge_output(output, options, &valid);
        pg_log_indent(-1);
        PG_TRY_CTX(status, "while validating output '%s'", output->name);
        *out_valid = *out_valid && valid;
        if (!*out_valid && options->fail_fast)
            break;
    }
    return NULL;
}

pg_status pg_validate_results(const pg_run_results *results, const pg_validation_options *options,
                              bool *out_valid)
{
    const char **names = pg_calloc(PG_MAX(results->count, (size_t)1), sizeof *names);
    pg_buf list = {0};
    for (size_t r = 0; r < results->count; r++)
        names[r] = results->items[r].name;
    pg_report_names(&list, names, results->count);
    PG_LOG(PG_START, "Output Validation | Runners: %s", pg_buf_cstr(&list));
    pg_buf_deinit(&list);
    free(names);
    pg_status status = NULL;
    *out_valid = true;
    pg_log_indent(1);
    for (size_t r = 0; r < results->count; r++)
        for (size_t i = 0; i < results->items[r].count && status == NULL; i++) {
            bool valid;
            status = pg_validate_iteration(pg_str_c(results->items[r].name), &results->items[r].items[i],
                                           SIZE_MAX, options, &valid);
            *out_valid = *out_valid && (status != NULL || valid);
            if (!*out_valid && options->fail_fast)
                goto done;
        }
    if (status == NULL && *out_valid)
        PG_LOG(PG_FINISH, "PASSED | Output Validation");
    else if (status == NULL)
        PG_LOG_ERROR("FAILED | Output Validation");
done:
    pg_log_indent(-1);
    return status;
}

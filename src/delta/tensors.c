#include <math.h>

#include "delta/internal.h"
#include "onnx/text.h"

static const char *type_name(const pg_weight *weight)
{
    const char *name = pg_onnx_type_name(weight->data_type);
    return name != NULL ? name : "unknown type";
}

static bool same_dims(const pg_weight *a, const pg_weight *b)
{
    return a->rank == b->rank && (a->rank == 0 || memcmp(a->dims, b->dims, a->rank * sizeof *a->dims) == 0);
}

static bool is_away(const pg_model *model, const pg_weight *weight)
{
    return weight->storage == PG_STORED_EXTERNAL && model->ignore_external_data;
}

/* ---- Elements ---- */

static uint64_t count_strings(const pg_tensor *a, const pg_tensor *b)
{
    const pg_str *left = a->data, *right = b->data;
    uint64_t differing = 0;
    for (uint64_t i = 0; i < pg_tensor_count(a); i++)
        differing += !pg_str_eq(left[i], right[i]);
    return differing;
}

static uint64_t count_bytes(const pg_tensor *a, const pg_tensor *b)
{
    uint64_t count = pg_tensor_count(a), size = count > 0 ? pg_tensor_bytes(a) / count : 0, differing = 0;
    const char *left = a->data, *right = b->data;
    for (uint64_t i = 0; i < count && size > 0; i++)
        differing += memcmp(left + i * size, right + i * size, size) != 0;
    return differing;
}

static void add_pair(pg_delta_numbers *out, double a, double b)
{
    double abs = fabs(a - b);
    if (a == b || (isnan(a) && isnan(b)))
        return;
    out->differing++;
    if (isnan(abs) || abs > out->max_abs)
        out->max_abs = isnan(out->max_abs) ? out->max_abs : abs;
    if (b != 0 && !(abs / fabs(b) <= out->max_rel))
        out->max_rel = isnan(out->max_rel) ? out->max_rel : abs / fabs(b);
}

static void compare_elements(const pg_tensor *a, const pg_tensor *b, pg_delta_numbers *out)
{
    *out = (pg_delta_numbers){.count = pg_tensor_count(a)};
    if (a->dtype == PG_STRING || a->dtype == PG_C64 || a->dtype == PG_C128) {
        out->differing = a->dtype == PG_STRING ? count_strings(a, b) : count_bytes(a, b);
        out->max_abs = out->max_rel = NAN;
        return;
    }
    for (uint64_t i = 0; i < out->count; i++)
        add_pair(out, pg_tensor_get_f64(a, i), pg_tensor_get_f64(b, i));
    if (out->differing == 0 && a->dtype != PG_STRING) { /* 64-bit integers beyond double, signs of zeros */
        out->differing = count_bytes(a, b);
        out->max_abs = out->max_rel = out->differing > 0 ? NAN : 0;
    }
}

static bool same_bytes(const pg_tensor *a, const pg_tensor *b)
{
    uint64_t bytes = pg_tensor_bytes(a);
    if (a->dtype == PG_STRING)
        return count_strings(a, b) == 0;
    return bytes == 0 || memcmp(a->data, b->data, bytes) == 0;
}

static void put_numbers(pg_buf *out, const pg_delta_numbers *numbers)
{
    pg_buf_printf(out, "%llu of %llu element(s) differ", (unsigned long long)numbers->differing,
                  (unsigned long long)numbers->count);
    if (!isnan(numbers->max_abs))
        pg_buf_printf(out, ", at most by %.5g (relative: %.5g)", numbers->max_abs, numbers->max_rel);
}

/* ---- Tensors ---- */

static pg_status load_both(const pg_model *model_a, const pg_weight *a, const pg_model *model_b,
                           const pg_weight *b, pg_tensor *left, pg_tensor *right)
{
    PG_TRY_CTX(pg_weight_load(model_a, a, left), "in the first model");
    pg_status status = pg_weight_load(model_b, b, right);
    if (status != NULL)
        pg_tensor_deinit(left);
    return pg_status_context(status, "in the second model");
}

static bool same_place(const pg_weight *a, const pg_weight *b)
{
    return a->storage == b->storage && pg_str_eq(a->location, b->location) && a->offset == b->offset &&
           a->length == b->length;
}

pg_status pg_delta_tensors(const pg_model *model_a, const pg_weight *a, const pg_model *model_b,
                           const pg_weight *b, bool *out_equal, pg_buf *detail, pg_delta_numbers *out_numbers)
{
    pg_tensor left, right;
    *out_equal = false;
    *out_numbers = (pg_delta_numbers){0};
    if (a->data_type != b->data_type || !same_dims(a, b)) {
        pg_buf_printf(detail, "%s ", type_name(a));
        pg_shape_text(detail, a->rank, a->dims);
        pg_buf_printf(detail, " -> %s ", type_name(b));
        pg_shape_text(detail, b->rank, b->dims);
        return NULL;
    }
    if (is_away(model_a, a) || is_away(model_b, b)) {
        *out_equal = same_place(a, b);
        if (!*out_equal)
            pg_buf_puts(detail, "its elements lie elsewhere");
        return NULL;
    }
    PG_TRY(load_both(model_a, a, model_b, b, &left, &right));
    *out_equal = same_bytes(&left, &right);
    if (!*out_equal) {
        compare_elements(&left, &right, out_numbers);
        put_numbers(detail, out_numbers);
    }
    pg_tensor_deinit(&left);
    pg_tensor_deinit(&right);
    return NULL;
}

/* ---- Types ---- */

static void put_shape(pg_buf *out, const pg_type *type)
{
    pg_buf_puts(out, " (");
    pg_dims_text(type, true, "?", out);
    pg_buf_puts(out, type->rank == 1 ? ",)" : ")");
}

void pg_delta_type_text(pg_buf *out, const pg_type *type)
{
    static const char *const kinds[] = {"no type", "",          "sparse ", "sequence of ",
                                        "map of ", "optional ", "opaque"};
    pg_buf_puts(out, kinds[type->kind]);
    if (type->kind == PG_TYPE_TENSOR || type->kind == PG_TYPE_SPARSE_TENSOR) {
        const char *name = pg_onnx_type_name(type->data_type);
        pg_buf_puts(out, name != NULL ? name : "unknown type");
        if (type->has_shape)
            put_shape(out, type);
        else
            pg_buf_puts(out, " of any shape");
    }
    if (type->inner != NULL)
        pg_delta_type_text(out, type->inner);
}

bool pg_delta_types_equal(const pg_type *a, const pg_type *b)
{
    if (a->kind != b->kind || a->data_type != b->data_type || a->elem != b->elem ||
        a->has_shape != b->has_shape || (a->has_shape && a->rank != b->rank))
        return false;
    for (uint32_t i = 0; a->has_shape && i < a->rank; i++) {
        const pg_dim *left = &a->dims[i], *right = &b->dims[i];
        if (left->has_value != right->has_value || (left->has_value && left->value != right->value) ||
            (!left->has_value && !pg_str_eq(left->name, right->name)))
            return false;
    }
    if ((a->inner == NULL) != (b->inner == NULL))
        return false;
    return a->inner == NULL || pg_delta_types_equal(a->inner, b->inner);
}

/* Optimization profiles: the range of shapes an engine is built for. */
#include "runner/tensorrt/internal.h"

#include "log/log.h"

enum { N_KINDS = 3 };
static const char *const kind_names[N_KINDS] = {"min", "opt", "max"};
static const char *const kind_options[N_KINDS] = {"--trt-min-shapes", "--trt-opt-shapes", "--trt-max-shapes"};

/* An input of the network. */
typedef struct input {
    trt_object *tensor;
    pg_str name;
    trt_dims dims;
    bool values; /* a tensor that is itself a shape: a profile limits its values */
} input;

void pg_trt_dims_text(pg_buf *out, const trt_dims *dims)
{
    if (dims->rank < 0)
        pg_buf_puts(out, "()");
    else
        pg_shape_text(out, (size_t)PG_MIN(dims->rank, (int32_t)TRT_MAX_RANK), dims->d);
}

static input get_input(pg_trt_network *self, int32_t index)
{
    pg_trt *trt = self->trt;
    input in = {.tensor = TRT_CALL(trt, network_input, self->network, index)};
    in.name = pg_str_c(TRT_CALL(trt, tensor_name, in.tensor));
    in.dims = TRT_CALL(trt, tensor_dims, in.tensor);
    in.values = TRT_CALL(trt, tensor_is_shape, in.tensor);
    return in;
}

static bool is_dynamic(const input *in)
{
    for (int32_t i = 0; i < in->dims.rank; i++)
        if (in->dims.d[i] < 0)
            return true;
    return false;
}

/* ---- Which shape ---- */

/* The last shape whose name fits; one without a name is for the only input. */
static const pg_trt_shape *find_shape(const pg_trt_shapes *shapes, pg_str name, int32_t n_inputs)
{
    const pg_trt_shape *found = NULL;
    for (size_t i = 0; i < shapes->count; i++) {
        const pg_trt_shape *shape = &shapes->items[i];
        if (pg_str_eq(shape->name, name))
            return shape;
        if (shape->name.len == 0 ? n_inputs == 1 : pg_str_wildcard(shape->name, name))
            found = shape;
    }
    return found;
}

static pg_status wrong_shape(const input *in, const char *option, const pg_trt_shape *shape)
{
    pg_buf given = {0}, stated = {0};
    pg_shape_text(&given, shape->rank, shape->dims);
    pg_trt_dims_text(&stated, &in->dims);
    pg_status status =
        pg_err(PG_ERR_INVALID, "option '%s': shape %s does not fit the input '%" PG_STR_FMT "' of shape %s",
               option, pg_buf_cstr(&given), PG_STR_ARG(in->name), pg_buf_cstr(&stated));
    pg_buf_deinit(&given);
    pg_buf_deinit(&stated);
    return status;
}

/* Dims that the text leaves open become 1, as for generated inputs. */
static pg_status use_shape(const input *in, const char *option, const pg_trt_shape *shape, trt_dims *out)
{
    if (shape->rank > TRT_MAX_RANK || (!in->values && (int32_t)shape->rank != in->dims.rank))
        return wrong_shape(in, option, shape);
    out->rank = (int32_t)shape->rank;
    for (size_t i = 0; i < shape->rank; i++) {
        out->d[i] = shape->dims[i] < 0 ? 1 : shape->dims[i];
        if (!in->values && in->dims.d[i] >= 0 && in->dims.d[i] != out->d[i])
            return wrong_shape(in, option, shape);
    }
    return NULL;
}

static void default_shape(const input *in, trt_dims *out)
{
    *out = in->dims;
    for (int32_t i = 0; i < out->rank; i++)
        out->d[i] = PG_MAX(out->d[i], in->dims.d[i] < 0 ? 1 : 0);
}

static pg_status choose_shapes(const input *in, int32_t n_inputs, const pg_trt_options *options,
                               const pg_trt_profile *profile, trt_dims out[N_KINDS])
{
    const pg_trt_shape *fallback = find_shape(&options->input_shapes, in->name, n_inputs);
    const pg_trt_shapes *lists[N_KINDS] = {&profile->min, &profile->opt, &profile->max};
    bool guessed = false;
    for (int k = 0; k < N_KINDS; k++) {
        const pg_trt_shape *shape = find_shape(lists[k], in->name, n_inputs);
        if (shape != NULL) {
            PG_TRY(use_shape(in, kind_options[k], shape, &out[k]));
        } else if (fallback != NULL) {
            PG_TRY(use_shape(in, "--input-shapes", fallback, &out[k]));
        } else {
            default_shape(in, &out[k]);
            guessed = guessed || is_dynamic(in) || in->values;
        }
    }
    if (guessed) {
        pg_buf text = {0};
        pg_trt_dims_text(&text, &out[TRT_PROFILE_OPT]);
        PG_LOG_WARNING("Input tensor: %" PG_STR_FMT
                       " | No shapes were given for it: the profile uses %s where it has none. State them "
                       "with --trt-min-shapes, --trt-opt-shapes and --trt-max-shapes, or --input-shapes.",
                       PG_STR_ARG(in->name), pg_buf_cstr(&text));
        pg_buf_deinit(&text);
    }
    return NULL;
}

static pg_status check_order(const input *in, size_t index, const trt_dims shapes[N_KINDS])
{
    for (int k = 1; k < N_KINDS; k++)
        for (int32_t i = 0; i < shapes[k].rank; i++)
            if (shapes[k - 1].rank != shapes[k].rank || shapes[k - 1].d[i] > shapes[k].d[i]) {
                pg_buf a = {0}, b = {0};
                pg_trt_dims_text(&a, &shapes[k - 1]);
                pg_trt_dims_text(&b, &shapes[k]);
                pg_status status =
                    pg_err(PG_ERR_INVALID,
                           "profile %zu of the input '%" PG_STR_FMT "': the %s shape %s is not within the "
                           "%s shape %s",
                           index, PG_STR_ARG(in->name), kind_names[k - 1], pg_buf_cstr(&a), kind_names[k],
                           pg_buf_cstr(&b));
                pg_buf_deinit(&a);
                pg_buf_deinit(&b);
                return status;
            }
    return NULL;
}

/* ---- Profiles ---- */

static bool set_shapes(pg_trt_network *self, trt_object *profile, const input *in,
                       const trt_dims shapes[N_KINDS])
{
    bool set = true;
    for (int k = 0; k < N_KINDS; k++)
        set = (in->values ? TRT_CALL(self->trt, profile_set_values, profile, in->name.ptr, k, shapes[k].d,
                                     shapes[k].rank)
                          : TRT_CALL(self->trt, profile_set_dims, profile, in->name.ptr, k, &shapes[k])) &&
              set;
    return set;
}

static void add_shapes_text(pg_buf *out, const input *in, const trt_dims shapes[N_KINDS])
{
    pg_buf_printf(out, "%" PG_STR_FMT " [", PG_STR_ARG(in->name));
    for (int k = 0; k < N_KINDS; k++) {
        pg_buf_printf(out, "%s%s=[", k > 0 ? ", " : "", kind_names[k]);
        for (int32_t i = 0; i < shapes[k].rank; i++)
            pg_buf_printf(out, "%s%lld", i > 0 ? ", " : "", (long long)shapes[k].d[i]);
        pg_buf_putc(out, ']');
    }
    pg_buf_putc(out, ']');
}

static pg_status fill_profile(pg_trt_network *self, const pg_trt_options *options, size_t index,
                              trt_object *profile, pg_buf *text)
{
    static const pg_trt_profile none = {0};
    const pg_trt_profile *stated = index < options->n_profiles ? &options->profiles[index] : &none;
    int32_t n_inputs = TRT_CALL(self->trt, network_n_inputs, self->network);
    pg_buf_printf(text, "%s    Profile %zu:\n        {", index > 0 ? ",\n" : "", index);
    for (int32_t i = 0; i < n_inputs; i++) {
        input in = get_input(self, i);
        trt_dims shapes[N_KINDS] = {0};
        PG_TRY(choose_shapes(&in, n_inputs, options, stated, shapes));
        PG_TRY(check_order(&in, index, shapes));
        if (!set_shapes(self, profile, &in, shapes))
            return pg_trt_failed(self->trt, "set the shapes of an optimization profile");
        if (i > 0)
            pg_buf_puts(text, ",\n         ");
        add_shapes_text(text, &in, shapes);
    }
    pg_buf_putc(text, '}');
    return NULL;
}

/* A shape for something that is no input would have no effect. */
static pg_status check_names(pg_trt_network *self, const char *option, const pg_trt_shapes *shapes)
{
    int32_t n_inputs = TRT_CALL(self->trt, network_n_inputs, self->network);
    for (size_t i = 0; i < shapes->count; i++) {
        pg_str name = shapes->items[i].name;
        bool used = name.len == 0 && n_inputs == 1;
        pg_buf names = {0};
        for (int32_t k = 0; k < n_inputs; k++) {
            pg_str input_name = get_input(self, k).name;
            used = used || pg_str_eq(name, input_name) || (name.len > 0 && pg_str_wildcard(name, input_name));
            pg_buf_printf(&names, "%s'%" PG_STR_FMT "'", k > 0 ? ", " : "", PG_STR_ARG(input_name));
        }
        pg_status status = used ? NULL
                                : pg_err(PG_ERR_NOT_FOUND,
                                         "option '%s': the model has no input '%" PG_STR_FMT "'; it has %s",
                                         option, PG_STR_ARG(name), pg_buf_cstr(&names));
        pg_buf_deinit(&names);
        PG_TRY(status);
    }
    return NULL;
}

static pg_status check_all_names(pg_trt_network *self, const pg_trt_options *options)
{
    for (size_t p = 0; p < options->n_profiles; p++) {
        const pg_trt_profile *profile = &options->profiles[p];
        PG_TRY(check_names(self, kind_options[0], &profile->min));
        PG_TRY(check_names(self, kind_options[1], &profile->opt));
        PG_TRY(check_names(self, kind_options[2], &profile->max));
    }
    return check_names(self, "--input-shapes", &options->input_shapes);
}

static bool needs_profile(pg_trt_network *self)
{
    int32_t n_inputs = TRT_CALL(self->trt, network_n_inputs, self->network);
    for (int32_t i = 0; i < n_inputs; i++) {
        input in = get_input(self, i);
        if (is_dynamic(&in) || in.values)
            return true;
    }
    return false;
}

pg_status pg_trt_add_profiles(pg_trt_network *self, trt_object *config, const pg_trt_options *options,
                              trt_object **out_last)
{
    pg_trt *trt = self->trt;
    *out_last = NULL;
    size_t count = PG_MAX(options->n_profiles, needs_profile(self) ? (size_t)1 : 0);
    pg_buf text = {0};
    pg_status status = check_all_names(self, options);
    for (size_t p = 0; status == NULL && p < count; p++) {
        trt_object *profile = TRT_CALL(trt, builder_create_profile, self->builder); /* the builder's */
        if (profile == NULL)
            status = pg_trt_failed(trt, "create an optimization profile");
        if (status == NULL)
            status = fill_profile(self, options, p, profile, &text);
        if (status == NULL && TRT_CALL(trt, config_add_profile, config, profile) != (int32_t)p)
            status = pg_trt_failed(trt, "add an optimization profile");
        *out_last = profile;
    }
    if (status == NULL && count > 0)
        PG_LOG_INFO("Configuring with profiles:[\n%s\n]", pg_buf_cstr(&text));
    pg_buf_deinit(&text);
    return status;
}

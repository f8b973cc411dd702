/* The algorithm selector of TensorRT 10: the builder offers the kernels that a layer could use, and later says
 * which it took. A kernel is known by its numbers and by how its tensors lie in memory; two are the same when
 * their texts are. */
#include "runner/tensorrt/internal.h"

#include "log/log.h"

/* Keeps the first error: the library cannot carry it. */
static void note_failure(pg_trt_selector *self, pg_status status)
{
    if (self->failed == NULL)
        self->failed = status;
    else
        pg_status_drop(status);
}

/* ---- What the library shows ---- */

static pg_tactic_tensor tensor_of(pg_trt_selector *self, const trt_object *algorithm, int32_t index,
                                  pg_arena *arena)
{
    pg_trt *trt = self->trt;
    pg_tactic_tensor out = {.dtype = PG_STR("DataType.UNKNOWN")};
    const trt_object *info = TRT_CALL(trt, algorithm_info, algorithm, index);
    if (info == NULL)
        return out;
    trt_dims strides = TRT_CALL(trt, info_strides, info);
    const char *dtype = trt_enum_name(trt->family, TRT_DATA_TYPE, TRT_CALL(trt, info_dtype, info));
    if (dtype != NULL)
        out.dtype = pg_str_c(pg_arena_printf(arena, "DataType.%s", dtype));
    out.n_strides = (size_t)PG_MIN(PG_MAX(strides.rank, 0), (int32_t)TRT_MAX_RANK);
    int64_t *items = PG_ARENA_ARRAY(arena, int64_t, TRT_MAX_RANK);
    memcpy(items, strides.d, out.n_strides * sizeof *items);
    out.strides = items;
    out.has_vectorized_dim = out.has_components = true;
    out.vectorized_dim = TRT_CALL(trt, info_vectorized_dim, info);
    out.components_per_element = TRT_CALL(trt, info_components, info);
    return out;
}

static pg_tactic tactic_of(pg_trt_selector *self, const trt_object *context, const trt_object *algorithm,
                           pg_arena *arena)
{
    pg_trt *trt = self->trt;
    const trt_object *variant = TRT_CALL(trt, algorithm_variant, algorithm);
    int32_t n_inputs = PG_MAX(TRT_CALL(trt, choice_n_inputs, context), 0);
    int32_t n_outputs = PG_MAX(TRT_CALL(trt, choice_n_outputs, context), 0);
    pg_tactic_tensor *tensors =
        PG_ARENA_ARRAY(arena, pg_tactic_tensor, (size_t)n_inputs + (size_t)n_outputs + 1);
    for (int32_t i = 0; i < n_inputs + n_outputs; i++)
        tensors[i] = tensor_of(self, algorithm, i, arena);
    return (pg_tactic){.layer = pg_arena_str(arena, pg_str_c(TRT_CALL(trt, choice_name, context))),
                       .implementation = TRT_CALL(trt, variant_implementation, variant),
                       .tactic = TRT_CALL(trt, variant_tactic, variant),
                       .inputs = tensors,
                       .n_inputs = (size_t)n_inputs,
                       .outputs = tensors + n_inputs,
                       .n_outputs = (size_t)n_outputs};
}

static bool is_same(const pg_tactic *a, const pg_tactic *b)
{
    pg_buf x = {0}, y = {0};
    pg_tactic_text(&x, a);
    pg_tactic_text(&y, b);
    bool same = pg_str_eq(pg_buf_str(&x), pg_buf_str(&y));
    pg_buf_deinit(&x);
    pg_buf_deinit(&y);
    return same;
}

static const pg_tactic *find_layer(const pg_tactic_replay *replay, pg_str layer)
{
    for (size_t i = 0; replay != NULL && i < replay->count; i++)
        if (pg_str_eq(replay->items[i].layer, layer))
            return &replay->items[i];
    return NULL;
}

/* ---- Choosing ---- */

static pg_status not_offered(const pg_tactic *wanted, const pg_tactic *offered, int32_t count)
{
    pg_buf text = {0};
    pg_tactic_text(&text, wanted);
    pg_buf_puts(&text, "\nOffered are:");
    for (int32_t i = 0; i < count; i++) {
        pg_buf_putc(&text, '\n');
        pg_tactic_text(&text, &offered[i]);
    }
    pg_status status =
        pg_err(PG_ERR_INVALID,
               "option '--load-tactics': the library does not offer the tactic of the file for the "
               "layer '%" PG_STR_FMT "': have the model or the options changed since it was saved?\n"
               "The file has:\n%s",
               PG_STR_ARG(wanted->layer), pg_buf_cstr(&text));
    pg_buf_deinit(&text);
    return status;
}

static int32_t select_loaded(pg_trt_selector *self, const pg_tactic *wanted, const pg_tactic *offered,
                             int32_t count, int32_t *selection)
{
    for (int32_t i = 0; i < count; i++)
        if (is_same(wanted, &offered[i])) {
            selection[0] = i;
            return 1;
        }
    note_failure(self, not_offered(wanted, offered, count));
    return 0;
}

/* All that are not excluded; none at all is an error, since the library would then choose by itself. */
static int32_t select_allowed(pg_trt_selector *self, const pg_tactic *offered, int32_t count,
                              int32_t *selection)
{
    const pg_tactic_replay *excluded = self->options->exclude_tactics;
    int32_t selected = 0;
    for (int32_t i = 0; i < count; i++) {
        bool allowed = true;
        for (size_t e = 0; excluded != NULL && e < excluded->count && allowed; e++)
            allowed = !pg_str_eq(excluded->items[e].layer, offered[i].layer) ||
                      !is_same(&excluded->items[e], &offered[i]);
        if (allowed)
            selection[selected++] = i;
    }
    if (selected == 0 && count > 0)
        note_failure(self, pg_err(PG_ERR_INVALID,
                                  "option '--exclude-tactics': nothing is left for the layer '%" PG_STR_FMT
                                  "', for which the library offers %d tactic(s)",
                                  PG_STR_ARG(offered[0].layer), count));
    return selected;
}

static int32_t select_algorithms(pg_trt_selector *self, const trt_object *context,
                                 const trt_object *const *choices, int32_t count, int32_t *selection)
{
    pg_arena arena = {0};
    pg_tactic *offered = PG_ARENA_ARRAY(&arena, pg_tactic, (size_t)PG_MAX(count, 0) + 1);
    for (int32_t i = 0; i < count; i++)
        offered[i] = tactic_of(self, context, choices[i], &arena);
    pg_str layer = pg_str_c(TRT_CALL(self->trt, choice_name, context));
    const pg_tactic *wanted = find_layer(self->options->load_tactics, layer);
    if (self->options->load_tactics != NULL && wanted == NULL)
        PG_LOG_WARNING("Layer: %" PG_STR_FMT
                       " | It is not in the file of --load-tactics: the library chooses.",
                       PG_STR_ARG(layer));
    int32_t selected = wanted != NULL ? select_loaded(self, wanted, offered, count, selection)
                                      : select_allowed(self, offered, count, selection);
    pg_arena_deinit(&arena);
    return selected;
}

/* ---- Noting ---- */

static void note_choice(pg_trt_selector *self, const pg_tactic *made)
{
    const pg_tactic *wanted = find_layer(self->options->load_tactics, made->layer);
    size_t at = pg_map_index(&self->index, made->layer);
    if (wanted != NULL && !is_same(wanted, made))
        note_failure(self,
                     pg_err(PG_ERR_RUNTIME,
                            "option '--load-tactics': the library took another tactic than the file's for "
                            "the layer '%" PG_STR_FMT "'",
                            PG_STR_ARG(made->layer)));
    if (at != SIZE_MAX) {
        self->made.items[at] = *made;
        return;
    }
    PG_VEC_PUSH(&self->made, *made);
    pg_map_put(&self->index, made->layer, NULL);
}

static void report_algorithms(pg_trt_selector *self, const trt_object *const *contexts,
                              const trt_object *const *choices, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        pg_tactic made = tactic_of(self, contexts[i], choices[i], &self->arena);
        note_choice(self, &made);
    }
}

TRT_INTERFACE_INFO(selector_info, "IAlgorithmSelector")
TRT_VTABLE(selector_vtable, TRT_INTERFACE(selector_info), TRT_FUNCTION(select_algorithms),
           TRT_FUNCTION(report_algorithms));

/* ---- Setting it ---- */

pg_status pg_trt_set_selector(pg_trt_network *network, trt_object *config, const pg_trt_options *options)
{
    pg_trt *trt = network->trt;
    const char *option = options->save_tactics != NULL      ? "--save-tactics"
                         : options->load_tactics != NULL    ? "--load-tactics"
                         : options->exclude_tactics != NULL ? "--exclude-tactics"
                                                            : NULL;
    if (option == NULL)
        return NULL;
    if (!TRT_HAS(trt, config_set_selector))
        return pg_trt_lacks(trt, option, "algorithm selector: only TensorRT 10 has one");
    network->selector =
        (pg_trt_selector){.vtable = TRT_VTABLE_START(selector_vtable), .trt = trt, .options = options};
    TRT_CALL(trt, config_set_selector, config, &network->selector);
    /* Otherwise an empty choice leaves it to the library. */
    int flag = trt_enum_value(trt->family, TRT_BUILDER_FLAG, PG_STR("REJECT_EMPTY_ALGORITHMS"));
    TRT_CALL(trt, config_set_flag, config, flag);
    return NULL;
}

pg_status pg_trt_selector_save(const pg_trt_selector *self)
{
    if (self->options == NULL || self->options->save_tactics == NULL)
        return NULL;
    PG_LOG(PG_FINISH, "Saving tactic replay file to %s", self->options->save_tactics);
    pg_tactic_replay replay = {self->made.items, self->made.len};
    return pg_tactics_save(&replay, self->options->save_tactics);
}

void pg_trt_selector_deinit(pg_trt_selector *self)
{
    PG_VEC_FREE(&self->made);
    pg_map_deinit(&self->index);
    pg_arena_deinit(&self->arena);
    pg_status_drop(self->failed);
    *self = (pg_trt_selector){0};
}

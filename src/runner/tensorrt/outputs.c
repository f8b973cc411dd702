/* Which tensors of a network are its outputs. */
#include "runner/tensorrt/internal.h"

#include "log/log.h"

typedef PG_VEC(trt_object *) tensor_list;

/* ---- Tensors ---- */

static int32_t n_layers(pg_trt_network *self)
{
    return TRT_CALL(self->trt, network_n_layers, self->network);
}

static pg_str name_of(pg_trt_network *self, trt_object *tensor)
{
    return pg_str_c(TRT_CALL(self->trt, tensor_name, tensor));
}

/* Outputs of layers, in order; `each` ends the walk by returning false. */
static void walk_outputs(pg_trt_network *self, bool (*each)(void *, trt_object *layer, trt_object *tensor),
                         void *context)
{
    pg_trt *trt = self->trt;
    for (int32_t i = 0; i < n_layers(self); i++) {
        trt_object *layer = TRT_CALL(trt, network_layer, self->network, i);
        for (int32_t k = 0; k < TRT_CALL(trt, layer_n_outputs, layer); k++) {
            trt_object *tensor = TRT_CALL(trt, layer_output, layer, k);
            if (tensor != NULL && !each(context, layer, tensor))
                return;
        }
    }
}

typedef struct search {
    pg_trt_network *self;
    pg_str name;
    trt_object *found;
    size_t distance;
    pg_str nearest;
} search;

static bool look(void *context, trt_object *layer, trt_object *tensor)
{
    search *state = context;
    (void)layer;
    pg_str name = name_of(state->self, tensor);
    if (pg_str_eq(name, state->name)) {
        state->found = tensor;
        return false;
    }
    size_t distance = pg_str_distance(name, state->name, state->distance);
    if (distance < state->distance) {
        state->distance = distance;
        state->nearest = name;
    }
    return true;
}

static search find_near(pg_trt_network *self, pg_str name)
{
    search state = {.self = self, .name = name, .distance = name.len / 3 + 1};
    for (int32_t i = 0; i < TRT_CALL(self->trt, network_n_inputs, self->network); i++)
        if (!look(&state, NULL, TRT_CALL(self->trt, network_input, self->network, i)))
            return state;
    walk_outputs(self, look, &state);
    return state;
}

trt_object *pg_trt_find_tensor(pg_trt_network *self, pg_str name)
{
    return find_near(self, name).found;
}

pg_status pg_trt_get_tensor(pg_trt_network *self, const char *option, pg_str name, trt_object **out)
{
    search state = find_near(self, name);
    *out = state.found;
    if (state.found != NULL)
        return NULL;
    if (state.nearest.len > 0)
        return pg_err(PG_ERR_NOT_FOUND,
                      "option '%s': the network has no tensor '%" PG_STR_FMT "'; did you mean '%" PG_STR_FMT
                      "'?",
                      option, PG_STR_ARG(name), PG_STR_ARG(state.nearest));
    return pg_err(PG_ERR_NOT_FOUND,
                  "option '%s': the network has no tensor '%" PG_STR_FMT
                  "': 'inspect model --display-as trt --show layers' lists them",
                  option, PG_STR_ARG(name));
}

/* ---- The choice ---- */

typedef struct choice {
    pg_trt_network *self;
    pg_str pattern; /* empty: every tensor */
    int layer_type; /* -1: of any layer */
    tensor_list *chosen;
    size_t matches;
} choice;

static void add_once(tensor_list *list, trt_object *tensor)
{
    for (size_t i = 0; i < list->len; i++)
        if (list->items[i] == tensor)
            return;
    PG_VEC_PUSH(list, tensor);
}

/* Layers inside a loop or condition that carry no value of their own. */
static bool is_structural(pg_trt *trt, int type)
{
    static const char *const names[] = {"CONSTANT", "TRIP_LIMIT", "CONDITION", "ITERATOR", "RECURRENCE"};
    const char *name = trt_enum_name(trt->family, TRT_LAYER_TYPE, type);
    for (size_t i = 0; i < PG_COUNT(names); i++)
        if (name != NULL && strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static bool choose_matching(void *context, trt_object *layer, trt_object *tensor)
{
    choice *state = context;
    pg_trt *trt = state->self->trt;
    int type = TRT_CALL(trt, layer_type, layer);
    bool fits = state->layer_type >= 0    ? type == state->layer_type
                : state->pattern.len == 0 ? !is_structural(trt, type)
                                          : pg_str_wildcard(state->pattern, name_of(state->self, tensor));
    if (fits) {
        add_once(state->chosen, tensor);
        state->matches++;
    }
    return true;
}

static bool is_pattern(pg_str name)
{
    return pg_str_find(name, '*') != SIZE_MAX || pg_str_find(name, '?') != SIZE_MAX;
}

static pg_status choose_by_name(pg_trt_network *self, const char *name, tensor_list *chosen)
{
    choice state = {.self = self, .pattern = pg_str_c(name), .layer_type = -1, .chosen = chosen};
    trt_object *tensor = pg_trt_find_tensor(self, state.pattern);
    if (tensor != NULL) {
        add_once(chosen, tensor);
        return NULL;
    }
    if (!is_pattern(state.pattern))
        return pg_trt_get_tensor(self, "--trt-outputs", state.pattern, &tensor);
    walk_outputs(self, choose_matching, &state);
    if (state.matches == 0)
        PG_LOG_WARNING("Option: --trt-outputs: no tensor of the network matches '%s'.", name);
    return NULL;
}

static pg_status choose(pg_trt_network *self, const pg_trt_options *options, tensor_list *chosen)
{
    pg_trt *trt = self->trt;
    bool replaced = options->mark_all || options->outputs.count > 0 || options->outputs_by_type.count > 0;
    for (int32_t i = 0; !replaced && i < TRT_CALL(trt, network_n_outputs, self->network); i++)
        add_once(chosen, TRT_CALL(trt, network_output, self->network, i));
    if (options->mark_all)
        walk_outputs(self, choose_matching, &(choice){.self = self, .layer_type = -1, .chosen = chosen});
    for (size_t i = 0; !options->mark_all && i < options->outputs.count; i++)
        PG_TRY(choose_by_name(self, options->outputs.items[i], chosen));
    for (size_t i = 0; i < options->outputs_by_type.count; i++) {
        choice state = {.self = self, .chosen = chosen};
        PG_TRY(pg_trt_option_enum(trt, "--trt-outputs-by-type", TRT_LAYER_TYPE,
                                  pg_str_c(options->outputs_by_type.items[i]), &state.layer_type));
        walk_outputs(self, choose_matching, &state);
        if (state.matches == 0)
            PG_LOG_WARNING("Option: --trt-outputs-by-type: the network has no layer of type '%s'.",
                           options->outputs_by_type.items[i]);
    }
    return NULL;
}

static void exclude(pg_trt_network *self, const pg_trt_options *options, tensor_list *chosen)
{
    size_t kept = 0;
    for (size_t i = 0; i < chosen->len; i++) {
        bool out = false;
        for (size_t e = 0; !out && e < options->exclude_outputs.count; e++)
            out =
                pg_str_wildcard(pg_str_c(options->exclude_outputs.items[e]), name_of(self, chosen->items[i]));
        if (!out)
            chosen->items[kept++] = chosen->items[i];
    }
    chosen->len = kept;
}

static void mark(pg_trt_network *self, const tensor_list *chosen)
{
    pg_trt *trt = self->trt;
    while (TRT_CALL(trt, network_n_outputs, self->network) > 0) {
        trt_object *first = TRT_CALL(trt, network_output, self->network, 0);
        TRT_CALL(trt, network_unmark_output, self->network, first);
    }
    for (size_t i = 0; i < chosen->len; i++)
        if (!TRT_CALL(trt, tensor_is_input, chosen->items[i]))
            TRT_CALL(trt, network_mark_output, self->network, chosen->items[i]);
}

pg_status pg_trt_choose_outputs(pg_trt_network *self, const pg_trt_options *options)
{
    tensor_list chosen = {0};
    pg_status status = NULL;
    if (!options->mark_all &&
        options->outputs.count + options->outputs_by_type.count + options->exclude_outputs.count == 0)
        return NULL;
    PG_TRY_GOTO(status, choose(self, options, &chosen));
    exclude(self, options, &chosen);
    mark(self, &chosen);
    if (TRT_CALL(self->trt, network_n_outputs, self->network) == 0)
        status = pg_err(PG_ERR_INVALID, "the options leave the network without outputs");
done:
    PG_VEC_FREE(&chosen);
    return status;
}

/* What the user says of tactics: sources, replays to follow, replays to keep away from; and the replay of what was
 * chosen. In ours an implementation is the number of a pg_tactic_source and a tactic that of a pg_tactic_id. */
#include "engine/tune.h"
#include "log/log.h"

static const pg_tactic *find_tactic(const pg_tactic_replay *replay, pg_str layer)
{
    for (size_t i = 0; replay != NULL && i < replay->count; i++)
        if (pg_str_eq(replay->items[i].layer, layer))
            return &replay->items[i];
    return NULL;
}

static bool is_ours(const pg_tactic *tactic)
{
    return tactic->tactic >= 0 && tactic->tactic < PG_TACTICS &&
           tactic->implementation == (int64_t)pg_tactic_source_of((pg_tactic_id)tactic->tactic);
}

static bool is_way_of(const tune_layer *layer, const pg_tactic *tactic)
{
    return is_ours(tactic) && (layer->offers & PG_TACTIC_BIT(tactic->tactic)) != 0;
}

/* ---- Following a replay ---- */

static pg_status misfit(const tuner *t, pg_str layer, const char *what)
{
    return pg_err(PG_ERR_INVALID,
                  "the tactic replay '%s' does not fit this network: layer '%" PG_STR_FMT "' %s",
                  t->config->tactics.load_path, PG_STR_ARG(layer), what);
}

static bool same_tensors(const pg_tactic_tensor *a, size_t n_a, const pg_tactic_tensor *b, size_t n_b)
{
    bool same = n_a == n_b;
    for (size_t i = 0; same && i < n_a; i++)
        same = pg_str_eq(a[i].dtype, b[i].dtype) && a[i].n_strides == b[i].n_strides;
    return same;
}

static pg_status follow_layer(tuner *t, tune_layer *layer)
{
    const pg_tactic *told = find_tactic(t->config->tactics.load, layer->name);
    if (told == NULL)
        return misfit(t, layer->name, "is not in it");
    if (!same_tensors(told->inputs, told->n_inputs, layer->tactic.inputs, layer->tactic.n_inputs) ||
        !same_tensors(told->outputs, told->n_outputs, layer->tactic.outputs, layer->tactic.n_outputs))
        return misfit(t, layer->name, "has tensors of other types or ranks there");
    if (layer->offers == 0 && told->implementation == 0 && told->tactic == PG_TACTIC_RULE)
        return NULL;
    if (!is_way_of(layer, told)) {
        pg_buf text = {0};
        if (is_ours(told))
            pg_buf_printf(&text, "has the tactic '%s' there, and ",
                          pg_tactic_name((pg_tactic_id)told->tactic));
        else
            pg_buf_printf(&text, "has tactic %lld of implementation %lld there, and ",
                          (long long)told->tactic, (long long)told->implementation);
        pg_buf_puts(&text, layer->offers != 0 ? "offers " : "has one way only");
        tune_names(layer->offers, &text);
        pg_status status = misfit(t, layer->name, pg_buf_cstr(&text));
        pg_buf_deinit(&text);
        return status;
    }
    layer->fixed = true;
    layer->allowed = PG_TACTIC_BIT(told->tactic);
    return tune_use(t, layer, (pg_tactic_id)told->tactic);
}

static pg_status follow(tuner *t)
{
    const pg_tactic_replay *replay = t->config->tactics.load;
    pg_map names = {0};
    pg_status status = NULL;
    for (size_t i = 0; i < t->n_layers && status == NULL; i++) {
        pg_map_put(&names, t->layers[i].name, NULL);
        status = follow_layer(t, &t->layers[i]);
    }
    for (size_t i = 0; i < replay->count && status == NULL; i++)
        if (!pg_map_has(&names, replay->items[i].layer))
            status = misfit(t, replay->items[i].layer, "is none of its layers");
    pg_map_deinit(&names);
    return status;
}

/* ---- What is allowed ---- */

static pg_status none_left(const tune_layer *layer)
{
    pg_buf names = {0};
    tune_names(layer->offers, &names);
    pg_status status =
        pg_err(PG_ERR_INVALID,
               "layer '%" PG_STR_FMT
               "' has no tactic left: it offers %s, and --tactic-sources, --exclude-tactics and "
               "the workspace leave none of them",
               PG_STR_ARG(layer->node->name), pg_buf_cstr(&names));
    pg_buf_deinit(&names);
    return status;
}

static pg_status allow(tuner *t, tune_layer *layer, size_t *kept)
{
    const pg_tactic *excluded = find_tactic(t->config->tactics.exclude, layer->name);
    layer->allowed = layer->offers & ~layer->dropped;
    for (pg_tactic_id i = 0; t->config->tactics.sources != 0 && i < PG_TACTICS; i++)
        if (pg_tactic_source_of(i) != PG_SOURCE_NATIVE &&
            (t->config->tactics.sources & PG_TACTIC_BIT(pg_tactic_source_of(i))) == 0)
            layer->allowed &= ~PG_TACTIC_BIT(i);
    if (excluded != NULL && is_ours(excluded)) {
        const unsigned bit = PG_TACTIC_BIT(excluded->tactic);
        if (layer->offers == 0 || layer->offers == bit)
            ++*kept; /* the only way there is */
        else
            layer->allowed &= ~bit;
    }
    if (layer->offers == 0 || (layer->allowed & PG_TACTIC_BIT(layer->by_rule)) != 0)
        return NULL;
    if (layer->allowed == 0)
        return none_left(layer);
    pg_tactic_id first = PG_TACTIC_RULE;
    while ((layer->allowed & PG_TACTIC_BIT(first)) == 0)
        first++;
    layer->by_rule = first;
    return tune_use(t, layer, first);
}

pg_status tune_obey(tuner *t)
{
    const pg_tactic_config *config = &t->config->tactics;
    size_t kept = 0;
    for (size_t i = 0; i < t->n_layers; i++)
        PG_TRY(allow(t, &t->layers[i], &kept));
    if (kept > 0)
        PG_LOG_WARNING("%zu of the excluded tactics are used all the same: their layers have no other.",
                       kept);
    return config->load != NULL ? follow(t) : NULL;
}

/* ---- Noting ---- */

void tune_note_replay(tuner *t)
{
    pg_tactic *items = PG_ARENA_ARRAY(&t->engine->arena, pg_tactic, t->n_layers + 1);
    for (size_t i = 0; i < t->n_layers; i++) {
        const pg_tactic_id used = pg_session_tactic(t->session, i);
        items[i] = t->layers[i].tactic;
        items[i].layer = pg_arena_str(&t->engine->arena, t->layers[i].name);
        items[i].implementation = pg_tactic_source_of(used);
        items[i].tactic = used;
    }
    t->engine->replay = (pg_tactic_replay){items, t->n_layers};
}

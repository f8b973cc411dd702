/* Choosing the tactic of each layer.
 *
 *     level   fused   tactics
 *     0       no      by each kernel's rule
 *     1       yes     by each kernel's rule
 *     2       yes     the engine's own are timed, each once
 *     3       yes     all are timed, the best of 3 counts
 *     4, 5    yes     all are timed, the best of 8, of 24
 *
 * All layers are timed side by side: the network runs with each layer's first tactic that has no time yet, then with
 * each one's second, and so on, so the number of runs is that of the layer with the most tactics. A tactic
 * replaces the rule's only when it is faster by more than the noise. */
#include "engine/tune.h"

#include <stdlib.h>
#include <zlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/threads.h"
#include "log/log.h"
#include "native/onednn/onednn.h"
#include "native/simd/simd.h"

enum { TIMING_LEVEL = 2, LIBRARY_LEVEL = 3 };
#define LONG_RUN UINT64_C(2000000000) /* ns, after which a run is not repeated */

static unsigned repetitions(unsigned level)
{
    static const unsigned of_level[] = {0, 0, 1, 3, 8, 24};
    return of_level[PG_MIN(level, (unsigned)PG_COUNT(of_level) - 1)];
}

/* ---- Names in the cache ---- */

static pg_str name_device(tuner *t)
{
    pg_buf text = {0};
    pg_cpu_name(&text);
    pg_buf_printf(&text, ", %s, %u threads", pg_simd_best()->name,
                  t->config->threads > 0 ? t->config->threads : pg_cpu_count());
    pg_str kept = pg_arena_str(&t->arena, pg_buf_str(&text));
    pg_buf_deinit(&text);
    return kept;
}

/* Times of a library are those of its version. */
static pg_str cache_name(tuner *t, pg_tactic_id tactic)
{
    return pg_str_c(tactic == PG_TACTIC_ONEDNN
                        ? pg_arena_printf(&t->arena, "%s %s", pg_tactic_name(tactic), pg_onednn_version())
                        : pg_tactic_name(tactic));
}

/* ---- Which times are wanted ---- */

static bool has_several(unsigned tactics)
{
    return (tactics & (tactics - 1)) != 0;
}

static bool is_known(const tuner *t, const tune_layer *layer, pg_tactic_id tactic)
{
    for (size_t p = 0; p < t->engine->n_profiles; p++)
        if (layer->kinds[p] != NULL && layer->kinds[p]->ns[tactic] == 0)
            return false;
    return true;
}

/* Of these, the tactics that have no time on some profile. */
static unsigned unknown(const tuner *t, const tune_layer *layer)
{
    unsigned bits = 0;
    for (pg_tactic_id i = 0; i < PG_TACTICS && has_several(layer->allowed); i++)
        if ((layer->allowed & PG_TACTIC_BIT(i)) != 0 && !is_known(t, layer, i))
            bits |= PG_TACTIC_BIT(i);
    return bits;
}

static pg_status read_cache(tuner *t)
{
    const pg_tactic_config *config = &t->config->tactics;
    const char *path = config->load_timing_cache;
    if (config->save_timing_cache != NULL && pg_path_exists(config->save_timing_cache)) {
        pg_timing_cache old = {0}; /* a damaged one is an error now, not after the work */
        pg_status status = pg_timing_cache_read(&old, config->save_timing_cache);
        pg_timing_cache_deinit(&old);
        PG_TRY(status);
    }
    if (path == NULL)
        return NULL;
    if (!pg_path_exists(path)) {
        if (config->save_timing_cache == NULL || strcmp(path, config->save_timing_cache) != 0)
            PG_LOG_WARNING("There is no timing cache '%s': it begins empty.", path);
        return NULL;
    }
    return pg_timing_cache_read(&t->cache, path);
}

static void take_cached(tuner *t)
{
    for (size_t k = 0; k < t->kinds.len; k++) {
        tune_kind *kind = t->kinds.entries[k].value;
        for (pg_tactic_id i = 1; i < PG_TACTICS; i++)
            if (i != PG_TACTIC_ONEDNN || pg_onednn_version() != NULL)
                kind->ns[i] = pg_timing_cache_get(&t->cache, t->device, cache_name(t, i), kind->key);
    }
}

static pg_status check_misses(const tuner *t)
{
    for (size_t i = 0; i < t->n_layers; i++) {
        const unsigned missing = unknown(t, &t->layers[i]);
        if (missing == 0)
            continue;
        pg_buf names = {0};
        tune_names(missing, &names);
        pg_status status = pg_err(
            PG_ERR_NOT_FOUND,
            "the timing cache%s%s%s has no time of layer '%" PG_STR_FMT "' (%" PG_STR_FMT
            ") by %s on this device (%" PG_STR_FMT "); without --error-on-timing-cache-miss it is timed",
            t->config->tactics.load_timing_cache != NULL ? " '" : "",
            t->config->tactics.load_timing_cache != NULL ? t->config->tactics.load_timing_cache : "",
            t->config->tactics.load_timing_cache != NULL ? "'" : "", PG_STR_ARG(t->layers[i].node->name),
            PG_STR_ARG(t->layers[i].node->op_type), pg_buf_cstr(&names), PG_STR_ARG(t->device));
        pg_buf_deinit(&names);
        return status;
    }
    return NULL;
}

/* ---- Timing ---- */

static pg_status see_time(void *context, const pg_node *node, const pg_value *const *inputs,
                          const pg_value *outputs, double seconds)
{
    tuner *t = context;
    const tune_layer *layer =
        pg_map_find(&t->by_node, (pg_str){(const char *)&node, sizeof(const pg_node *)});
    (void)inputs;
    (void)outputs;
    tune_kind *kind = layer != NULL ? layer->kinds[t->profile] : NULL;
    if (kind == NULL || !has_several(layer->allowed))
        return NULL;
    const pg_tactic_id used = pg_session_tactic(t->session, (size_t)(layer - t->layers));
    const uint64_t ns = (uint64_t)(seconds * 1e9) + 1;
    const bool is_fresh = (kind->fresh & PG_TACTIC_BIT(used)) != 0;
    if (kind->ns[used] != 0 && !is_fresh)
        return NULL; /* from the cache: what it says decides, whenever it is asked */
    kind->ns[used] = is_fresh ? PG_MIN(kind->ns[used], ns) : ns;
    kind->fresh |= PG_TACTIC_BIT(used);
    return NULL;
}

static pg_status time_profile(tuner *t, size_t profile)
{
    const pg_observer observer = {t, see_time};
    uint64_t ns = 0;
    PG_TRY(tune_run(t, profile, TUNE_OPTIMAL)); /* packs weights */
    pg_session_observe(t->session, &observer);
    t->changed = true;
    pg_status status = NULL;
    for (unsigned i = 0; i < repetitions(t->engine->level) && status == NULL && (i == 0 || ns < LONG_RUN);
         i++)
        status = tune_run_timed(t, profile, &ns);
    pg_session_observe(t->session, NULL);
    return status;
}

/* Every layer that has a tactic without a time uses it. `tried` is of each layer; false when there is none left. */
static pg_status choose_untimed(tuner *t, unsigned *tried, bool *out_any)
{
    *out_any = false;
    for (size_t i = 0; i < t->n_layers; i++) {
        tune_layer *layer = &t->layers[i];
        const unsigned left = unknown(t, layer) & ~tried[i] & ~layer->dropped;
        pg_tactic_id next = PG_TACTIC_RULE;
        if (left == 0)
            continue;
        while ((left & PG_TACTIC_BIT(next)) == 0)
            next++;
        tried[i] |= PG_TACTIC_BIT(next);
        *out_any = true;
        PG_TRY(tune_use(t, layer, next));
    }
    return NULL;
}

static pg_status time_all(tuner *t)
{
    unsigned *tried = pg_calloc(t->n_layers, sizeof *tried);
    bool any = true;
    pg_status status = NULL;
    while (any && status == NULL) {
        status = choose_untimed(t, tried, &any);
        for (size_t p = 0; any && p < t->engine->n_profiles && status == NULL; p++)
            if (!t->untried[p])
                status = time_profile(t, p);
    }
    free(tried);
    return status;
}

static void keep_times(tuner *t)
{
    for (size_t k = 0; k < t->kinds.len; k++) {
        const tune_kind *kind = t->kinds.entries[k].value;
        for (pg_tactic_id i = 1; i < PG_TACTICS; i++)
            if ((kind->fresh & PG_TACTIC_BIT(i)) != 0)
                pg_timing_cache_put(&t->cache, t->device, cache_name(t, i), kind->key, kind->ns[i]);
    }
}

/* ---- Winners ---- */

/* Sum over the profiles. */
static uint64_t time_of(const tuner *t, const tune_layer *layer, pg_tactic_id tactic)
{
    uint64_t sum = 0;
    for (size_t p = 0; p < t->engine->n_profiles; p++)
        sum += layer->kinds[p] != NULL ? layer->kinds[p]->ns[tactic] : 0;
    return sum;
}

/* Among these; the rule's when none is clearly faster. */
static pg_tactic_id fastest(const tuner *t, const tune_layer *layer, unsigned among)
{
    const uint64_t by_rule = time_of(t, layer, layer->by_rule);
    pg_tactic_id best = layer->by_rule;
    uint64_t least = is_known(t, layer, best) ? by_rule - by_rule / 32 : UINT64_MAX;
    for (pg_tactic_id i = 1; i < PG_TACTICS; i++)
        if ((among & PG_TACTIC_BIT(i)) != 0 && is_known(t, layer, i) && time_of(t, layer, i) < least) {
            least = time_of(t, layer, i);
            best = i;
        }
    return best;
}

static pg_status use_fastest(tuner *t, unsigned among, unsigned *used)
{
    *used = 0;
    for (size_t i = 0; i < t->n_layers; i++) {
        tune_layer *layer = &t->layers[i];
        if (layer->allowed == 0 || layer->fixed)
            continue;
        const unsigned left = layer->allowed & ~layer->dropped;
        pg_tactic_id best = fastest(t, layer, (left & among) != 0 ? left & among : left);
        *used |= PG_TACTIC_BIT(best);
        PG_TRY(tune_use(t, layer, best));
    }
    return NULL;
}

/* ---- A library beside the own kernels ---- */

/* A library's threads and ours take turns on the same processors, and each side finds the caches as the other left
 * them, which no layer's own time shows: whether mixing pays is measured on the whole network, once with and once
 * without the library. It must pay clearly, for its layers' weights cannot be kept packed. */
static pg_str network_key(tuner *t)
{
    uint32_t crc = 0;
    for (size_t i = 0; i < t->n_layers; i++) {
        const tune_layer *layer = &t->layers[i];
        for (size_t p = 0; p < t->engine->n_profiles; p++)
            if (layer->kinds[p] != NULL)
                crc = (uint32_t)crc32(crc, (const Bytef *)layer->kinds[p]->key.ptr,
                                      (uInt)layer->kinds[p]->key.len);
        crc = (uint32_t)crc32(crc, (const Bytef *)&layer->now, sizeof layer->now);
    }
    return pg_str_c(pg_arena_printf(&t->arena, "network of %zu layers, %08x", t->n_layers, crc));
}

static pg_status time_network(tuner *t, uint64_t *out)
{
    uint64_t ns = 0;
    *out = 0;
    for (size_t p = 0; p < t->engine->n_profiles; p++) {
        uint64_t least = UINT64_MAX;
        if (t->untried[p])
            continue;
        PG_TRY(tune_run(t, p, TUNE_OPTIMAL));
        for (unsigned i = 0; i < repetitions(t->engine->level) && (i == 0 || ns < LONG_RUN); i++) {
            PG_TRY(tune_run_timed(t, p, &ns));
            least = PG_MIN(least, ns);
        }
        *out += least;
    }
    *out += *out == 0;
    return NULL;
}

static pg_status choose_library(tuner *t)
{
    const unsigned own = ~PG_TACTIC_BIT(PG_TACTIC_ONEDNN);
    const pg_str with = PG_STR("with libraries"), without = PG_STR("without libraries");
    unsigned used;
    const pg_str key = network_key(t);
    uint64_t mixed = pg_timing_cache_get(&t->cache, t->device, with, key),
             alone = pg_timing_cache_get(&t->cache, t->device, without, key);
    if (mixed == 0 || alone == 0) {
        PG_TRY(time_network(t, &mixed));
        PG_TRY(use_fastest(t, own, &used));
        PG_TRY(time_network(t, &alone));
        pg_timing_cache_put(&t->cache, t->device, with, key, mixed);
        pg_timing_cache_put(&t->cache, t->device, without, key, alone);
    }
    PG_LOG_VERBOSE("The network takes %.2f ms with oneDNN where that is faster, %.2f ms without it.",
                   (double)mixed * 1e-6, (double)alone * 1e-6);
    return use_fastest(t, mixed < alone - alone / 32 ? ~0u : own, &used);
}

/* ---- The whole ---- */

static pg_status time_and_choose(tuner *t)
{
    const pg_tactic_config *config = &t->config->tactics;
    unsigned used;
    if (t->engine->level < TIMING_LEVEL || config->load != NULL)
        return NULL;
    if (t->engine->level < LIBRARY_LEVEL)
        for (size_t i = 0; i < t->n_layers; i++)
            if ((t->layers[i].allowed & ~PG_TACTIC_BIT(PG_TACTIC_ONEDNN)) != 0)
                t->layers[i].allowed &= ~PG_TACTIC_BIT(PG_TACTIC_ONEDNN);
    take_cached(t);
    if (config->error_on_timing_cache_miss)
        PG_TRY(check_misses(t));
    PG_TRY(time_all(t));
    keep_times(t);
    PG_TRY(use_fastest(t, ~0u, &used));
    if ((used & PG_TACTIC_BIT(PG_TACTIC_ONEDNN)) != 0)
        PG_TRY(choose_library(t));
    return NULL;
}

/* As the engine will run; unless the last run was that. */
static pg_status try_largest(tuner *t)
{
    if (t->fixed && !t->changed)
        return NULL;
    pg_session_forget_peak(t->session);
    for (size_t p = 0; p < t->engine->n_profiles; p++)
        PG_TRY(tune_run(t, p, TUNE_LARGEST));
    return NULL;
}

/* Names of nodes may be missing, or be those of others. */
static void name_layers(tuner *t)
{
    pg_map seen = {0};
    for (size_t i = 0; i < t->n_layers; i++) {
        tune_layer *layer = &t->layers[i];
        const pg_node *node = layer->node;
        pg_str output = PG_STR_EMPTY;
        for (size_t k = node->n_outputs; k-- > 0;)
            if (node->outputs[k].len > 0)
                output = node->outputs[k];
        layer->name = node->name.len > 0 && !pg_map_has(&seen, node->name)
                          ? node->name
                          : pg_str_c(pg_arena_printf(&t->arena, "%" PG_STR_FMT " -> %" PG_STR_FMT,
                                                     PG_STR_ARG(node->name), PG_STR_ARG(output)));
        pg_map_put(&seen, layer->name, NULL);
    }
    pg_map_deinit(&seen);
}

static void make_layers(tuner *t)
{
    t->n_layers = pg_session_layer_count(t->session);
    t->layers = PG_ARENA_ARRAY(&t->arena, tune_layer, t->n_layers + 1);
    t->fixed = true;
    for (size_t p = 0; p < t->engine->n_profiles; p++)
        t->fixed = t->fixed && tune_is_fixed(&t->engine->profiles[p]);
    t->untried = PG_ARENA_ARRAY(&t->arena, bool, t->engine->n_profiles + 1);
    for (size_t i = 0; i < t->n_layers; i++) {
        tune_layer *layer = &t->layers[i];
        layer->node = pg_session_layer(t->session, i);
        layer->kinds = PG_ARENA_ARRAY(&t->arena, tune_kind *, t->engine->n_profiles + 1);
        pg_map_put(&t->by_node, (pg_str){(const char *)&layer->node, sizeof(const pg_node *)}, layer);
    }
    name_layers(t);
}

/* Tells how many layers are not the rule's, once per build. */
static void report(const tuner *t)
{
    size_t several = 0, changed = 0;
    for (size_t i = 0; i < t->n_layers; i++) {
        several += has_several(t->layers[i].offers);
        changed += t->layers[i].now != PG_TACTIC_RULE && t->layers[i].now != t->layers[i].by_rule;
    }
    if (several > 0)
        PG_LOG_VERBOSE("%zu of %zu layers have several tactics; %zu use another than their rule's.", several,
                       t->n_layers, changed);
}

static pg_status tune(tuner *t)
{
    make_layers(t);
    PG_TRY(read_cache(t));
    for (size_t p = 0; p < t->engine->n_profiles; p++)
        if (!tune_is_fixed(&t->engine->profiles[p])) /* too small a workspace shows at once */
            PG_TRY(tune_run(t, p, TUNE_LARGEST));
    PG_TRY(tune_see_layers(t));
    PG_TRY(tune_obey(t));
    PG_TRY(time_and_choose(t));
    PG_TRY(try_largest(t));
    report(t);
    t->engine->peak_bytes = pg_session_peak_bytes(t->session);
    pg_engine_read_layers(t->engine, t->session);
    for (size_t i = 0; i < t->n_layers; i++)
        ((pg_engine_layer *)t->engine->layers)[i].tactic = t->layers[i].now;
    tune_note_replay(t);
    return t->config->tactics.save_timing_cache != NULL
               ? pg_timing_cache_write(&t->cache, t->config->tactics.save_timing_cache)
               : NULL;
}

pg_status pg_engine_tune(pg_engine *engine, const pg_build_config *config)
{
    tuner t = {.engine = engine, .config = config};
    pg_native_options options = pg_engine_session_options(
        engine, &(pg_native_options){
                    .threads = config->threads, .onednn = config->onednn, .no_onednn = config->no_onednn});
    options.tactics = NULL;
    options.tuning = true;
    pg_status status = pg_session_new(engine->model, &options, &t.session);
    if (status == NULL) {
        t.device = name_device(&t);
        status = tune(&t);
    }
    engine->session = t.session;
    pg_map_deinit(&t.by_node);
    pg_map_deinit(&t.kinds);
    pg_map_deinit(&t.tensors);
    pg_timing_cache_deinit(&t.cache);
    pg_arena_deinit(&t.arena);
    return status;
}

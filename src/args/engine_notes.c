/* Options of TensorRT that ask the built-in engine for what it always does, or permit what it does not need: each is
 * noted in the engine, and `inspect model` tells. */
#include <string.h>

#include "args/engine.h"
#include "base/vec.h"
#include "log/log.h"

/* One name that an option may list. */
typedef struct known {
    const char *option, *name;
    const char *always; /* what it asks for, when that is always so; NULL: it cannot be */
    const char *never;  /* why it cannot be */
} known;

static const known names[] = {
    {"--preview-features", "PROFILE_SHARING_0806", "every runner of an engine can use every profile", NULL},
    {"--preview-features", "RUNTIME_ACTIVATION_RESIZE_10_10", "tensors take the room of the shapes that run",
     NULL},
    {"--preview-features", "ALIASED_PLUGIN_IO_10_03", NULL, "it has no plugins"},
    {"--preview-features", "MULTIDEVICE_RUNTIME_10_16", NULL, "it runs on one processor"},
    {"--quantization-flags", "CALIBRATE_BEFORE_FUSION", "the model is calibrated as it is written", NULL},
    {"--onnx-flags", "NATIVE_INSTANCENORM", "InstanceNormalization is a layer, no plugin", NULL},
    {"--onnx-flags", "ENABLE_UINT8_AND_ASYMMETRIC_QUANTIZATION_DLA", NULL, "it runs on the processor"},
    {"--onnx-flags", "REPORT_CAPABILITY_DLA", NULL, "it runs on the processor"},
    {"--onnx-flags", "ADJUST_FOR_DLA", NULL, "it runs on the processor"},
    {"--onnx-flags", "ENABLE_PLUGIN_OVERRIDE", NULL, "it has no plugins"},
};

typedef PG_VEC(pg_str) note_list;

static pg_status note_name(const char *option, const char *word, pg_arena *arena, note_list *notes)
{
    const char *choices[PG_COUNT(names)];
    size_t count = 0;
    for (size_t i = 0; i < PG_COUNT(names); i++) {
        if (strcmp(names[i].option, option) != 0)
            continue;
        choices[count++] = names[i].name;
        if (!pg_str_eq_nocase(pg_str_c(word), pg_str_c(names[i].name)))
            continue;
        if (names[i].always == NULL)
            return pg_err(PG_ERR_UNSUPPORTED, "option '%s': the built-in engine cannot follow %s: %s", option,
                          names[i].name, names[i].never);
        PG_VEC_PUSH(notes, pg_str_c(pg_arena_printf(arena, "%s %s: always so, %s", option, names[i].name,
                                                    names[i].always)));
        return NULL;
    }
    return pg_value_not_one_of(option, pg_str_c(word), choices, count);
}

static pg_status note_names(const char *option, const pg_trt_names *words, pg_arena *arena, note_list *notes)
{
    for (size_t i = 0; i < words->count; i++)
        PG_TRY(note_name(option, words->items[i], arena, notes));
    return NULL;
}

/* The index of a word among `choices`. */
static pg_status choose(const char *option, const char *word, const char *const *choices, size_t count,
                        size_t *out)
{
    for (*out = 0; *out < count; ++*out)
        if (pg_str_eq_nocase(pg_str_c(word), pg_str_c(choices[*out])))
            return NULL;
    return pg_value_not_one_of(option, pg_str_c(word), choices, count);
}

static pg_status note_tiling(const char *level, pg_arena *arena, note_list *notes)
{
    static const char *const levels[] = {"NONE", "FAST", "MODERATE", "FULL"};
    size_t chosen;
    if (level == NULL)
        return NULL;
    PG_TRY(choose("--tiling-optimization-level", level, levels, PG_COUNT(levels), &chosen));
    PG_VEC_PUSH(notes,
                pg_str_c(pg_arena_printf(arena,
                                         "--tiling-optimization-level %s: no effect, each tactic has one "
                                         "way of tiling",
                                         levels[chosen])));
    return NULL;
}

static pg_status collect(const pg_trt_options *options, pg_arena *arena, note_list *notes)
{
    PG_TRY(note_names("--preview-features", &options->preview_features, arena, notes));
    PG_TRY(note_names("--quantization-flags", &options->quantization_flags, arena, notes));
    PG_TRY(note_names("--onnx-flags", &options->parser_flags, arena, notes));
    PG_TRY(note_tiling(options->tiling_level, arena, notes));
    if (options->has_aux_streams)
        PG_VEC_PUSH(notes,
                    pg_str_c(pg_arena_printf(arena,
                                             "--max-aux-streams %lld: none is used, one layer runs at a "
                                             "time on all threads",
                                             (long long)options->aux_streams)));
    return NULL;
}

pg_status pg_args_engine_notes(const pg_trt_options *options, pg_arena *arena, pg_build_config *build)
{
    static const char *const levels[] = {[PG_VERBOSITY_DETAILED] = "DETAILED",
                                         [PG_VERBOSITY_NAMES] = "LAYER_NAMES_ONLY",
                                         [PG_VERBOSITY_NONE] = "NONE"};
    note_list notes = {0};
    size_t level = PG_VERBOSITY_DETAILED;
    pg_status status = collect(options, arena, &notes);
    if (status == NULL && options->profiling_verbosity != NULL)
        status =
            choose("--profiling-verbosity", options->profiling_verbosity, levels, PG_COUNT(levels), &level);
    pg_str *kept = PG_ARENA_ARRAY(arena, pg_str, notes.len + 1);
    for (size_t i = 0; i < notes.len; i++)
        kept[i] = notes.items[i];
    build->notes = kept;
    build->n_notes = notes.len;
    build->verbosity = (pg_verbosity)level;
    PG_VEC_FREE(&notes);
    return status;
}

/* How a model is divided among several devices. */
#include "args/args.h"

#define SHARD "model sharding"
#define INT_ROW(name_, default_, help_)                                                      \
    {                                                                                        \
        name_, .type = PG_ARG_INT, .missing = SHARD, .default_text = default_, .help = help_ \
    }
#define INTS_ROW(name_, help_)                                                                              \
    {                                                                                                       \
        name_, .type = PG_ARG_LIST, .arity = PG_ARITY_ANY, .missing = SHARD, .help = help_, .metavar = "N", \
               .flags = PG_OPTION_INTEGERS                                                                  \
    }

static const pg_option rows[] = {
    {"--parallelism", .type = PG_ARG_TEXT, .choices = "CP|TP", .default_text = "CP", .missing = SHARD,
     .help = "what is divided: CP the sequence (context), TP the tensors"},
    INT_ROW("--root", "-1", "rank of the root device"),
    INT_ROW("--gpus", "0", "how many devices take part; 0 = all"),
    INTS_ROW("--groups", "groups of devices"),
    {"--cp-type", .type = PG_ARG_TEXT, .choices = "native|fused", .default_text = "native", .missing = SHARD,
     .help = "gather around the attention, or inside of it"},
    {"--no-suggest-io", .type = PG_ARG_FLAG, .missing = SHARD, .help = "do not guess inputs and outputs"},
    INT_ROW("--i-idx", "0", "axis of the sequence in the inputs"),
    INT_ROW("--o-idx", "0", "axis of the sequence in the outputs"),
    INT_ROW("--k-idx", "0", "axis of the sequence in the keys"),
    INT_ROW("--v-idx", "0", "axis of the sequence in the values"),
    INT_ROW("--i-rank", NULL, "rank of inputs whose shape is not known"),
    INT_ROW("--o-rank", NULL, "rank of outputs whose shape is not known"),
    INT_ROW("--kv-rank", NULL, "rank of keys and values whose shape is not known"),
    {"--reduce-op", .type = PG_ARG_TEXT, .choices = "sum|prod|min|max|avg", .default_text = "max",
     .missing = SHARD, .help = "how results of several devices are joined"},
    {"--attention-pattern", .type = PG_ARG_INT, .choices = "0|1", .default_text = "0", .missing = SHARD,
     .help = "which form of the attention to look for"},
    INTS_ROW("--q-shuffle", "permutation of the queries before the attention"),
    INTS_ROW("--k-shuffle", "permutation of the keys before the attention"),
    INTS_ROW("--v-shuffle", "permutation of the values before the attention"),
    {"--is-causal", .type = PG_ARG_FLAG, .missing = SHARD, .help = "the attention looks back only"},
    INT_ROW("--nb-rank", "1", "devices of one attention"),
};
const pg_group pg_group_shard = {"Shard Hints", rows, PG_COUNT(rows)};

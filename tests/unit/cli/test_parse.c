#include "unit/harness.h"

#include "cli/option.h"

typedef struct values {
    int verbose;
    bool flag, flap;
    const char *model, *out, *kind, *own_kind;
    pg_opt_int seed;
    pg_opt_float quantile;
    pg_opt_text blob, first;
    pg_arg_list list, any, runners, mode, rest, codes;
} values;

static const pg_option rows[] = {
    {"-v --verbose", PG_FIELD(values, verbose)},
    {"--flag", PG_FIELD(values, flag), .exclusive = "f"},
    {"-o --output", PG_FIELD(values, out)},
    {"model_file", PG_FIELD(values, model), .arity = PG_ARITY_OPTIONAL},
    {"--seed", PG_FIELD(values, seed)},
    {"--iterations --iters", PG_FIELD(values, list)},
    {"--quantile", PG_FIELD(values, quantile)},
    {"--blob", PG_FIELD(values, blob), .implied = "."},
    {"--first", PG_FIELD(values, first), .flags = PG_OPTION_FIRST_WINS},
    {"--any-of", PG_FIELD(values, any), .arity = PG_ARITY_ANY},
    {"--onnxrt", PG_FIELD(values, runners), .arity = PG_ARITY_NONE, .flags = PG_OPTION_APPEND},
    {"--trt", PG_FIELD(values, runners), .arity = PG_ARITY_NONE, .flags = PG_OPTION_APPEND},
    {"--onnx", PG_FIELD(values, runners), .arity = PG_ARITY_NONE, .flags = PG_OPTION_APPEND | PG_OPTION_OURS},
    {"--mode", PG_FIELD(values, mode), .choices = "simple|indices"},
    {"--flap-too", PG_FIELD(values, flap), .flags = PG_OPTION_OURS, .exclusive = "f"},
    {"--save", PG_FIELD(values, out), .flags = PG_OPTION_PATH},
    {"--check", PG_FIELD(values, rest), .arity = PG_ARITY_REST},
    {"--detail", PG_FIELD(values, out), .choices = "low|high", .flags = PG_OPTION_NAMED_TOO},
    {"--kind-of-model", PG_FIELD(values, kind), .choices = "onnx|engine"},
    {"--kind", PG_FIELD(values, own_kind), .choices = "small|large", .flags = PG_OPTION_OURS},
    {"--code", PG_FIELD(values, codes), .flags = PG_OPTION_INTEGERS},
    {"--limit", .type = PG_ARG_LIST, .syntax = PG_SYNTAX_NAMED_BYTES, .missing = "TensorRT"},
    {"--budget", .type = PG_ARG_TEXT, .syntax = PG_SYNTAX_SHARE, .missing = "TensorRT"},
    {"--min-shapes", .type = PG_ARG_LIST, .syntax = PG_SYNTAX_SHAPES, .missing = "TensorRT"},
    {"--fp16 --half", .type = PG_ARG_FLAG, .missing = "TensorRT"},
};
static const pg_group group = {"Group", rows, PG_COUNT(rows)};
static const pg_group_use uses[] = {{&group, 0}};
static const pg_command command = {.name = "t", .groups = uses, .n_groups = 1, .values_size = sizeof(values)};

static pg_arena arena;
static values got;
static pg_parse_result result;

static pg_status parse(const char *line)
{
    const char *words[32];
    size_t n = 0;
    pg_str rest = pg_str_c(line), part;
    got = (values){0};
    while (line[0] != '\0' && pg_str_split(&rest, ' ', &part))
        words[n++] = pg_arena_cstr(&arena, part);
    return pg_options_parse(&command, words, n, &got, &arena, &result);
}

static bool is(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

TEST(values_reach_their_fields)
{
    CHECK_OK(parse("m.onnx --flag -vv --seed -3 --quantile 0.5 -o x --iters a b --mode indices simple"));
    CHECK(is(got.model, "m.onnx") && got.flag && got.verbose == 2 && is(got.out, "x"));
    CHECK(got.seed.set && got.seed.value == -3 && got.quantile.value == 0.5);
    CHECK(got.list.count == 2 && is(got.list.items[1], "b") && got.mode.count == 2);
    CHECK_INT(result.n_unrecognized, 0);
    CHECK_OK(parse(""));
    CHECK(got.model == NULL && !got.seed.set && !got.list.set);
}

TEST(spellings)
{
    CHECK_OK(parse("--see=4 -oname --iterations=x --quant -1e-3"));
    CHECK(got.seed.value == 4 && is(got.out, "name") && got.list.count == 1);
    CHECK_NEAR(got.quantile.value, -1e-3, 0);
    CHECK_OK(parse("--any_of 1 2"));
    CHECK_INT(got.any.count, 2);
    CHECK_OK(parse("-vvofile"));
    CHECK(got.verbose == 2 && is(got.out, "file"));
    CHECK_OK(parse("--output="));
    CHECK(is(got.out, ""));
}

TEST(abbreviations)
{
    CHECK_ERR(parse("--iter 3"), PG_ERR_USAGE, "ambiguous option: --iter could match --iterations, --iters");
    CHECK_OK(parse("--onnx"));
    CHECK(got.runners.count == 1 && is(got.runners.items[0], "onnx"));
    CHECK_OK(parse("--onn")); /* ours does not make it ambiguous */
    CHECK(is(got.runners.items[0], "onnxrt"));
    CHECK_OK(parse("--fla"));
    CHECK(got.flag && !got.flap);
    CHECK_OK(parse("--flap"));
    CHECK(got.flap);
}

TEST(order_and_repeats)
{
    CHECK_OK(parse("--trt --onnxrt --trt"));
    CHECK_INT(got.runners.count, 3);
    CHECK(is(got.runners.items[0], "trt") && is(got.runners.items[1], "onnxrt"));
    CHECK_OK(parse("--seed 1 --seed 2 --iters a b --iters c --first a --first b"));
    CHECK(got.seed.value == 2 && got.list.count == 1 && is(got.first.text, "a"));
}

TEST(optional_words)
{
    CHECK_OK(parse("--blob --first --any-of"));
    CHECK(got.blob.set && is(got.blob.text, ".") && got.first.set && got.first.text == NULL);
    CHECK(got.any.set && got.any.count == 0);
    CHECK_OK(parse("--blob d m.onnx"));
    CHECK(is(got.blob.text, "d") && is(got.model, "m.onnx"));
}

TEST(positionals)
{
    CHECK_OK(parse("--iters a b -- m.onnx"));
    CHECK(got.list.count == 2 && is(got.model, "m.onnx"));
    CHECK_OK(parse("--flag -- --seed"));
    CHECK(is(got.model, "--seed") && !got.seed.set);
    CHECK_OK(parse("a b --flag c"));
    CHECK(is(got.model, "a") && result.n_unrecognized == 2 && is(result.unrecognized[1], "c"));
    CHECK_OK(parse("--flag m.onnx"));
    CHECK(is(got.model, "m.onnx"));
}

TEST(unrecognized)
{
    CHECK_OK(parse("m --bogus 3 --flag -x"));
    CHECK_INT(result.n_unrecognized, 3);
    CHECK(is(result.unrecognized[0], "--bogus") && is(result.unrecognized[1], "3"));
    CHECK(got.flag);
    CHECK(is(pg_options_suggest(&command, "--sed", &arena), "--seed"));
    CHECK(pg_options_suggest(&command, "--workspace", &arena) == NULL);
}

TEST(rest_takes_all)
{
    CHECK_OK(parse("--check polygraphy run --seed 3 -v"));
    CHECK(got.rest.count == 5 && !got.seed.set && got.verbose == 0);
}

TEST(errors)
{
    CHECK_ERR(parse("--seed x"), PG_ERR_USAGE, "argument --seed: invalid int value: 'x'");
    CHECK_ERR(parse("--quantile x"), PG_ERR_USAGE, "argument --quantile: invalid float value: 'x'");
    CHECK_ERR(parse("--seed"), PG_ERR_USAGE, "argument --seed: expected one argument");
    CHECK_ERR(parse("--iters --flag"), PG_ERR_USAGE,
              "argument --iterations/--iters: expected at least one argument");
    CHECK_ERR(parse("--flag=1"), PG_ERR_USAGE, "argument --flag: ignored explicit argument '1'");
    CHECK_ERR(parse("-vx"), PG_ERR_USAGE, "argument -v/--verbose: ignored explicit argument 'x'");
    CHECK_ERR(parse("--mode simpel"), PG_ERR_USAGE,
              "invalid choice: 'simpel' (choose from 'simple', 'indices'); did you mean 'simple'?");
    CHECK_ERR(parse("--save="), PG_ERR_USAGE, "argument --save: the path is empty");
    CHECK_ERR(parse("--flap-too --flag"), PG_ERR_USAGE,
              "argument --flag: not allowed with argument --flap-too");
}

TEST(required)
{
    pg_group_use strict[] = {{&group, 0, .required = "model_file -o"}};
    pg_command needy = command;
    needy.groups = strict;
    CHECK_ERR(pg_options_parse(&needy, NULL, 0, &got, &arena, &result), PG_ERR_USAGE,
              "the following arguments are required: -o/--output, model_file");
}

TEST(missing_systems)
{
    CHECK_OK(parse("--half"));
    CHECK_ERR(pg_options_finish(&command, &got, &result, &arena), PG_ERR_UNSUPPORTED,
              "option '--half' is not available in this version: it needs TensorRT");
}

/* The error of the checks after a parse that went well. */
static pg_status finish(const char *line)
{
    PG_TRY(parse(line));
    return pg_options_finish(&command, &got, &result, &arena);
}

TEST(wrong_words_come_before_missing_systems)
{
    CHECK_ERR(finish("--half --limit workspace:16MB"), PG_ERR_INVALID,
              "option '--limit': '16MB' is not a number of bytes: write 16000000, 16e6, or 16M (K, M, G)");
    CHECK_ERR(finish("--limit 16M"), PG_ERR_INVALID, "option '--limit': '16M' is not 'name:size'");
    CHECK_ERR(finish("--limit workspace:16M x:1e6"), PG_ERR_UNSUPPORTED, "it needs TensorRT");
    CHECK_ERR(finish("--budget 101%"), PG_ERR_INVALID,
              "option '--budget': '101%' is not a percentage from 0% to 100%");
    CHECK_ERR(finish("--budget=50%"), PG_ERR_UNSUPPORTED, "it needs TensorRT");
    CHECK_ERR(finish("--min-sh x:[1,b]"), PG_ERR_INVALID,
              "option '--min-shapes': dim 'b' of 'x:[1,b]' is not a number");
}

TEST(numbers_in_lists)
{
    CHECK_OK(parse("--code 1 -2 1_000"));
    CHECK_INT(got.codes.count, 3);
    CHECK_ERR(parse("--code 1 x"), PG_ERR_USAGE, "argument --code: invalid int value: 'x'");
}

TEST(choices_beside_named_values)
{
    CHECK_OK(parse("--detail layer:low"));
    CHECK(is(got.out, "layer:low"));
    CHECK_ERR(parse("--detail lo"), PG_ERR_USAGE, "invalid choice: 'lo' (choose from 'low', 'high')");
}

TEST(own_names_give_way_to_abbreviations)
{
    CHECK_OK(parse("--kind small"));
    CHECK(is(got.own_kind, "small") && got.kind == NULL);
    CHECK_OK(parse("--kind=onnx"));
    CHECK(is(got.kind, "onnx") && got.own_kind == NULL);
    CHECK_OK(parse("--kind onnx"));
    CHECK(is(got.kind, "onnx") && got.own_kind == NULL);
    CHECK_ERR(parse("--kind huge"), PG_ERR_USAGE, "argument --kind: invalid choice: 'huge'");
    CHECK_ERR(parse("--kind"), PG_ERR_USAGE, "argument --kind: expected one argument");
}

TEST(commands_without_abbreviations)
{
    const char *words[] = {"--see", "3"};
    pg_command exact = command;
    exact.exact_names = true;
    got = (values){0};
    CHECK_OK(pg_options_parse(&exact, words, 2, &got, &arena, &result));
    CHECK(!got.seed.set);
    CHECK_INT(result.n_unrecognized, 1);
}

TEST(help)
{
    CHECK_OK(parse("--seed 3 -h --mode"));
    CHECK(result.help);
    CHECK_OK(parse("-vh"));
    CHECK(result.help);
    CHECK_OK(parse("--hel"));
    CHECK(result.help);
}

int main(int argc, char **argv)
{
    pg_test_only = argc > 1 ? argv[1] : NULL;
    RUN(values_reach_their_fields);
    RUN(spellings);
    RUN(abbreviations);
    RUN(order_and_repeats);
    RUN(optional_words);
    RUN(positionals);
    RUN(unrecognized);
    RUN(rest_takes_all);
    RUN(errors);
    RUN(required);
    RUN(missing_systems);
    RUN(wrong_words_come_before_missing_systems);
    RUN(numbers_in_lists);
    RUN(choices_beside_named_values);
    RUN(own_names_give_way_to_abbreviations);
    RUN(commands_without_abbreviations);
    RUN(help);
    pg_arena_deinit(&arena);
    printf("1..%d\n", pg_test_number);
    return pg_test_failures > 0;
}

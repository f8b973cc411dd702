#include "unit/harness.h"

#include "cli/option.h"

typedef struct values {
    int verbose;
    bool flag, flap;
    const char *model, *out;
    pg_opt_int seed;
    pg_opt_float quantile;
    pg_opt_text blob, first;
    pg_arg_list list, any, runners, mode, rest;
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
              "option '--fp16' is not available in this version: it needs TensorRT");
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
    RUN(help);
    pg_arena_deinit(&arena);
    printf("1..%d\n", pg_test_number);
    return pg_test_failures > 0;
}

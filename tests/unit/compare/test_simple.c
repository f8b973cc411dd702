/* The numbers and verdicts of `simple`. */
#include "compare/internal.h"
#include "unit/compare/support.h"

static const pg_compare_options defaults = {.all_statistics = true};

TEST(equal_outputs_pass)
{
    compared c = compare_two(&defaults, FLOATS(1, 2, 3), FLOATS(1, 2, 3));
    CHECK(c.output->passed && pg_comparison_passed(c.comparison));
    CHECK(c.output->required_abs == 0 && c.output->mismatches == 0 && !c.output->has_elements);
    free_compared(&c);
}

TEST(failing_elements_are_named)
{
    compared c = compare_two(&defaults, FLOATS(1, 2, 3, 4), FLOATS(1, 2.5f, 3, 8));
    const pg_output_comparison *out = c.output;
    CHECK(!out->passed && !pg_comparison_passed(c.comparison));
    CHECK_INT(out->mismatches, 2);
    CHECK_INT(out->first.index, 1);
    CHECK_INT(out->worst.index, 3); /* both in 0.5 / 8 and 4 / 8 the last is farther out */
    CHECK(out->worst.a == 4 && out->worst.b == 8 && out->worst.abs == 4 && out->worst.rel == 0.5);
    CHECK(out->required_abs == 4 && out->pass_atol == 4 && out->pass_rtol == 0.5);
    CHECK(out->abs.mean == 1.125 && out->abs.argmax == 3 && out->abs.median == 0.25);
    free_compared(&c);
}

TEST(an_element_must_exceed_both_tolerances)
{
    pg_output_number atol = {.value = 3}, rtol = {.value = 0.01};
    pg_compare_options options = {.atol = {&atol, 1}, .rtol = {&rtol, 1}};
    compared c = compare_two(&options, FLOATS(1, 1000), FLOATS(3, 1004));
    CHECK(c.output->passed);
    free_compared(&c);
    c = compare_two(&options, FLOATS(1, 1000), FLOATS(5, 1004));
    CHECK(!c.output->passed);
    CHECK_INT(c.output->mismatches, 1);
    free_compared(&c);
}

TEST(tolerances_are_compared_in_double)
{
    /* As a float, 0.1 is above the double 0.1. */
    pg_output_number atol = {.value = 0.1}, rtol = {.value = 0};
    pg_compare_options options = {.atol = {&atol, 1}, .rtol = {&rtol, 1}};
    compared c = compare_two(&options, FLOATS(0.1f), FLOATS(0));
    CHECK(!c.output->passed);
    free_compared(&c);
}

TEST(tolerances_by_output_and_default)
{
    pg_output_number numbers[] = {{PG_STR("y"), 5, false}, {PG_STR_EMPTY, 1, true}, {PG_STR("y"), 7, false}};
    pg_output_numbers list = {numbers, 3};
    CHECK(pg_output_number_for(list, PG_STR("y"), 0).value == 7);
    CHECK(pg_output_number_for(list, PG_STR("z"), 0).value == 1);
    CHECK(pg_output_number_for((pg_output_numbers){0}, PG_STR("z"), 0.5).value == 0.5);
}

TEST(nan_never_passes)
{
    compared c = compare_two(&defaults, FLOATS(9, NAN), FLOATS(1, NAN));
    CHECK(!c.output->passed && isnan(c.output->required_abs) && isnan(c.output->pass_atol));
    CHECK_INT(c.output->worst.index, 1);
    CHECK_INT(c.output->abs.argmax, 1);
    free_compared(&c);
}

TEST(infinities_when_asked)
{
    compared c = compare_two(&defaults, FLOATS(1, INFINITY), FLOATS(1, INFINITY));
    CHECK(!c.output->passed);
    free_compared(&c);
    pg_compare_options options = {.infinities_compare_equal = true};
    c = compare_two(&options, FLOATS(1, INFINITY, -INFINITY), FLOATS(1, INFINITY, -INFINITY));
    CHECK(c.output->passed && c.output->required_abs == 0);
    free_compared(&c);
    c = compare_two(&options, FLOATS(INFINITY), FLOATS(-INFINITY));
    CHECK(!c.output->passed);
    free_compared(&c);
}

TEST(zero_in_a_float_reference)
{
    compared c = compare_two(&defaults, FLOATS(4), FLOATS(0));
    CHECK(c.output->rel.max == (double)(4 / 2.220446049250313e-16f));
    free_compared(&c);
    c = compare_two(&defaults, ROW_OF(PG_I32, int32_t, 1, 0), ROW_OF(PG_I32, int32_t, 0, 0));
    CHECK(isnan(c.output->required_rel) && c.output->required_abs == 1 && !c.output->passed);
    free_compared(&c);
}

TEST(integers_wrap)
{
    compared c = compare_two(&defaults, ROW_OF(PG_I64, int64_t, INT64_MAX), ROW_OF(PG_I64, int64_t, -5));
    CHECK(c.output->required_abs == 9223372036854775804.0);
    free_compared(&c);
    c = compare_two(&defaults, ROW_OF(PG_U8, uint8_t, 1, 255), ROW_OF(PG_U8, uint8_t, 255, 1));
    CHECK(c.output->required_abs == 254 && c.output->required_rel == 254);
    free_compared(&c);
    c = compare_two(&defaults, ROW_OF(PG_U64, uint64_t, 1), ROW_OF(PG_U64, uint64_t, 2));
    CHECK(c.output->required_abs == 18446744073709551615.0);
    free_compared(&c);
    c = compare_two(&defaults, ROW_OF(PG_I32, int32_t, INT32_MIN), ROW_OF(PG_I32, int32_t, 0));
    CHECK(c.output->required_abs == -2147483648.0 && c.output->passed);
    free_compared(&c);
}

TEST(bools_differ_by_one)
{
    compared c = compare_two(&defaults, ROW_OF(PG_BOOL, uint8_t, 1, 0), ROW_OF(PG_BOOL, uint8_t, 1, 1));
    CHECK(!c.output->passed && c.output->required_abs == 1 && c.output->mismatches == 1);
    free_compared(&c);
}

TEST(types_may_differ)
{
    compared c = compare_two(&defaults, FLOATS(1, 2), ROW_OF(PG_F64, double, 1, 4));
    CHECK(c.output->required_abs == 2 && c.output->required_rel == 0.5 && !c.output->passed);
    CHECK(c.output->dtype0 == PG_F32 && c.output->dtype1 == PG_F64);
    free_compared(&c);
    uint16_t half = pg_f32_to_f16(1.5f), brain = pg_f32_to_bf16(1.25f);
    c = compare_two(&defaults, ROW_OF(PG_F16, uint16_t, half), ROW_OF(PG_BF16, uint16_t, brain));
    CHECK(c.output->required_abs == 0.25 && c.output->required_rel == 0.25f / 1.25f);
    free_compared(&c);
    c = compare_two(&defaults, ROW_OF(PG_I32, int32_t, 3), FLOATS(2));
    CHECK(c.output->required_abs == 1 && c.output->required_rel == 0.5);
    free_compared(&c);
}

TEST(below_a_byte)
{
    uint8_t a = 0x21, b = 0x31; /* 1, 2 and 1, 3 */
    compared c = compare_two(&defaults, tensor_of(PG_I4, 1, (int64_t[]){2}, &a),
                             tensor_of(PG_I4, 1, (int64_t[]){2}, &b));
    CHECK(c.output->required_abs == 1 && c.output->mismatches == 1 && c.output->first.index == 1);
    free_compared(&c);
}

static bool passes_with(pg_error_stat stat, double atol)
{
    pg_output_stat by_output = {.stat = stat};
    pg_output_number numbers[] = {{.value = atol}, {.value = 0}};
    pg_compare_options options = {
        .stats = &by_output, .n_stats = 1, .atol = {&numbers[0], 1}, .rtol = {&numbers[1], 1}};
    compared c = compare_two(&options, FLOATS(1, 2, 3, 4), FLOATS(1, 2, 3, 5));
    bool passed = c.output->passed;
    free_compared(&c);
    return passed;
}

TEST(statistics_as_criterion)
{
    CHECK(!passes_with(PG_ERROR_MAX, 0.99) && passes_with(PG_ERROR_MAX, 1));
    CHECK(!passes_with(PG_ERROR_MEAN, 0.24) && passes_with(PG_ERROR_MEAN, 0.25));
    CHECK(passes_with(PG_ERROR_MEDIAN, 0));
    CHECK(!passes_with(PG_ERROR_QUANTILE, 0.96) && passes_with(PG_ERROR_QUANTILE, 0.98));
    pg_error_stat stat;
    CHECK(pg_error_stat_parse(PG_STR("quantile"), &stat) && stat == PG_ERROR_QUANTILE);
    CHECK(!pg_error_stat_parse(PG_STR("mode"), &stat));
}

TEST(empty_outputs)
{
    compared c = compare_two(&defaults, tensor_of(PG_F32, 1, (int64_t[]){0}, NULL),
                             tensor_of(PG_F32, 1, (int64_t[]){0}, NULL));
    CHECK(c.output->passed && c.output->required_abs == 0);
    free_compared(&c);
}

TEST(shapes)
{
    const float x[] = {0, 1, 2, 3, 4, 5}, transposed[] = {0, 3, 1, 4, 2, 5};
    int64_t wide[] = {2, 3}, tall[] = {3, 2}, five[] = {5};
    compared c =
        compare_two(&defaults, tensor_of(PG_F32, 2, wide, x), tensor_of(PG_F32, 2, tall, transposed));
    CHECK(!c.output->passed && c.output->problem == PG_COMPARE_SHAPES);
    free_compared(&c);
    pg_compare_options options = {.no_shape_check = true};
    c = compare_two(&options, tensor_of(PG_F32, 2, wide, x), tensor_of(PG_F32, 2, tall, transposed));
    CHECK(c.output->passed && c.output->rank == 2 && c.output->dims[0] == 2);
    free_compared(&c);
    c = compare_two(&options, tensor_of(PG_F32, 2, wide, x), tensor_of(PG_F32, 1, (int64_t[]){6}, x));
    CHECK(c.output->passed);
    free_compared(&c);
    c = compare_two(&options, tensor_of(PG_F32, 2, wide, x), tensor_of(PG_F32, 1, five, x));
    CHECK(!c.output->passed && c.output->problem == PG_COMPARE_UNALIGNABLE);
    free_compared(&c);
}

static pg_value texts_of(const char *first, const char *second)
{
    pg_str texts[] = {pg_str_c(first), pg_str_c(second)};
    pg_tensor tensor = {0};
    CHECK_OK(pg_tensor_alloc_strings(&tensor, 1, (int64_t[]){2}, texts));
    return pg_value_of_tensor(tensor);
}

TEST(texts_are_equal_or_not)
{
    compared c = compare_two(&defaults, texts_of("a", "b"), texts_of("a", "b"));
    CHECK(c.output->passed);
    free_compared(&c);
    c = compare_two(&defaults, texts_of("a", "b"), texts_of("a", "c"));
    CHECK(!c.output->passed && c.output->mismatches == 1 && c.output->first.index == 1);
    free_compared(&c);
    c = compare_two(&defaults, texts_of("1", "2"), FLOATS(1, 2));
    CHECK(!c.output->passed && c.output->problem == PG_COMPARE_KINDS);
    free_compared(&c);
}

static pg_value sequence_of(pg_value first, pg_value second)
{
    pg_value value = {.kind = PG_VALUE_SEQUENCE};
    value.sequence.items = pg_calloc(2, sizeof(pg_value));
    value.sequence.count = 2;
    value.sequence.items[0] = first;
    value.sequence.items[1] = second;
    return value;
}

TEST(sequences_item_by_item)
{
    compared c =
        compare_two(&defaults, sequence_of(FLOATS(1), FLOATS(2, 3)), sequence_of(FLOATS(1), FLOATS(2, 4)));
    CHECK(!c.output->passed && c.output->mismatches == 1 && c.output->count == 3);
    CHECK(c.output->required_abs == 1 && c.output->dtype0 == PG_UNDEFINED);
    free_compared(&c);
    c = compare_two(&defaults, sequence_of(FLOATS(1), FLOATS(2)), FLOATS(1));
    CHECK(!c.output->passed && c.output->problem == PG_COMPARE_KINDS);
    free_compared(&c);
}

TEST(complex_numbers_are_refused_by_name)
{
    pg_comparison *comparison = pg_comparison_new(&defaults);
    pg_run_results results = {0};
    float x[] = {1, 2};
    add_run(&results, "A", "y", tensor_of(PG_C64, 1, (int64_t[]){1}, x));
    add_run(&results, "B", "y", tensor_of(PG_C64, 1, (int64_t[]){1}, x));
    CHECK_ERR(pg_comparison_run(comparison, &results), PG_ERR_UNSUPPORTED, "complex64");
    pg_comparison_free(comparison);
    pg_run_results_deinit(&results);
}

enum { MANY = 200003 };

/* Large outputs: threads, both instruction sets, and the verdict of a plain loop. */
TEST(many_elements)
{
    float *a = pg_calloc(MANY, sizeof *a), *b = pg_calloc(MANY, sizeof *b);
    uint64_t mismatches = 0, first = MANY;
    for (size_t i = 0; i < MANY; i++) {
        b[i] = (float)((i * 7919) % 1000) / 100 - 2;
        a[i] = b[i] + (i % 1009 == 500 ? 1e-3f : 1e-6f);
        float abs = fabsf(a[i] - b[i]), rel = abs / (b[i] == 0 ? 2.220446049250313e-16f : fabsf(b[i]));
        if ((double)abs > 1e-5 && (double)rel > 1e-5 && mismatches++ == 0)
            first = i;
    }
    pg_tensor x, y;
    CHECK_OK(pg_tensor_borrow(&x, PG_F32, 1, (int64_t[]){MANY}, a));
    CHECK_OK(pg_tensor_borrow(&y, PG_F32, 1, (int64_t[]){MANY}, b));
    static const char *const sets[] = {"avx2", "portable"};
    pg_value_stats expected = {0};
    for (size_t set = 0; set < PG_COUNT(sets); set++) {
        if (!pg_block_stats_set_isa(sets[set]))
            continue;
        compared c = compare_two(&defaults, pg_value_of_tensor(x), pg_value_of_tensor(y));
        CHECK_INT(c.output->mismatches, mismatches);
        CHECK_INT(c.output->first.index, first);
        if (set > 0 && expected.max > 0)
            CHECK(memcmp(&expected, &c.output->rel, offsetof(pg_value_stats, quantile)) == 0);
        expected = c.output->rel;
        free_compared(&c);
    }
    free(a);
    free(b);
}

TEST_MAIN(be_silent(); RUN(equal_outputs_pass); RUN(failing_elements_are_named);
          RUN(an_element_must_exceed_both_tolerances); RUN(tolerances_are_compared_in_double);
          RUN(tolerances_by_output_and_default); RUN(nan_never_passes); RUN(infinities_when_asked);
          RUN(zero_in_a_float_reference); RUN(integers_wrap); RUN(bools_differ_by_one); RUN(types_may_differ);
          RUN(below_a_byte); RUN(statistics_as_criterion); RUN(empty_outputs); RUN(shapes);
          RUN(texts_are_equal_or_not); RUN(sequences_item_by_item); RUN(complex_numbers_are_refused_by_name);
          RUN(many_elements);)

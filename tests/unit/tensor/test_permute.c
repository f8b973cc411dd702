/* Axes in another order, and layouts that are the same. */
#include "unit/harness.h"

#include "tensor/permute.h"

TEST(axes_are_found_by_length)
{
    pg_tensor tensor;
    size_t perm[PG_MAX_RANK];
    CHECK_OK(pg_tensor_alloc(&tensor, PG_F32, 4, (int64_t[]){2, 3, 4, 4}));
    CHECK(pg_permutation_find(&tensor, 4, (int64_t[]){2, 4, 4, 3}, perm));
    CHECK_INT(perm[1], 2);
    CHECK_INT(perm[2], 3);
    CHECK_INT(perm[3], 1);
    CHECK(!pg_permutation_find(&tensor, 4, (int64_t[]){2, 3, 4, 5}, perm));
    CHECK(!pg_permutation_find(&tensor, 3, (int64_t[]){2, 3, 4}, perm));
    pg_tensor_deinit(&tensor);
}

TEST(elements_move)
{
    pg_tensor tensor, moved;
    CHECK_OK(pg_tensor_alloc(&tensor, PG_I16, 3, (int64_t[]){2, 3, 2}));
    for (int16_t i = 0; i < 12; i++)
        ((int16_t *)tensor.data)[i] = i;
    CHECK_OK(pg_tensor_permute(&tensor, (size_t[]){0, 2, 1}, &moved));
    CHECK_INT(moved.dims[1], 2);
    CHECK_INT(moved.dims[2], 3);
    static const int16_t expected[] = {0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11};
    CHECK(memcmp(moved.data, expected, sizeof expected) == 0);
    pg_tensor_deinit(&moved);
    pg_tensor_deinit(&tensor);
    CHECK_OK(pg_tensor_alloc(&tensor, PG_I4, 2, (int64_t[]){2, 3}));
    CHECK_ERR(pg_tensor_permute(&tensor, (size_t[]){1, 0}, &moved), PG_ERR_UNSUPPORTED, "int4");
    pg_tensor_deinit(&tensor);
}

TEST(layouts_of_one_channel_or_position_agree)
{
    static const struct {
        size_t rank;
        int64_t dims[4];
        bool agree;
    } cases[] = {{4, {2, 3, 4, 4}, false}, {4, {2, 1, 4, 4}, true}, {4, {2, 3, 1, 1}, true},
                 {3, {2, 3, 4}, false},    {2, {3, 4}, true},       {4, {2, 3, 1, 2}, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pg_tensor tensor;
        CHECK_OK(pg_tensor_alloc(&tensor, PG_F32, cases[i].rank, cases[i].dims));
        CHECK(pg_tensor_layouts_agree(&tensor) == cases[i].agree);
        pg_tensor_deinit(&tensor);
    }
}

TEST_MAIN(RUN(axes_are_found_by_length); RUN(elements_move); RUN(layouts_of_one_channel_or_position_agree);)

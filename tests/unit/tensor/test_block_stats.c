/* Block statistics against a plain computation over the sorted values. */
#include "tensor/block_stats.h"

#include "base/alloc.h"
#include "base/threads.h"
#include "tensor/block_kernels.h"
#include "unit/harness.h"

typedef struct arrays {
    const void *data[PG_STAT_STREAMS];
    size_t size[PG_STAT_STREAMS];
    size_t n;
} arrays;

static void fill(const void *context, uint64_t begin, size_t n, void **blocks)
{
    const arrays *a = context;
    for (size_t s = 0; s < a->n; s++)
        blocks[s] = (char *)(uintptr_t)a->data[s] + begin * a->size[s];
}

static int compare_floats(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static uint64_t random_state = 1;
static double next_random(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (double)(random_state >> 11) / (double)(1ull << 53);
}

static pg_value_stats stats_of(const float *x, size_t n)
{
    arrays a = {.data = {x}, .size = {sizeof *x}, .n = 1};
    pg_stat_source source = {
        .count = n, .n_streams = 1, .streams = {{PG_F32, PG_F32, false}}, .context = &a, .fill = fill};
    pg_value_stats stats = {0};
    CHECK_OK(pg_block_stats(&source, PG_STAT_ALL, 0.25, &stats));
    return stats;
}

static float sorted_quantile(const float *sorted, size_t n, double q)
{
    double at = (double)(n - 1) * q;
    size_t low = (size_t)at;
    float a = sorted[low], b = sorted[low + 1 < n ? low + 1 : low], step = b - a;
    double weight = at - (double)low;
    return weight < 0.5 ? a + step * (float)weight : b - step * (float)(1 - weight);
}

static void check_against_sort(const float *x, size_t n)
{
    pg_value_stats stats = stats_of(x, n);
    float *sorted = pg_calloc(n, sizeof *sorted);
    memcpy(sorted, x, n * sizeof *x);
    qsort(sorted, n, sizeof *sorted, compare_floats);
    CHECK(stats.min == (double)sorted[0]);
    CHECK(stats.max == (double)sorted[n - 1]);
    CHECK(x[stats.argmin] == sorted[0] && x[stats.argmax] == sorted[n - 1]);
    CHECK(stats.median == (double)((sorted[(n - 1) / 2] + sorted[n / 2]) / 2));
    CHECK(stats.p90 == (double)sorted_quantile(sorted, n, 0.9));
    CHECK(stats.p95 == (double)sorted_quantile(sorted, n, 0.95));
    CHECK(stats.p99 == (double)sorted_quantile(sorted, n, 0.99));
    CHECK(stats.quantile == (double)sorted_quantile(sorted, n, 0.25));
    CHECK(stats.mean == (double)(pg_pairwise_f32(x, n) / (float)n));
    free(sorted);
}

enum { MANY = 300007 };

/* Value i of n of a data set, by kind. */
static float value_of_kind(int kind, size_t i, size_t n)
{
    switch (kind) {
    case 0:
        return (float)(next_random() - 0.5);
    case 1: /* mostly ties */
        return next_random() < 0.7 ? 0.0f : (float)next_random();
    case 2: /* sorted */
        return (float)i / (float)n;
    case 3: /* two values */
        return i < n / 2 ? -1.0f : 1.0f;
    case 4: /* spikes where an even sample would not look */
        return i % 997 == 3 ? 1e6f * (float)next_random() : -0.0f;
    default: /* all magnitudes */
        return (float)exp(80 * (next_random() - 0.5)) * (next_random() < 0.5 ? -1.0f : 1.0f);
    }
}

TEST(matches_a_sort)
{
    static const size_t sizes[] = {1, 2, 3, 8, 127, 129, 1024, 1025, 8193, 65537, MANY};
    float *x = pg_calloc(MANY, sizeof *x);
    for (int kind = 0; kind < 6; kind++)
        for (size_t k = 0; k < PG_COUNT(sizes); k++) {
            for (size_t i = 0; i < sizes[k]; i++)
                x[i] = value_of_kind(kind, i, sizes[k]);
            check_against_sort(x, sizes[k]);
        }
    free(x);
}

TEST(same_bits_everywhere)
{
    float *x = pg_calloc(MANY, sizeof *x);
    for (size_t i = 0; i < MANY; i++)
        x[i] = value_of_kind((int)(i % 6), i, MANY);
    const char *best = pg_block_stats_isa();
    pg_value_stats expected = stats_of(x, MANY);
    CHECK(pg_block_stats_set_isa("portable"));
    CHECK_STR(pg_block_stats_isa(), "portable");
    for (unsigned threads = 1; threads <= 4; threads++) {
        pg_threads_set(threads);
        pg_value_stats got = stats_of(x, MANY);
        CHECK(memcmp(&got, &expected, offsetof(pg_value_stats, has_nan)) == 0);
    }
    CHECK(pg_block_stats_set_isa(best));
    CHECK(!pg_block_stats_set_isa("abacus"));
    pg_threads_set(0);
    free(x);
}

TEST(nan_spreads_and_is_located)
{
    float x[300];
    for (size_t i = 0; i < 300; i++)
        x[i] = i == 77 || i == 200 ? NAN : (float)i;
    pg_value_stats stats = stats_of(x, 300);
    CHECK(stats.has_nan && isnan(stats.mean) && isnan(stats.min) && isnan(stats.p90));
    CHECK_INT(stats.argmin, 77);
    CHECK_INT(stats.argmax, 77);
}

TEST(nothing_at_all)
{
    pg_value_stats stats = stats_of(NULL, 0);
    CHECK(isnan(stats.mean) && stats.std == 0 && stats.max == 0 && isinf(stats.p99));
}

TEST(several_streams_of_several_types)
{
    enum { N = 70001 };
    int64_t *wide = pg_calloc(N, sizeof *wide);
    double *real = pg_calloc(N, sizeof *real);
    uint8_t *flags = pg_calloc(N, 1);
    for (size_t i = 0; i < N; i++) {
        wide[i] = (int64_t)i - 5;
        real[i] = (double)(N - i);
        flags[i] = i % 4 == 0;
    }
    arrays a = {.data = {wide, real, flags}, .size = {8, 8, 1}, .n = 3};
    pg_stat_source source = {
        .count = N,
        .n_streams = 3,
        .streams = {{PG_I64, PG_I64, false}, {PG_F64, PG_F64, true}, {PG_BOOL, PG_BOOL, true}},
        .context = &a,
        .fill = fill};
    pg_value_stats stats[3];
    CHECK_OK(pg_block_stats(&source, PG_STAT_ALL, NAN, stats));
    CHECK(stats[0].min == -5 && stats[0].max == N - 6 && stats[0].median == N / 2 - 5);
    CHECK(stats[1].min == 1 && stats[1].argmin == N - 1 && stats[1].median == (N + 1) / 2.0);
    CHECK_NEAR(stats[1].var, ((double)N * N - 1) / 12, 1e-3);
    CHECK(stats[2].median == 0 && stats[2].max == 1 && isnan(stats[2].quantile));
    CHECK_NEAR(stats[2].mean, 0.25, 1e-4);
    free(wide);
    free(real);
    free(flags);
}

TEST(histogram_counts_by_edges)
{
    float x[1000];
    for (size_t i = 0; i < 1000; i++)
        x[i] = (float)i / 100;
    arrays a = {.data = {x}, .size = {sizeof *x}, .n = 1};
    pg_stat_source source = {
        .count = 1000, .n_streams = 1, .streams = {{PG_F32, PG_F32, false}}, .context = &a, .fill = fill};
    uint64_t counts[10], total = 0;
    double edges[11];
    CHECK(pg_block_histogram(&source, 0, 0, (double)x[999], true, 10, counts, edges));
    for (size_t bin = 0; bin < 10; bin++) {
        uint64_t expected = 0;
        for (size_t i = 0; i < 1000; i++)
            expected += x[i] >= edges[bin] && (x[i] < edges[bin + 1] || (bin == 9 && x[i] == edges[10]));
        CHECK_INT(counts[bin], expected);
        total += counts[bin];
    }
    CHECK_INT(total, 1000);
    /* One value: half a unit on both sides. */
    source.count = 1;
    CHECK(pg_block_histogram(&source, 0, 0, 0, true, 10, counts, edges));
    CHECK(edges[0] == -0.5 && edges[10] == 0.5 && counts[5] == 1);
    /* Ten bins do not fit between neighbours. */
    CHECK(!pg_block_histogram(&source, 0, 1, (double)nextafterf(1, 2), true, 10, counts, edges));
}

TEST_MAIN(RUN(matches_a_sort); RUN(same_bits_everywhere); RUN(nan_spreads_and_is_located);
          RUN(nothing_at_all); RUN(several_streams_of_several_types); RUN(histogram_counts_by_edges);)

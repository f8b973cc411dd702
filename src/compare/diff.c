/* Differences of two tensors as numpy computes them for the peer, block by block. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "compare/internal.h"

static const double EPSILON = 2.220446049250313e-16; /* stands for a reference value of 0 */

pg_dtype pg_common_type(pg_dtype a, pg_dtype b)
{
    if (a == PG_BOOL || a == b)
        return b;
    if (b == PG_BOOL)
        return a;
    bool integers = (a == PG_I32 || a == PG_I64) && (b == PG_I32 || b == PG_I64);
    return integers ? PG_I64 : PG_F64;
}

/* Equal infinities become an integer 0, which widens the type as numpy's promotion does. */
static pg_dtype type_with_zero(pg_dtype type)
{
    return type == PG_I32 || type == PG_I64 ? PG_I64 : type == PG_BOOL ? PG_BOOL : PG_F64;
}

pg_status pg_diff_init(pg_diff *diff, const pg_tensor *a, const pg_tensor *b, bool infinities_equal)
{
    memset(diff, 0, sizeof *diff);
    PG_ASSERT(pg_tensor_count(a) == pg_tensor_count(b));
    pthread_mutex_init(&diff->lock, NULL);
    PG_TRY(pg_values_init(&diff->a, a));
    PG_TRY(pg_values_init(&diff->b, b));
    diff->common = pg_common_type(diff->a.type, diff->b.type);
    diff->infinities_equal = infinities_equal && diff->common != PG_BOOL;
    diff->abs_type = diff->infinities_equal ? type_with_zero(diff->common) : diff->common;
    diff->rel_type = diff->abs_type == PG_F32 ? PG_F32 : PG_F64;
    return NULL;
}

void pg_diff_deinit(pg_diff *diff)
{
    pg_values_deinit(&diff->a);
    pg_values_deinit(&diff->b);
    pthread_mutex_destroy(&diff->lock);
}

/* ---- Blocks of differences ---- */

/* |b| in its own type, where the lowest integer stays negative and a floating-point 0 is replaced. */
static double reference_at(pg_dtype type, const void *block, size_t i)
{
    switch (type) {
    case PG_I32: {
        int32_t v = ((const int32_t *)block)[i];
        return v < 0 ? (double)(int32_t)(0u - (uint32_t)v) : (double)v;
    }
    case PG_I64: {
        int64_t v = ((const int64_t *)block)[i];
        return v < 0 ? (double)(int64_t)(UINT64_C(0) - (uint64_t)v) : (double)v;
    }
    case PG_F32: {
        float v = ((const float *)block)[i];
        return (double)(v == 0 ? (float)EPSILON : fabsf(v));
    }
    case PG_F64: {
        double v = ((const double *)block)[i];
        return v == 0 ? EPSILON : fabs(v);
    }
    default:
        return pg_block_real(type, block, i);
    }
}

static bool equal_infinities(const pg_diff *diff, const void *a, const void *b, size_t i)
{
    double x = pg_block_real(diff->a.type, a, i);
    return isinf(x) && x == pg_block_real(diff->b.type, b, i);
}

static void store(pg_dtype type, void *block, size_t i, double real, int64_t integer)
{
    switch (type) {
    case PG_F32:
        ((float *)block)[i] = (float)real;
        break;
    case PG_F64:
        ((double *)block)[i] = real;
        break;
    case PG_I32:
        ((int32_t *)block)[i] = (int32_t)integer;
        break;
    case PG_BOOL:
        ((uint8_t *)block)[i] = integer != 0;
        break;
    default:
        ((int64_t *)block)[i] = integer;
        break;
    }
}

/* |a - b| of integers: the difference wraps in its type, and so does its magnitude. */
static int64_t integer_difference(pg_dtype common, int64_t a, int64_t b)
{
    uint64_t d = (uint64_t)a - (uint64_t)b;
    if (common == PG_BOOL)
        return (a != 0) != (b != 0);
    if (common == PG_I32) {
        uint32_t d32 = (uint32_t)d;
        return (int32_t)((int32_t)d32 < 0 ? 0u - d32 : d32);
    }
    if (common == PG_I64 && (int64_t)d < 0)
        return (int64_t)(UINT64_C(0) - d);
    return (int64_t)d;
}

static void subtract_slowly(const pg_diff *diff, const void *a, const void *b, size_t n, void *abs, void *rel)
{
    bool real = diff->common == PG_F32 || diff->common == PG_F64;
    for (size_t i = 0; i < n; i++) {
        double d = 0;
        int64_t integer = 0;
        if (real) {
            double x = pg_block_real(diff->a.type, a, i), y = pg_block_real(diff->b.type, b, i);
            d = diff->common == PG_F32 ? (double)fabsf((float)x - (float)y) : fabs(x - y);
            if (diff->infinities_equal && equal_infinities(diff, a, b, i))
                d = 0;
        } else {
            integer = integer_difference(diff->common, (int64_t)pg_block_bits(diff->a.type, a, i),
                                         (int64_t)pg_block_bits(diff->b.type, b, i));
            d = diff->common == PG_U64 ? (double)(uint64_t)integer : (double)integer;
        }
        store(diff->abs_type, abs, i, d, integer);
        double reference = reference_at(diff->b.type, b, i);
        store(diff->rel_type, rel, i,
              diff->rel_type == PG_F32 ? (double)((float)d / (float)reference) : d / reference, 0);
    }
}

/* n values of both outputs and of both differences; blocks[2] and blocks[3] are set too. */
static void make_blocks(const pg_diff *diff, uint64_t begin, size_t n, void **blocks)
{
    blocks[2] = (void *)(uintptr_t)pg_values_block(&diff->a, begin, n, blocks[2]);
    blocks[3] = (void *)(uintptr_t)pg_values_block(&diff->b, begin, n, blocks[3]);
    if (diff->a.type == PG_F32 && diff->b.type == PG_F32 && !diff->infinities_equal)
        pg_diff_f32()(blocks[2], blocks[3], n, blocks[0], blocks[1]);
    else
        subtract_slowly(diff, blocks[2], blocks[3], n, blocks[0], blocks[1]);
}

/* Room for the outputs' blocks where the caller has none. */
typedef struct side_room {
    uint64_t a[PG_STAT_BLOCK], b[PG_STAT_BLOCK];
} side_room;

static void fill_diff(const void *context, uint64_t begin, size_t n, void **blocks)
{
    const pg_diff *diff = context;
    if (diff->want_outputs) {
        make_blocks(diff, begin, n, blocks);
        return;
    }
    side_room room;
    void *all[PG_STAT_STREAMS] = {blocks[0], blocks[1], room.a, room.b};
    make_blocks(diff, begin, n, all);
}

/* ---- The verdict, element by element ---- */

typedef struct local_tally {
    pg_diff_tally tally;
    bool any;
} local_tally;

static bool exceeds(double value, double tolerance)
{
    return !(value <= tolerance);
}

/* How many times its tolerance an element needs; without tolerances its absolute difference decides. */
static double score_of(const pg_diff *diff, double abs, double rel)
{
    if (diff->atol <= 0 && diff->rtol <= 0)
        return abs;
    double by_abs = diff->atol > 0 ? abs / diff->atol : INFINITY;
    double by_rel = diff->rtol > 0 ? rel / diff->rtol : INFINITY;
    return by_abs < by_rel ? by_abs : by_rel;
}

static void note_mismatch(const pg_diff *diff, local_tally *local, uint64_t index, double abs, double rel)
{
    pg_diff_tally *tally = &local->tally;
    if (!local->any || index < tally->first)
        tally->first = index;
    bool nan = isnan(abs) || isnan(rel);
    if (nan && !tally->has_nan) {
        tally->has_nan = true;
        tally->worst = index;
    }
    if (!nan) {
        double score = score_of(diff, abs, rel);
        bool worse = score > tally->worst_score || (score == tally->worst_score && abs > tally->worst_abs);
        if (!tally->has_nan && (!local->any || worse)) {
            tally->worst = index;
            tally->worst_score = score;
            tally->worst_abs = abs;
        }
        tally->pass_atol = PG_MAX(tally->pass_atol, abs);
        tally->pass_rtol = PG_MAX(tally->pass_rtol, rel);
    }
    local->any = true;
    tally->mismatches++;
}

static bool has_zero(pg_dtype type, const void *block, size_t n)
{
    bool found = false;
    if (type == PG_F32)
        for (size_t i = 0; i < n; i++)
            found |= ((const float *)block)[i] == 0;
    else if (type == PG_F64)
        for (size_t i = 0; i < n; i++)
            found |= ((const double *)block)[i] == 0;
    return found;
}

/* The largest float not above a tolerance: comparing floats with it is comparing them with the tolerance. */
static float float_below(double tolerance)
{
    float rounded = (float)tolerance;
    return (double)rounded > tolerance ? nextafterf(rounded, -INFINITY) : rounded;
}

static void observe_diff(const void *context, void *memory, uint64_t begin, size_t n, void *const *blocks)
{
    const pg_diff *diff = context;
    local_tally *local = memory;
    if (!local->tally.zero_reference) {
        uint64_t room[PG_STAT_BLOCK];
        const void *b = diff->want_outputs ? blocks[3] : pg_values_block(&diff->b, begin, n, room);
        local->tally.zero_reference = has_zero(diff->b.type, b, n);
    }
    if (diff->abs_type == PG_F32 && diff->rel_type == PG_F32 &&
        pg_exceed_f32()(blocks[0], blocks[1], n, float_below(diff->atol), float_below(diff->rtol)) == 0)
        return;
    for (size_t i = 0; i < n; i++) {
        double abs = pg_block_real(diff->abs_type, blocks[0], i),
               rel = pg_block_real(diff->rel_type, blocks[1], i);
        if (exceeds(abs, diff->atol) && exceeds(rel, diff->rtol))
            note_mismatch(diff, local, begin + i, abs, rel);
    }
}

static void merge_worst(pg_diff_tally *into, const pg_diff_tally *from)
{
    bool take;
    if (into->mismatches == 0 || from->has_nan != into->has_nan)
        take = into->mismatches == 0 || from->has_nan;
    else if (from->has_nan)
        take = from->worst < into->worst;
    else if (from->worst_score != into->worst_score)
        take = from->worst_score > into->worst_score;
    else if (from->worst_abs != into->worst_abs)
        take = from->worst_abs > into->worst_abs;
    else
        take = from->worst < into->worst;
    if (take) {
        into->worst = from->worst;
        into->worst_score = from->worst_score;
        into->worst_abs = from->worst_abs;
    }
}

static void merge_tally(const void *context, const void *memory)
{
    pg_diff *diff = (pg_diff *)(uintptr_t)context;
    const pg_diff_tally *from = &((const local_tally *)memory)->tally;
    pg_diff_tally *into = &diff->tally;
    into->zero_reference |= from->zero_reference;
    if (from->mismatches == 0)
        return;
    if (into->mismatches == 0 || from->first < into->first)
        into->first = from->first;
    merge_worst(into, from);
    into->has_nan |= from->has_nan;
    into->pass_atol = PG_MAX(into->pass_atol, from->pass_atol);
    into->pass_rtol = PG_MAX(into->pass_rtol, from->pass_rtol);
    into->mismatches += from->mismatches;
}

pg_stat_source pg_diff_source(pg_diff *diff)
{
    return (pg_stat_source){
        .count = pg_tensor_count(&diff->a.tensor),
        .n_streams = diff->want_outputs ? 4 : 2,
        .streams = {{diff->abs_type, diff->abs_type, diff->abs_type == PG_F32 || diff->abs_type == PG_F64},
                    {diff->rel_type, diff->rel_type, false},
                    {diff->a.type, diff->a.origin, false},
                    {diff->b.type, diff->b.origin, false}},
        .context = diff,
        .fill = fill_diff,
        .local_size = sizeof(local_tally),
        .observe = observe_diff,
        .merge = merge_tally,
    };
}

/* ---- Single elements ---- */

static void blocks_at(const pg_diff *diff, uint64_t begin, size_t n, uint64_t (*room)[PG_STAT_BLOCK],
                      void **blocks)
{
    for (size_t s = 0; s < PG_STAT_STREAMS; s++)
        blocks[s] = room[s];
    make_blocks(diff, begin, n, blocks);
}

void pg_diff_element(pg_diff *diff, uint64_t index, pg_element_diff *out)
{
    uint64_t(*room)[PG_STAT_BLOCK] = pg_calloc(PG_STAT_STREAMS, sizeof *room);
    void *blocks[PG_STAT_STREAMS];
    blocks_at(diff, index, 1, room, blocks);
    *out = (pg_element_diff){.index = index,
                             .a = pg_block_real(diff->a.type, blocks[2], 0),
                             .b = pg_block_real(diff->b.type, blocks[3], 0),
                             .abs = pg_block_real(diff->abs_type, blocks[0], 0),
                             .rel = pg_block_real(diff->rel_type, blocks[1], 0)};
    free(room);
}

pg_status pg_diff_tensor(pg_diff *diff, bool relative, const pg_tensor *shape, pg_tensor *out)
{
    size_t n = (size_t)pg_tensor_count(shape);
    PG_ASSERT(n <= PG_STAT_BLOCK);
    PG_TRY(pg_tensor_alloc(out, relative ? diff->rel_type : diff->abs_type, shape->rank, shape->dims));
    uint64_t(*room)[PG_STAT_BLOCK] = pg_calloc(PG_STAT_STREAMS, sizeof *room);
    void *blocks[PG_STAT_STREAMS];
    blocks_at(diff, 0, n, room, blocks);
    if (n > 0)
        memcpy(out->data, blocks[relative ? 1 : 0], pg_tensor_bytes(out));
    free(room);
    return NULL;
}

size_t pg_diff_mismatches(pg_diff *diff, size_t limit, uint64_t *out)
{
    uint64_t(*room)[PG_STAT_BLOCK] = pg_calloc(PG_STAT_STREAMS, sizeof *room);
    uint64_t count = pg_tensor_count(&diff->a.tensor), seen = 0, skip = 0;
    size_t held = 0;
    if (diff->tally.mismatches > 2 * (uint64_t)limit)
        skip = diff->tally.mismatches - limit; /* the last ones start here */
    for (uint64_t begin = 0; begin < count; begin += PG_STAT_BLOCK) {
        size_t n = (size_t)PG_MIN(count - begin, (uint64_t)PG_STAT_BLOCK);
        void *blocks[PG_STAT_STREAMS];
        blocks_at(diff, begin, n, room, blocks);
        for (size_t i = 0; i < n; i++)
            if (exceeds(pg_block_real(diff->abs_type, blocks[0], i), diff->atol) &&
                exceeds(pg_block_real(diff->rel_type, blocks[1], i), diff->rtol)) {
                if (skip == 0 || seen < limit || seen >= skip)
                    out[held++] = begin + i;
                seen++;
            }
    }
    free(room);
    return held;
}

/* Tensors of float16 and bfloat16 as float32 and back, in the session's memory and on all threads. */
#include "base/threads.h"
#include "native/internal.h"
#include "native/simd/simd.h"
#include "tensor/dtype_convert.h"

enum { MIN_WORK = 64 * 1024 }; /* elements worth a thread */

typedef struct halves_job {
    const pg_tensor *from;
    const pg_tensor *to;
} halves_job;

static bool is_16_bit(pg_dtype dtype)
{
    return dtype == PG_F16 || dtype == PG_BF16;
}

static void convert_range(void *context, size_t begin, size_t end)
{
    const halves_job *job = context;
    const pg_tensor *from = job->from, *to = job->to;
    if (to->dtype == PG_F32)
        pg_simd_best()->widen_rows(from->dtype, (const uint16_t *)from->data + begin, 0,
                                   (float *)to->data + begin, 0, 1, end - begin);
    else
        pg_simd_best()->round_rows(to->dtype, (const float *)from->data + begin, 0,
                                   (uint16_t *)to->data + begin, 0, 1, end - begin);
}

void pg_halves_convert(const pg_tensor *from, const pg_tensor *to)
{
    pg_parallel_for((size_t)pg_tensor_count(from), MIN_WORK, convert_range, &(halves_job){from, to});
}

pg_status pg_session_cast(pg_session *session, const pg_tensor *in, pg_dtype to, pg_tensor *out)
{
    if (!(is_16_bit(in->dtype) && to == PG_F32) && !(in->dtype == PG_F32 && is_16_bit(to)))
        return pg_tensor_cast(in, to, NULL, out);
    PG_TRY(pg_session_tensor(session, out, to, in->rank, in->dims));
    out->layout = in->layout;
    pg_halves_convert(in, out);
    return NULL;
}

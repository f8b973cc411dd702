/* Act, an operator of the engine's own: an activation found in several nodes, with a scaling after it, in one
 * pass over memory. */
#include "base/threads.h"
#include "native/gemm.h"
#include "native/ops/element.h"
#include "native/ops/nn.h"

typedef struct act_job {
    pg_dtype dtype;
    pg_act act;
    const char *x;
    char *y;
} act_job;

static void run_range(void *context, size_t begin, size_t end)
{
    const act_job *job = context;
    const size_t size = job->dtype == PG_F64 ? 8 : 4;
    pg_act_apply(job->dtype, job->act, job->x + begin * size, job->y + begin * size, end - begin);
}

static void act_element(const pg_element *f, void *z, const void *const *x, size_t n, const int64_t *steps)
{
    (void)steps;
    pg_act_apply(f->dtype, f->act, x[0], z, n);
}

enum { GRAIN = 16384 };

static pg_status run_act(pg_op *op)
{
    PG_TRY(nn_need_floats(op, 1));
    const pg_tensor *x = pg_op_in(op, 0);
    pg_tensor *y;
    act_job job = {.dtype = x->dtype};
    PG_TRY(nn_activation(op, &job.act));
    if (op->element != NULL) {
        *op->element = (pg_element){.row = act_element,
                                    .n_in = 1,
                                    .result = x->dtype,
                                    .grain = GRAIN,
                                    .in_place = true,
                                    .dtype = x->dtype,
                                    .act = job.act};
        return NULL;
    }
    PG_TRY(pg_op_out_like(op, 0, 0, &y));
    job.x = x->data;
    job.y = y->data;
    pg_parallel_for(pg_tensor_count(x), GRAIN, run_range, &job);
    return NULL;
}

const pg_kernel pg_kernels_act[] = {
    {"pg", "Act", 1, 0, run_act, NULL, NULL,
     PG_KERNEL_HALF_VIA_F32 | PG_KERNEL_ANY_LAYOUT | PG_KERNEL_BY_ELEMENT},
    {0},
};

#include "runner/tensorrt/abi.h"

#include "base/status.h"

#define ROW(target, name, result, arguments, s10, s11, r14, r15) \
    {#name, TRT_TARGET_##target, {s10, s11, r14, r15}},
const trt_slot_row trt_slot_rows[TRT_FN_COUNT] = {TRT_FUNCTIONS(ROW)};
#undef ROW

static trt_function function_at(const trt_object *object, int slot)
{
    trt_function function;
    memcpy(&function, &object->vtable[slot], sizeof function);
    return function;
}

trt_function trt_entry(trt_family family, trt_fn fn, const trt_object *object)
{
    const trt_slot_row *row = &trt_slot_rows[fn];
    if (row->slots[family] < 0)
        PG_BUG("%s is not in family %d of TensorRT", row->name, (int)family);
    return function_at(trt_target(fn, object), row->slots[family]);
}

enum { DELETE_SLOT = 1 };

void trt_delete(trt_object *object)
{
    if (object != NULL)
        ((void (*)(trt_object *))function_at(object, DELETE_SLOT))(object);
}

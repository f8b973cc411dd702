#include "base/alloc.h"
#include "base/vec.h"
#include "onnx/edit.h"
#include "shapes/shapes.h"

pg_status pg_model_infer_types(const pg_model *model, const pg_shapes_options *options, pg_model **out)
{
    pg_shapes *shapes;
    PG_VEC(pg_value_info) types = {0};
    pg_shapes_options naming = options != NULL ? *options : (pg_shapes_options){0};
    naming.name_dims = true;
    PG_TRY(pg_shapes_infer(model, &naming, &shapes));
    for (size_t i = 0; i < pg_shapes_count(shapes); i++) {
        pg_str name = pg_shapes_name(shapes, i);
        const pg_type *found = pg_shapes_find(shapes, name);
        pg_type type = found != NULL ? *found : (pg_type){0};
        if (type.kind == PG_TYPE_TENSOR && type.elem != PG_UNDEFINED)
            type.data_type = (int32_t)type.elem;
        if (name.len > 0 && type.kind != PG_TYPE_NONE && (type.kind != PG_TYPE_TENSOR || type.data_type != 0))
            PG_VEC_PUSH(&types, ((pg_value_info){.name = name, .type = type}));
    }
    pg_status status = pg_model_with_types(model, types.items, types.len, out);
    PG_VEC_FREE(&types);
    pg_shapes_free(shapes);
    return status;
}

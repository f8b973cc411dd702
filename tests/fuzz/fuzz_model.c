/* Any bytes as a model and as a tensor file: read, walked, printed, edited, written and read again. */
#include "fuzz/fuzz.h"

#include "log/log.h"
#include "onnx/edit.h"
#include "onnx/internal.h"
#include "onnx/save.h"
#include "onnx/text.h"

static pg_status load_weight(void *context, const pg_model *model, const pg_weight *weight)
{
    pg_tensor tensor;
    pg_status_drop(pg_weight_load(model, weight, &tensor));
    pg_tensor_deinit(&tensor);
    return NULL;
}

/* What was written must be readable, and the same model. */
static void check_again(const pg_model *model)
{
    pg_buf scratch = {0}, first = {0}, second = {0};
    pg_str bytes;
    pg_model *again = NULL;
    pg_model_text_options all = {true, true, true};
    pg_status status = pg_model_serialize(model, &scratch, &bytes);
    if (status == NULL)
        status = pg_model_parse(bytes.ptr, bytes.len, "again", &again);
    FUZZ_CHECK(status == NULL);
    pg_model_text(model, &all, &first);
    pg_model_text(again, &all, &second);
    FUZZ_CHECK(pg_str_eq(pg_buf_str(&first), pg_buf_str(&second)));
    pg_model_unref(again);
    pg_buf_deinit(&scratch);
    pg_buf_deinit(&first);
    pg_buf_deinit(&second);
}

static void use_model(const pg_model *model)
{
    static const pg_output_selection everything = {.mark_all = true};
    pg_model *edited = NULL;
    pg_status_drop(pg_model_each_weight(model, load_weight, NULL));
    pg_status_drop(pg_model_check_external(model));
    check_again(model);
    pg_status status = pg_model_select_outputs(model, &everything, &edited);
    if (status == NULL)
        check_again(edited);
    pg_status_drop(status);
    pg_model_unref(edited);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    pg_model *model = NULL;
    pg_tensor tensor;
    char *name = NULL;
    pg_log_set_severity(PG_STR_EMPTY, PG_CRITICAL);
    pg_status status = pg_model_parse(bytes, size, "input", &model);
    if (status == NULL)
        use_model(model);
    pg_status_drop(status);
    pg_model_unref(model);
    pg_status_drop(pg_tensor_parse_pb(bytes, size, "input", &tensor, &name));
    pg_tensor_deinit(&tensor);
    free(name);
    return 0;
}

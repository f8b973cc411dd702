/* The table of metrics, and the comparison of one output by one of them. */
#include "compare/metric.h"

#include <math.h>

#include "base/alloc.h"
#include "compare/internal.h"
#include "log/log.h"
#include "tensor/number_text.h"

static const pg_metric metrics[] = {
    {PG_COMPARE_L2, "L2 Norm", "l2_norm", "L2Result", "L2Threshold", "l2_threshold", "", .threshold = 1e-5},
    {PG_COMPARE_COSINE, "Cosine Similarity", "cosine_similarity", "CosineSimilarityResult",
     "CosineSimilarityThreshold", "cosine_similarity_threshold", "", .higher_is_better = true,
     .threshold = 0.997},
    {PG_COMPARE_PSNR, "PSNR", "psnr", "PsnrResult", "PsnrThreshold", "psnr_threshold", " dB",
     .higher_is_better = true, .threshold = 30},
    {PG_COMPARE_SNR, "SNR", "snr", "SnrResult", "SnrThreshold", "snr_threshold", " dB",
     .higher_is_better = true, .threshold = 20},
    {PG_COMPARE_PERCEPTUAL, "LPIPS", "lpips", "PerceptualMetricsResult", "LpipsThreshold", "lpips_threshold",
     "", .absent_passes = true, .threshold = 0.1},
};

const pg_metric *pg_metric_of(pg_compare_function function)
{
    for (size_t i = 0; i < PG_COUNT(metrics); i++)
        if (metrics[i].function == function)
            return &metrics[i];
    return NULL;
}

const pg_metric *pg_metric_of_class(pg_str result_class)
{
    for (size_t i = 0; i < PG_COUNT(metrics); i++)
        if (pg_str_is(result_class, metrics[i].result_class))
            return &metrics[i];
    return NULL;
}

bool pg_metric_passes(const pg_metric *metric, bool present, double value, double threshold)
{
    if (!present)
        return metric->absent_passes;
    return metric->higher_is_better ? value >= threshold : value <= threshold;
}

/* Both numbers in the fewest digits, from five on, that do not make them look equal when they are not. */
static void pair_text(double value, double threshold, pg_buf *value_text, pg_buf *threshold_text)
{
    for (int digits = 5; digits <= 17; digits++) {
        pg_buf_clear(value_text);
        pg_buf_clear(threshold_text);
        pg_text_g(value_text, value, digits);
        pg_text_g(threshold_text, threshold, digits);
        if (value == threshold || !pg_str_eq(pg_buf_str(value_text), pg_buf_str(threshold_text)))
            return;
    }
}

void pg_metric_text(pg_buf *out, const pg_metric *metric, double value, double threshold)
{
    pg_buf value_text = {0}, threshold_text = {0};
    pair_text(value, threshold, &value_text, &threshold_text);
    pg_buf_printf(out, "%s: %s%s (%s: %s%s) | %s", metric->label, pg_buf_cstr(&value_text), metric->unit,
                  metric->higher_is_better ? "min required" : "tolerance", pg_buf_cstr(&threshold_text),
                  metric->unit, pg_metric_passes(metric, true, value, threshold) ? "PASSED" : "FAILED");
    pg_buf_deinit(&value_text);
    pg_buf_deinit(&threshold_text);
}

/* ---- One number ---- */

static double cosine_similarity(const pg_moments *m)
{
    double size_a = sqrt(m->sum_aa), size_b = sqrt(m->sum_bb);
    if (size_a == 0 || size_b == 0)
        return size_a == 0 && size_b == 0 ? 1 : 0;
    double result = m->sum_ab / (size_a * size_b);
    return isnan(result) ? result : fmax(-1, fmin(1, result));
}

static double psnr(const pg_moments *m)
{
    if (m->mean_dd == 0)
        return INFINITY;
    double peak = m->max_a <= 0 ? 1 : m->max_a;
    return 20 * log10(peak) - 10 * log10(m->mean_dd);
}

static double snr(const pg_moments *m)
{
    if (m->mean_dd == 0)
        return INFINITY;
    if (m->mean_aa == 0)
        return -INFINITY;
    return 10 * log10(m->mean_aa / m->mean_dd);
}

static double metric_value(pg_compare_function function, const pg_moments *moments)
{
    switch (function) {
    case PG_COMPARE_L2:
        return sqrt(moments->sum_dd);
    case PG_COMPARE_COSINE:
        return cosine_similarity(moments);
    case PG_COMPARE_PSNR:
        return psnr(moments);
    default:
        return snr(moments);
    }
}

static pg_status judge(const pg_compare_call *call, const pg_metric *metric, pg_compare_item *item,
                       const pg_tensor *aligned, pg_output_comparison *out)
{
    if (!item->has_moments)
        PG_TRY(pg_moments_compute(&item->value0->tensor, aligned, &item->moments));
    item->has_moments = true;
    out->has_value = true;
    out->value = metric_value(out->function, &item->moments);
    out->passed = pg_metric_passes(metric, true, out->value, out->threshold.value);
    pg_buf text = {0};
    pg_metric_text(&text, metric, out->value, out->threshold.value);
    PG_LOG(out->passed ? PG_FINISH : PG_ERROR, "%s", pg_buf_cstr(&text));
    pg_buf_deinit(&text);
    return pg_compare_keep_picture(call, item, aligned, out);
}

pg_status pg_compare_metric(const pg_compare_call *call, pg_compare_item *item, pg_output_comparison *out)
{
    const pg_metric *metric = pg_metric_of(out->function);
    out->threshold =
        pg_output_number_for(call->options->thresholds[out->function], item->option_name, metric->threshold);
    PG_LOG(PG_EXTRA_VERBOSE, "Note: Comparing %s vs. %s", call->run0, call->run1);
    pg_tensor aligned = {0};
    bool permuted = false;
    PG_TRY(pg_compare_align(call, item, out, &aligned, &permuted));
    if (out->problem != PG_COMPARED)
        return NULL;
    if (out->function == PG_COMPARE_PERCEPTUAL) {
        pg_tensor_deinit(&aligned);
        return pg_err(PG_ERR_UNAVAILABLE, "%s", pg_compare_perceptual_reason);
    }
    pg_status status = judge(call, metric, item, &aligned, out);
    pg_tensor_deinit(&aligned);
    return pg_status_context(status, "while comparing output '%s'", item->name0);
}

/* A TensorRT for tests, in the C++ that the real one is written in: its classes come from the library's public headers
 * (classes.py), its slots, pointers and copies of structs from the compiler. It knows one network, y = scale * Relu(x)
 * with x of [-1, 3] and the weight 'scale', which is 1 until it is refitted; every argument that reaches it is checked,
 * and so is the order in which objects end. FAKE_TRT in the environment makes it misbehave: "late" outputs of unknown
 * size, "crash" builds, "lie" about what was set, "parse" errors. FAKE_MAJOR and FAKE_MINOR are its version. */
#include "classes.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <string>

[[noreturn]] static void fail(const char *where, const char *what)
{
    std::fprintf(stderr, "fake TensorRT: %s: %s\n", where, what);
    std::abort();
}
[[noreturn]] void missing(const char *method)
{
    fail(method, "was called, and nothing is known of it");
}
#define CHECK(condition) ((condition) ? (void)0 : fail(__func__, #condition))

#if defined FAKE_TRT10 || defined FAKE_RTX14
#define OLD_LAYOUT 1 /* the layout of TensorRT 10 */
#else
#define OLD_LAYOUT 0
#endif
#if defined FAKE_RTX14 || defined FAKE_RTX15
#define RTX 1
#else
#define RTX 0
#endif

static bool misbehaves(const char *how)
{
    const char *set = std::getenv("FAKE_TRT");
    return set != nullptr && std::strcmp(set, how) == 0;
}

/* ---- Objects ---- */

/* The first part of every object, so that no other part of it lies where the object does. */
struct Part {
    Part() { all.insert(this); }
    virtual ~Part() { all.erase(this); }
    static std::set<Part *> all;
    char filler[24] = "not yours";
};
std::set<Part *> Part::all;

/* The object behind a pointer, which must be one that lives. */
template <class T, class I> static T &the(I *object, const char *where)
{
    for (Part *part : Part::all)
        if (dynamic_cast<I *>(part) == object && dynamic_cast<T *>(part) != nullptr)
            return *dynamic_cast<T *>(part);
    fail(where, "this is no such object, or it has ended");
}
#define THE(T, object) the<T>((object), __func__)

template <class T> static int living()
{
    int count = 0;
    for (Part *part : Part::all)
        count += dynamic_cast<T *>(part) != nullptr;
    return count;
}

static std::string text_of(const char *text, const char *where)
{
    if (text == nullptr || std::strlen(text) > 4096)
        fail(where, "this is no text");
    return text;
}
#define TEXT(text) text_of((text), __func__)

static void check_dims(const Dims &dims)
{
    CHECK(dims.nbDims == 2 && dims.d[0] >= -1 && dims.d[1] == 3);
}

/* ---- What the program implements ---- */

static ILogger *logger;
static IErrorRecorder *recorder;

#if OLD_LAYOUT
#define CHECK_INTERFACE(object, name) ((void)0)
#else
#define CHECK_INTERFACE(object, name) check_interface((object), (name))
#endif
template <class I> static void check_interface(I *object, const char *kind)
{
    CHECK(object != nullptr);
    CHECK(object->getAPILanguage() == APILanguage::kCPP);
    InterfaceInfo info = object->getInterfaceInfo();
    CHECK(std::string(info.kind) == kind && info.major == 1 && info.minor == 0);
}

static void set_logger(ILogger *given)
{
    CHECK_INTERFACE(given, "ILogger");
    logger = given;
    logger->log(Severity::kINFO, "fake library at work");
}

static void set_recorder(IErrorRecorder *given)
{
    if (given == nullptr)
        return;
    check_interface(given, "IErrorRecorder");
    recorder = given;
    CHECK(recorder->incRefCount() >= 1);
    recorder->clear();
    CHECK(recorder->getNbErrors() == 0 && !recorder->hasOverflowed());
    recorder->reportError(ErrorCode::kINVALID_VALUE, "first");
    CHECK(recorder->getNbErrors() == 1 && recorder->getErrorCode(0) == ErrorCode::kINVALID_VALUE);
    CHECK(std::string(recorder->getErrorDesc(0)) == "first");
    recorder->clear();
    CHECK(recorder->decRefCount() >= 0);
}

static void report(const char *text)
{
    CHECK(recorder != nullptr);
    recorder->reportError(ErrorCode::kINTERNAL_ERROR, text);
}

/* ---- Values ---- */

struct Memory final : Part, IHostMemory, VHostMemory {
    std::string bytes;
    explicit Memory(std::string b) : bytes(std::move(b)) { mImpl = this; }
    void *data() const override { return const_cast<char *>(bytes.data()); }
    std::size_t size() const override { return bytes.size(); }
    DataType type() const override { return DataType::kINT8; }
};

struct Tensor final : Part, ITensor, VTensor {
    std::string name;
    Dims dims;
    bool input = false, output = false;
    DataType dtype = DataType::kFLOAT;
    TensorFormats formats = 1;
    Tensor(std::string n, Dims d) : name(std::move(n)), dims(d) { mImpl = this; }
    const char *getName() const override { return name.c_str(); }
    void setName(const char *n) override { name = TEXT(n); }
    Dims getDimensions() const override { return dims; }
    DataType getType() const override { return dtype; }
    bool isNetworkInput() const override { return input; }
    bool isNetworkOutput() const override { return output; }
    bool isShapeTensor() const override { return false; }
    bool isExecutionTensor() const override { return true; }
    void setAllowedFormats(TensorFormats f) override
    {
        CHECK(f != 0 && f < 1u << 13);
        formats = f;
    }
    TensorFormats getAllowedFormats() const override { return formats; }
    const char *getDimensionName(int32_t i) const override
    {
        CHECK(i >= 0 && i < dims.nbDims);
        return i == 0 ? "N" : nullptr;
    }
#if OLD_LAYOUT
    void setType(DataType type) override
    {
        CHECK(type >= DataType::kFLOAT && type <= DataType::kFP4);
        dtype = type;
    }
#endif
};

/* The activation, or with FAKE_TRT=convolution a convolution instead. */
struct LayerBase : Part, VLayer {
    std::string name;
    LayerType kind;
    Tensor &in, &out;
    DataType precision = DataType::kFLOAT;
    bool precise = false;
    LayerBase(std::string n, LayerType k, Tensor &i, Tensor &o) : name(std::move(n)), kind(k), in(i), out(o) {}
    LayerType getType() const override { return kind; }
    const char *getName() const override { return name.c_str(); }
    void setName(const char *n) override { name = TEXT(n); }
    int32_t getNbInputs() const override { return 1; }
    ITensor *getInput(int32_t i) const override
    {
        CHECK(i == 0);
        return &in;
    }
    int32_t getNbOutputs() const override { return 1; }
    ITensor *getOutput(int32_t i) const override
    {
        CHECK(i == 0);
        return &out;
    }
#if OLD_LAYOUT
    void setPrecision(DataType type) override
    {
        CHECK(type == DataType::kFLOAT || type == DataType::kHALF || type == DataType::kBF16 || type == DataType::kINT8);
        precision = type;
        precise = true;
    }
    DataType getPrecision() const override { return precision; }
    bool precisionIsSet() const override { return precise; }
#endif
};

struct Activation final : LayerBase, IActivationLayer, VActivationLayer {
    Activation(Tensor &i, Tensor &o) : LayerBase("relu", LayerType::kACTIVATION, i, o)
    {
        mLayer = this;
        mImpl = this;
    }
    ActivationType getActivationType() const override { return ActivationType::kRELU; }
    float getAlpha() const override { return 0.25f; }
    float getBeta() const override { return 0.5f; }
};

static const float kernel_values[] = {1, 2, 3, 4, 5, 6};

struct Convolution final : LayerBase, IConvolutionLayer, VConvolutionLayer {
    Convolution(Tensor &i, Tensor &o) : LayerBase("conv", LayerType::kCONVOLUTION, i, o)
    {
        mLayer = this;
        mImpl = this;
    }
    int64_t getNbOutputMaps() const override { return 2; }
    int64_t getNbGroups() const override { return 1; }
    Weights getKernelWeights() const override { return {DataType::kFLOAT, kernel_values, 6}; }
    Weights getBiasWeights() const override { return {DataType::kFLOAT, nullptr, 0}; }
    Dims getPrePadding() const override { return {2, {1, 2}}; }
    Dims getPostPadding() const override { return {2, {3, 4}}; }
    PaddingMode getPaddingMode() const override { return PaddingMode::kSAME_UPPER; }
    Dims getKernelSizeNd() const override { return {2, {1, 3}}; }
    Dims getStrideNd() const override { return {2, {5, 6}}; }
    Dims getPaddingNd() const override { return {2, {7, 8}}; }
    Dims getDilationNd() const override { return {2, {9, 10}}; }
};

/* ---- Network ---- */

struct Profile final : Part, IOptimizationProfile, VOptimizationProfile {
    Dims range[3] = {};
    Profile() { mImpl = this; }
    bool setDimensions(const char *input, OptProfileSelector which, const Dims &dims) override
    {
        CHECK(which >= OptProfileSelector::kMIN && which <= OptProfileSelector::kMAX);
        check_dims(dims);
        if (TEXT(input) != "x")
            return false;
        range[(int)which] = dims;
        return true;
    }
    Dims getDimensions(const char *input, OptProfileSelector which) const override
    {
        CHECK(TEXT(input) == "x");
        return range[(int)which];
    }
    bool isValid() const override { return range[0].d[0] <= range[1].d[0] && range[1].d[0] <= range[2].d[0]; }
};

struct Network final : Part, INetworkDefinition, VNetworkDefinition {
    std::string name = "Fake";
    uint32_t creation;
    bool parsed = false;
    std::set<std::string> debugged;
    std::unique_ptr<Tensor> probe, x, y;
    std::unique_ptr<Activation> relu;
    std::unique_ptr<Convolution> conv;
    explicit Network(uint32_t flags) : creation(flags) { mImpl = this; }
    void parse()
    {
        CHECK(probe == nullptr && !parsed);
        parsed = true;
        x = std::make_unique<Tensor>("x", Dims{2, {-1, 3}});
        y = std::make_unique<Tensor>("y", Dims{2, {-1, 3}});
        x->input = y->output = true;
        relu = std::make_unique<Activation>(*x, *y);
        if (misbehaves("convolution"))
            conv = std::make_unique<Convolution>(*x, *y);
    }
    ITensor *addInput(const char *n, DataType type, const Dims &dims) override
    {
        CHECK(!parsed && probe == nullptr && type == DataType::kFLOAT && dims.nbDims >= 0 && dims.nbDims <= 8);
        probe = std::make_unique<Tensor>(TEXT(n), dims);
        probe->input = true;
        return probe.get();
    }
    void removeTensor(ITensor &tensor) override
    {
        CHECK(&THE(Tensor, &tensor) == probe.get());
        probe.reset();
    }
    void markOutput(ITensor &tensor) override { THE(Tensor, &tensor).output = true; }
    void unmarkOutput(ITensor &tensor) override { THE(Tensor, &tensor).output = false; }
    int32_t getNbLayers() const override { return parsed; }
    ILayer *getLayer(int32_t i) const override
    {
        CHECK(parsed && i == 0);
        if (conv != nullptr)
            return static_cast<IConvolutionLayer *>(conv.get());
        return static_cast<IActivationLayer *>(relu.get());
    }
    int32_t getNbInputs() const override { return parsed || probe != nullptr; }
    ITensor *getInput(int32_t i) const override
    {
        CHECK(i == 0);
        return probe != nullptr ? probe.get() : x.get();
    }
    int32_t getNbOutputs() const override { return parsed && y->output; }
    ITensor *getOutput(int32_t i) const override
    {
        CHECK(i == 0);
        return y.get();
    }
    void setName(const char *n) override { name = TEXT(n); }
    const char *getName() const override { return name.c_str(); }
    bool getFlag(NetworkDefinitionCreationFlag flag) const override { return creation >> (int)flag & 1; }
    bool markDebug(ITensor &tensor) override
    {
        debugged.insert(THE(Tensor, &tensor).name);
        return true;
    }
    bool markUnfusedTensorsAsDebugTensors() override { return true; }
};

/* ---- Calibration and algorithms of TensorRT 10 ---- */

#ifdef FAKE_TRT10
struct Variant final : Part, IAlgorithmVariant, VAlgorithmVariant {
    int64_t implementation, tactic;
    Variant(int64_t i, int64_t t) : implementation(i), tactic(t) { mImpl = this; }
    int64_t getImplementation() const override { return implementation; }
    int64_t getTactic() const override { return tactic; }
};

struct TensorInfo final : Part, IAlgorithmIOInfo, VAlgorithmIOInfo {
    DataType dtype;
    explicit TensorInfo(DataType type) : dtype(type) { mImpl = this; }
    DataType getDataType() const override { return dtype; }
    Dims getStrides() const override { return {2, {3, 1}}; }
    int64_t getVectorizedDim() const override { return -1; }
    int64_t getComponentsPerElement() const override { return 1; }
};

struct Algorithm final : Part, IAlgorithm, VAlgorithm {
    Variant variant;
    TensorInfo input, output;
    float time;
    Algorithm(int64_t tactic, DataType type, float t) : variant(0x80000001, tactic), input(DataType::kFLOAT), output(type), time(t)
    {
        mImpl = this;
    }
    const IAlgorithmVariant &getAlgorithmVariant() const override { return variant; }
    float getTimingMSec() const override { return time; }
    std::size_t getWorkspaceSize() const override { return 64; }
    const IAlgorithmIOInfo *getAlgorithmIOInfoByIndex(int32_t i) const override
    {
        return i == 0 ? &input : i == 1 ? &output : nullptr;
    }
};

struct AlgorithmContext final : Part, IAlgorithmContext, VAlgorithmContext {
    AlgorithmContext() { mImpl = this; }
    const char *getName() const override { return "relu"; }
    Dims getDimensions(int32_t i, OptProfileSelector which) const override
    {
        CHECK((i == 0 || i == 1) && which >= OptProfileSelector::kMIN && which <= OptProfileSelector::kMAX);
        return {2, {2, 3}};
    }
    int32_t getNbInputs() const override { return 1; }
    int32_t getNbOutputs() const override { return 1; }
};

/* Offers three algorithms, of which the third is fastest; a tactic's number is what the engine remembers. */
static int64_t select_algorithm(IAlgorithmSelector *selector)
{
    check_interface(selector, "IAlgorithmSelector");
    AlgorithmContext context;
    Algorithm a(11, DataType::kFLOAT, 0.5f), b(-22, DataType::kFLOAT, 0.25f), c(33, DataType::kHALF, 0.125f);
    const IAlgorithm *choices[] = {&a, &b, &c};
    int32_t selection[3] = {-1, -1, -1};
    int32_t count = selector->selectAlgorithms(context, choices, 3, selection);
    CHECK(count >= 0 && count <= 3);
    const Algorithm *chosen = count == 0 ? &c : nullptr;
    for (int32_t i = 0; i < count; i++) {
        CHECK(selection[i] >= 0 && selection[i] < 3);
        const Algorithm *one = static_cast<const Algorithm *>(choices[selection[i]]);
        chosen = chosen == nullptr || one->time < chosen->time ? one : chosen;
    }
    const IAlgorithmContext *contexts[] = {&context};
    const IAlgorithm *made[] = {chosen};
    selector->reportAlgorithms(contexts, made, 1);
    return chosen->variant.tactic;
}

/* Reads the cache, or asks for all batches and writes one. False when there was no data. */
static bool calibrate(IInt8Calibrator *calibrator)
{
    static const char *const kinds[] = {"IInt8LegacyCalibrator", "IInt8EntropyCalibrator", "IInt8EntropyCalibrator2",
                                        "IInt8MinMaxCalibrator"};
    static const char *const names_in_caches[] = {"LegacyCalibration", "EntropyCalibration", "EntropyCalibration2",
                                                  "MinMaxCalibration"};
    CalibrationAlgoType algorithm = calibrator->getAlgorithm();
    CHECK(algorithm >= CalibrationAlgoType::kLEGACY_CALIBRATION && algorithm <= CalibrationAlgoType::kMINMAX_CALIBRATION);
    bool legacy = algorithm == CalibrationAlgoType::kLEGACY_CALIBRATION;
    check_interface(calibrator, legacy ? "IInt8Calibrator" : kinds[(int)algorithm]);
    std::string text = std::string("TRT-101602-") + names_in_caches[(int)algorithm] + "\n";
    if (legacy) {
        auto *more = reinterpret_cast<IInt8LegacyCalibrator *>(calibrator);
        char values[64];
        std::snprintf(values, sizeof values, "%g %g", more->getQuantile(), more->getRegressionCutoff());
        logger->log(Severity::kWARNING, values);
        std::size_t length = 77;
        CHECK(more->readHistogramCache(length) == nullptr && length == 0);
        more->writeHistogramCache("h", 1);
    }
    std::size_t length = 12345;
    const void *cache = calibrator->readCalibrationCache(length);
    if (cache != nullptr) {
        CHECK(length > 0 && length < 4096);
        std::string found((const char *)cache, length);
        if (found.compare(0, text.size(), text) == 0) {
            logger->log(Severity::kINFO, "fake library read the cache");
            return true;
        }
    }
    CHECK(calibrator->getBatchSize() >= 1);
    float largest = 0;
    int batches = 0;
    for (;;) {
        void *bindings[] = {nullptr};
        const char *names[] = {"x"};
        if (!calibrator->getBatch(bindings, names, 1))
            break;
        CHECK(bindings[0] != nullptr);
        const float *values = (const float *)bindings[0]; /* memory of the device is memory here */
        for (int i = 0; i < 3; i++)
            largest = values[i] > largest ? values[i] : -values[i] > largest ? -values[i] : largest;
        CHECK(++batches < 1000);
    }
    if (batches == 0)
        return false;
    uint32_t bits;
    float scale = largest / 127;
    std::memcpy(&bits, &scale, sizeof bits);
    char row[32];
    std::snprintf(row, sizeof row, "x: %08x\n", bits);
    text += row;
    calibrator->writeCalibrationCache(text.data(), text.size());
    return true;
}
#endif

/* ---- Configuration ---- */

struct Cache final : Part, ITimingCache, VTimingCache {
    std::string bytes;
    explicit Cache(std::string b) : bytes(std::move(b)) { mImpl = this; }
    IHostMemory *serialize() const override { return new Memory(bytes + "+"); }
};

struct Config final : Part, IBuilderConfig, VBuilderConfig {
    std::map<std::string, int64_t> values{{"level", 3}};
    uint32_t flags, previews = 0, sources = 1;
    std::size_t pools[8] = {1u << 20, 0, 0, 0, 0, 0, 0, 0};
    const Profile *profile = nullptr;
    const Cache *cache = nullptr;
    IProgressMonitor *monitor = nullptr;
    Config() : flags(1u << (int)BuilderFlag::kTF32) { mImpl = this; }
    static void check_flag(BuilderFlag flag) { CHECK((int)flag >= 0 && (int)flag < 30); }
    void setFlag(BuilderFlag flag) override
    {
        check_flag(flag);
        flags |= 1u << (int)flag;
    }
    void clearFlag(BuilderFlag flag) override
    {
        check_flag(flag);
        flags &= ~(1u << (int)flag);
    }
    bool getFlag(BuilderFlag flag) const override
    {
        check_flag(flag);
        return flags >> (int)flag & 1;
    }
    void setEngineCapability(EngineCapability v) override { values["capability"] = (int)v; }
    EngineCapability getEngineCapability() const override { return (EngineCapability)value("capability"); }
    void setProfilingVerbosity(ProfilingVerbosity v) override { values["verbosity"] = (int)v; }
    ProfilingVerbosity getProfilingVerbosity() const override { return (ProfilingVerbosity)value("verbosity"); }
    void setBuilderOptimizationLevel(int32_t v) override { values["level"] = v; }
    int32_t getBuilderOptimizationLevel() const override { return (int32_t)value("level"); }
    void setHardwareCompatibilityLevel(HardwareCompatibilityLevel v) override { values["hardware"] = (int)v; }
    HardwareCompatibilityLevel getHardwareCompatibilityLevel() const override
    {
        return (HardwareCompatibilityLevel)value("hardware");
    }
    void setRuntimePlatform(RuntimePlatform v) override { values["platform"] = (int)v; }
    RuntimePlatform getRuntimePlatform() const override { return (RuntimePlatform)value("platform"); }
    bool setTilingOptimizationLevel(TilingOptimizationLevel v) override
    {
        values["tiling"] = (int)v;
        return true;
    }
    TilingOptimizationLevel getTilingOptimizationLevel() const override { return (TilingOptimizationLevel)value("tiling"); }
#ifdef FAKE_TRT11
    bool setMaxAuxStreams(int32_t v) override { return values["aux"] = v, true; }
#elif defined FAKE_RTX15
    bool setMaxAuxStreams(int32_t v) override { return values["aux"] = v, true; }
#else
    void setMaxAuxStreams(int32_t v) override { values["aux"] = v; }
#endif
    int32_t getMaxAuxStreams() const override { return (int32_t)value("aux"); }
    bool setTacticSources(TacticSources v) override
    {
        CHECK(v < 32);
        sources = v;
        return true;
    }
    TacticSources getTacticSources() const override { return sources; }
    void setMemoryPoolLimit(MemoryPoolType pool, std::size_t size) override
    {
        CHECK((int)pool >= 0 && (int)pool < 8);
        pools[(int)pool] = size;
    }
    std::size_t getMemoryPoolLimit(MemoryPoolType pool) const override
    {
        CHECK((int)pool >= 0 && (int)pool < 8);
        return pools[(int)pool];
    }
    void setPreviewFeature(PreviewFeature feature, bool on) override
    {
        previews = on ? previews | 1u << (int)feature : previews & ~(1u << (int)feature);
    }
    bool getPreviewFeature(PreviewFeature feature) const override { return previews >> (int)feature & 1; }
    void setDefaultDeviceType(DeviceType) override { fail(__func__, "there is no accelerator"); }
    int32_t addOptimizationProfile(const IOptimizationProfile *given) override
    {
        profile = &THE(Profile, const_cast<IOptimizationProfile *>(given));
        return 0;
    }
    void setProgressMonitor(IProgressMonitor *given) override
    {
        check_interface(given, "IProgressMonitor");
        monitor = given;
    }
    ITimingCache *createTimingCache(const void *bytes, std::size_t size) const override
    {
        CHECK(bytes != nullptr || size == 0);
        return new Cache(std::string((const char *)(size > 0 ? bytes : ""), size));
    }
    bool setTimingCache(const ITimingCache &given, bool ignore) override
    {
        CHECK(!ignore);
        cache = &THE(Cache, const_cast<ITimingCache *>(&given));
        return cache->bytes.empty() || cache->bytes[0] == '+'; /* as it writes them */
    }
    const ITimingCache *getTimingCache() const override { return cache; }
#if RTX
    int32_t n_capabilities = 0;
    bool setNbComputeCapabilities(int32_t count) override
    {
        n_capabilities = count;
        return count >= 0;
    }
    int32_t getNbComputeCapabilities() const override { return n_capabilities; }
    bool setComputeCapability(ComputeCapability capability, int32_t index) override
    {
        CHECK(index >= 0 && index < n_capabilities);
        values["capability " + std::to_string(index)] = (int)capability;
        return true;
    }
    ComputeCapability getComputeCapability(int32_t index) const override
    {
        return (ComputeCapability)value("capability " + std::to_string(index));
    }
#endif
#ifdef FAKE_TRT10
    IInt8Calibrator *calibrator = nullptr;
    IAlgorithmSelector *selector = nullptr;
    const Profile *calibration_profile = nullptr;
    uint32_t quantization = 0;
    void setInt8Calibrator(IInt8Calibrator *given) override { calibrator = given; }
    IInt8Calibrator *getInt8Calibrator() const override { return calibrator; }
    void setAlgorithmSelector(IAlgorithmSelector *given) override { selector = given; }
    IAlgorithmSelector *getAlgorithmSelector() const override { return selector; }
    bool setCalibrationProfile(const IOptimizationProfile *given) override
    {
        calibration_profile = &THE(Profile, const_cast<IOptimizationProfile *>(given));
        return true;
    }
    const IOptimizationProfile *getCalibrationProfile() override { return calibration_profile; }
    void setQuantizationFlag(QuantizationFlag flag) override { quantization |= 1u << (int)flag; }
    void clearQuantizationFlag(QuantizationFlag flag) override { quantization &= ~(1u << (int)flag); }
    bool getQuantizationFlag(QuantizationFlag flag) const override { return quantization >> (int)flag & 1; }
#endif

  private:
    int64_t value(const std::string &name) const
    {
        auto found = values.find(name);
        return found != values.end() ? found->second : 0;
    }
};

/* ---- Builder ---- */

struct Builder final : Part, IBuilder, VBuilder {
    int32_t threads = 4;
    std::set<std::unique_ptr<Profile>> profiles;
    Builder() { mImpl = this; }
    ~Builder() override
    {
        profiles.clear();
        CHECK(living<Network>() == 0 && living<Config>() == 0 && living<Memory>() == 0 && living<Cache>() == 0);
    }
    IBuilderConfig *createBuilderConfig() override { return new Config; }
    INetworkDefinition *createNetworkV2(NetworkDefinitionCreationFlags flags) override
    {
        uint32_t strong = 1u << (int)NetworkDefinitionCreationFlag::kSTRONGLY_TYPED;
        CHECK(flags == strong || (flags == 0 && FAKE_MAJOR == 10));
        return new Network(flags);
    }
    IOptimizationProfile *createOptimizationProfile() override
    {
        return profiles.insert(std::make_unique<Profile>()).first->get();
    }
    void setErrorRecorder(IErrorRecorder *given) override { set_recorder(given); }
    IErrorRecorder *getErrorRecorder() const override { return recorder; }
    bool setMaxThreads(int32_t n) override { return threads = n, n > 0; }
    int32_t getMaxThreads() const override { return misbehaves("lie") ? 1 : threads; }
    int32_t getNbDLACores() const override { return 0; }
    IHostMemory *buildSerializedNetwork(INetworkDefinition &n, IBuilderConfig &c) override
    {
        const Network &network = THE(Network, &n);
        const Config &config = THE(Config, &c);
        CHECK(network.parsed && config.profile != nullptr && config.monitor != nullptr);
        if (misbehaves("crash"))
            std::abort();
        config.monitor->phaseStart("phase", nullptr, 1);
        config.monitor->phaseStart("inner", "phase", 2);
        bool go_on = config.monitor->stepComplete("inner", 0);
        config.monitor->phaseFinish("inner");
        config.monitor->phaseFinish("phase");
        if (!go_on)
            return nullptr;
        int64_t tactic = 0;
#ifdef FAKE_TRT10
        if (config.getFlag(BuilderFlag::kINT8) && config.calibrator != nullptr && !calibrate(config.calibrator)) {
            report("calibration had no data");
            return nullptr;
        }
        if (config.selector != nullptr)
            tactic = select_algorithm(config.selector);
#endif
        bool strip = config.getFlag(BuilderFlag::kSTRIP_PLAN), refit = config.getFlag(BuilderFlag::kREFIT) || strip;
        char text[256];
        const Dims *range = config.profile->range;
        std::snprintf(text, sizeof text, "FAKE %d %lld %lld %lld %d %d %lld", FAMILY, (long long)range[0].d[0],
                      (long long)range[1].d[0], (long long)range[2].d[0], refit, strip, (long long)tactic);
        return new Memory(std::string(text) + '\0');
    }
};

/* ---- Parser ---- */

struct ParserError final : IParserError {
    ErrorCode code() const override { return ErrorCode::kINTERNAL_ERROR; }
    const char *desc() const override { return "no way"; }
    const char *file() const override { return "parser.cpp"; }
    int line() const override { return 12; }
    const char *func() const override { return "parse"; }
    int node() const override { return 7; }
    const char *nodeName() const override { return "seventh"; }
    const char *nodeOperator() const override { return "Relu"; }
};

struct Parser final : Part, IParser {
    Network &network;
    uint32_t flags = 1; /* NATIVE_INSTANCENORM */
    ParserError error;
    explicit Parser(Network &n) : network(n) {}
    bool end()
    {
        if (misbehaves("parse"))
            return false;
        network.parse();
        return true;
    }
    bool parse(const void *bytes, size_t size, const char *) override
    {
        CHECK(bytes != nullptr && size > 8);
        return end();
    }
    bool parseFromFile(const char *path, int severity) override
    {
        CHECK(TEXT(path)[0] == '/' && severity == (int)Severity::kWARNING);
        return end();
    }
    int getNbErrors() const override { return misbehaves("parse"); }
    const IParserError *getError(int i) const override
    {
        CHECK(i == 0);
        return &error;
    }
    void clearErrors() override {}
    void setFlag(OnnxParserFlag flag) override { flags |= 1u << (int)flag; }
    void clearFlag(OnnxParserFlag flag) override { flags &= ~(1u << (int)flag); }
    bool getFlag(OnnxParserFlag flag) const override { return flags >> (int)flag & 1; }
};

/* ---- Engine ---- */

struct Engine;

struct Inspector final : Part, IEngineInspector, VEngineInspector {
    Inspector() { mImpl = this; }
    const char *getLayerInformation(int32_t i, LayerInformationFormat format) const override
    {
        CHECK(i == 0 && format == LayerInformationFormat::kJSON);
        return "{\"Name\": \"relu\", \"LayerType\": \"kgen\", \"Inputs\": [{\"Name\": \"x\", \"Dimensions\": [-1,3], "
               "\"Format/Datatype\": \"Row major linear FP32\"}], \"Outputs\": [{\"Name\": \"y\", \"Dimensions\": [-1,3], "
               "\"Datatype\": \"Half\", \"Format\": \"Linear\"}], \"TacticValue\": \"0x1\"}\n";
    }
};

struct Engine final : Part, ICudaEngine, VCudaEngine {
    Dims range[3];
    bool refittable, stripped;
    float scale;
    Engine(const long long *d, bool refit, bool strip) : refittable(refit), stripped(strip), scale(strip ? 0 : 1)
    {
        mImpl = this;
        for (int k = 0; k < 3; k++)
            range[k] = Dims{2, {d[k], 3}};
    }
    ~Engine() override;
    static bool is_input(const char *name)
    {
        std::string text = text_of(name, "a name");
        CHECK(text == "x" || text == "y");
        return text == "x";
    }
    int32_t getNbLayers() const override { return 1; }
    IExecutionContext *createExecutionContext(ExecutionContextAllocationStrategy strategy) override;
    bool isRefittable() const override { return refittable; }
    const char *getName() const override { return "Fake"; }
    int32_t getNbOptimizationProfiles() const override { return 1; }
    IEngineInspector *createEngineInspector() const override { return new Inspector; }
    Dims getTensorShape(const char *name) const override { return is_input(name), Dims{2, {-1, 3}}; }
    DataType getTensorDataType(const char *name) const override { return is_input(name), DataType::kFLOAT; }
    TensorLocation getTensorLocation(const char *name) const override { return is_input(name), TensorLocation::kDEVICE; }
    bool isShapeInferenceIO(const char *name) const override { return is_input(name), false; }
    TensorIOMode getTensorIOMode(const char *name) const override
    {
        return is_input(name) ? TensorIOMode::kINPUT : TensorIOMode::kOUTPUT;
    }
    TensorFormat getTensorFormatV2(const char *name, int32_t profile) const override
    {
        CHECK(profile == 0);
        return is_input(name), TensorFormat::kLINEAR;
    }
    Dims getProfileShape(const char *name, int32_t profile, OptProfileSelector which) const override
    {
        CHECK(is_input(name) && profile == 0 && which >= OptProfileSelector::kMIN && which <= OptProfileSelector::kMAX);
        return range[(int)which];
    }
    int32_t getNbIOTensors() const override { return 2; }
    const char *getIOTensorName(int32_t i) const override
    {
        CHECK(i == 0 || i == 1);
        return i == 0 ? "x" : "y";
    }
    int64_t getDeviceMemorySizeV2() const override { return 4096; }
    bool isDebugTensor(const char *name) const override { return text_of(name, "a name") == "x"; }
    int64_t getStreamableWeightsSize() const override { return 0; }
    IRefitter *createRefitter(ILogger &) override { missing("ICudaEngine::createRefitter"); }
};

struct Refitter final : Part, IRefitter, VRefitter {
    Engine &engine;
    bool set = false;
    float scale = 0;
    explicit Refitter(Engine &e) : engine(e) { mImpl = this; }
    void setErrorRecorder(IErrorRecorder *given) override { set_recorder(given); }
    int32_t names(int32_t size, const char **out, bool any) const
    {
        CHECK(size >= 0 && (size == 0 || out != nullptr));
        if (any && size > 0)
            out[0] = "scale";
        return any;
    }
    int32_t getAllWeights(int32_t size, const char **out) override { return names(size, out, true); }
    int32_t getMissingWeights(int32_t size, const char **out) override { return names(size, out, engine.stripped && !set); }
    Weights getWeightsPrototype(const char *name) const override
    {
        return TEXT(name) == "scale" ? Weights{DataType::kFLOAT, nullptr, 1} : Weights{DataType::kFLOAT, nullptr, -1};
    }
    bool setNamedWeights(const char *name, Weights weights) override
    {
        CHECK(weights.values != nullptr);
        if (TEXT(name) != "scale" || weights.type != DataType::kFLOAT || weights.count != 1)
            return false;
        std::memcpy(&scale, weights.values, sizeof scale);
        return set = true;
    }
    bool refitCudaEngine() override
    {
        if (!set && engine.stripped) {
            report("weights are missing");
            return false;
        }
        if (set)
            engine.scale = scale;
        engine.stripped = false;
        return true;
    }
};

struct Context final : Part, IExecutionContext, VExecutionContext {
    Engine &engine;
    Dims shape = {-2, {0}};
    IProfiler *profiler = nullptr;
    IDebugListener *listener = nullptr;
    IOutputAllocator *allocator = nullptr;
    const float *x = nullptr;
    float *y = nullptr;
    bool watches = false, managed;
    std::size_t memory = 0;
    Context(Engine &e, bool m) : engine(e), managed(m) { mImpl = this; }
    void setProfiler(IProfiler *given) override
    {
        CHECK_INTERFACE(given, "IProfiler");
        profiler = given;
    }
    void setErrorRecorder(IErrorRecorder *given) override { set_recorder(given); }
    bool setOptimizationProfileAsync(int32_t profile, cudaStream_t stream) override { return profile == 0 && stream != nullptr; }
    bool setInputShape(const char *name, const Dims &dims) override
    {
        CHECK(Engine::is_input(name));
        check_dims(dims);
        shape = dims;
        return true;
    }
    Dims getTensorShape(const char *name) const override
    {
        return !Engine::is_input(name) && misbehaves("late") ? Dims{2, {-1, 3}} : shape;
    }
    bool setTensorAddress(const char *name, void *address) override
    {
        if (Engine::is_input(name))
            x = (const float *)address;
        else
            y = (float *)address;
        return address != nullptr;
    }
    int32_t inferShapes(int32_t size, const char **names) override
    {
        CHECK(size > 0 && names != nullptr);
        names[0] = "x";
        return shape.nbDims < 0;
    }
    bool setOutputAllocator(const char *name, IOutputAllocator *given) override
    {
        CHECK(!Engine::is_input(name));
        check_interface(given, "IOutputAllocator");
        allocator = given;
        return true;
    }
    bool setDebugListener(IDebugListener *given) override
    {
        check_interface(given, "IDebugListener");
        listener = given;
        return true;
    }
    bool setTensorDebugState(const char *name, bool on) override
    {
        CHECK(Engine::is_input(name));
        watches = on;
        return true;
    }
    bool setUnfusedTensorsDebugState(bool on) override { return watches = on, true; }
    size_t updateDeviceMemorySizeForShapes() override { return 1000; }
    void setDeviceMemoryV2(void *given, int64_t size) override
    {
        CHECK(managed && given != nullptr && size >= 1000);
        memory = (std::size_t)size;
    }
    bool enqueueV3(cudaStream_t stream) override
    {
        std::size_t count = (std::size_t)(shape.d[0] * shape.d[1]);
        CHECK(stream != nullptr && shape.nbDims == 2 && (!managed || memory > 0));
        if (misbehaves("late"))
            allocate(count * sizeof(float), stream);
        CHECK(count == 0 || (x != nullptr && y != nullptr));
        for (std::size_t i = 0; i < count; i++)
            y[i] = x[i] > 0 ? engine.scale * x[i] : 0;
        if (profiler != nullptr)
            profiler->reportLayerTime("relu", 0.5f);
        return listener == nullptr || !watches ||
               listener->processDebugTensor(x, TensorLocation::kDEVICE, DataType::kFLOAT, shape, "x_watched", stream);
    }
    void allocate(std::size_t size, cudaStream_t stream)
    {
        CHECK(allocator != nullptr);
#if !RTX
        y = (float *)allocator->reallocateOutput("y", nullptr, size, 256);
#endif
        y = (float *)allocator->reallocateOutputAsync("y", nullptr, size, 256, stream);
        allocator->notifyShape("y", shape);
    }
};

IExecutionContext *Engine::createExecutionContext(ExecutionContextAllocationStrategy strategy)
{
    CHECK((int)strategy >= 0 && (int)strategy <= 2);
    return new Context(*this, strategy == ExecutionContextAllocationStrategy::kUSER_MANAGED);
}
Engine::~Engine()
{
    CHECK(living<Context>() == 0 || living<Engine>() > 1);
    CHECK(living<Refitter>() == 0);
}

struct Runtime final : Part, IRuntime, VRuntime {
    int32_t threads = 4;
    bool host_code = false;
    Runtime() { mImpl = this; }
    ~Runtime() override { CHECK(living<Engine>() == 0 || living<Runtime>() > 1); }
    ICudaEngine *deserializeCudaEngine(const void *bytes, std::size_t size) override
    {
        int family, refit, strip;
        long long d[3];
        CHECK(bytes != nullptr && size > 0);
        std::string text((const char *)bytes, size);
        if (std::sscanf(text.c_str(), "FAKE %d %lld %lld %lld %d %d", &family, &d[0], &d[1], &d[2], &refit, &strip) != 6 ||
            family != FAMILY) {
            report("not a plan of this library");
            return nullptr;
        }
        return new Engine(d, refit != 0, strip != 0);
    }
    void setErrorRecorder(IErrorRecorder *given) override { set_recorder(given); }
    bool setMaxThreads(int32_t n) override { return threads = n, n > 0; }
    int32_t getMaxThreads() const override { return threads; }
    void setEngineHostCodeAllowed(bool on) override { host_code = on; }
    bool getEngineHostCodeAllowed() const override { return host_code; }
    IRuntime *loadRuntime(const char *path) override
    {
        if (TEXT(path).find("lean") == std::string::npos) {
            report("no runtime library");
            return nullptr;
        }
        return new Runtime;
    }
};

/* ---- The library ---- */

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT int32_t getInferLibMajorVersion()
{
    return FAKE_MAJOR;
}
EXPORT int32_t getInferLibMinorVersion()
{
    return FAKE_MINOR;
}
EXPORT int32_t getInferLibPatchVersion()
{
    return 2;
}
EXPORT int32_t getInferLibVersion()
{
    return FAKE_MAJOR * 10000 + FAKE_MINOR * 100 + 2;
}
EXPORT void *createInferBuilder_INTERNAL(void *given, int version)
{
    CHECK(version == getInferLibVersion());
    set_logger((ILogger *)given);
    return static_cast<IBuilder *>(new Builder);
}
EXPORT void *createInferRuntime_INTERNAL(void *given, int version)
{
    CHECK(version == getInferLibVersion());
    set_logger((ILogger *)given);
    return static_cast<IRuntime *>(new Runtime);
}
EXPORT void *createInferRefitter_INTERNAL(void *engine, void *given, int version)
{
    CHECK(version == getInferLibVersion());
    set_logger((ILogger *)given);
    Engine &of = the<Engine>((ICudaEngine *)engine, __func__);
    return of.refittable ? static_cast<IRefitter *>(new Refitter(of)) : nullptr;
}
EXPORT void *createNvOnnxParser_INTERNAL(void *network, void *given, int version)
{
    CHECK(version == getInferLibVersion());
    set_logger((ILogger *)given);
    return static_cast<IParser *>(new Parser(the<Network>((INetworkDefinition *)network, __func__)));
}

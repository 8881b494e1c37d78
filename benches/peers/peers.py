#!/usr/bin/env python3
"""Our CPU device beside PyTorch and ONNX Runtime, in turn, on this machine.

    peers.py --lnsp PATH [--rounds 5] [--width 256] [--json FILE]
    peers.py --no-ours          the peers alone

Every round measures everybody once, so that a slow minute of the machine hits all of them. Each
peer is measured in a process of its own with its thread count set before anything is loaded.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

TRAINING_BATCH = 256
BATCHES = (1, 1024)


def timed(function, seconds):
    """Median microseconds of one call, from as many calls as fit into `seconds`, after a fifth of
    that as warm-up. Cheap calls are timed in blocks, so that reading the clock does not count."""
    end = time.perf_counter() + seconds / 5
    calls = 0
    start = time.perf_counter()
    while time.perf_counter() < end or calls < 3:
        function()
        calls += 1
    each = (time.perf_counter() - start) / calls
    block = max(1, int(0.002 / each))
    samples = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(samples) < 5:
        start = time.perf_counter()
        for _ in range(block):
            function()
        samples.append((time.perf_counter() - start) / block * 1e6)
    return statistics.median(samples)


def measure_peer(peer, threads, width, seconds):
    """Microseconds of each task for one peer, in this process. Names of tasks: see `TASKS`."""
    import numpy as np

    generator = np.random.default_rng(1)
    inputs = {n: generator.standard_normal((n, 384)).astype(np.float32) for n in BATCHES}
    times = {}
    if peer == "torch":
        import torch
        from students import Student, training_step

        torch.set_num_threads(threads)
        for kind in ("foreach", "fused"):
            times[f"training {kind}"] = timed(training_step(width, TRAINING_BATCH, kind), seconds)
        times["training"] = min(times["training foreach"], times["training fused"])
        student = Student(width).eval()
        with torch.inference_mode():
            for n, x in inputs.items():
                x = torch.from_numpy(x)
                times[f"batch {n}"] = timed(lambda: student(x), seconds)
    else:
        import onnxruntime
        from students import onnx_bytes

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(
            onnx_bytes(width), options, providers=["CPUExecutionProvider"]
        )
        for n, x in inputs.items():
            times[f"batch {n}"] = timed(lambda: session.run(None, {"x": x}), seconds)
    return times


def run_peer(peer, threads, width, seconds):
    """`measure_peer` in a fresh process."""
    environment = dict(os.environ)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        environment[name] = str(threads)
    command = [sys.executable, __file__, "--one", peer, "--threads", str(threads),
               "--width", str(width), "--seconds", str(seconds)]
    return json.loads(subprocess.run(command, env=environment, check=True,
                                     stdout=subprocess.PIPE).stdout)


def our_times(report, width):
    """Microseconds of each task from what `lnsp bench --json` printed:
    {"rows": [{"width", "precision", "batch", "median_us", ...}],
     "training": [{"width", "batch", "median_ms"}]}; `median_us` is of the whole batch."""
    times = {}
    for row in report["rows"]:
        if row["width"] == width and row["batch"] in BATCHES:
            suffix = "" if row["precision"] == "f32" else " " + row["precision"]
            times[f"batch {row['batch']}{suffix}"] = row["median_us"]
    for row in report["training"]:
        if row["width"] == width and row["batch"] == TRAINING_BATCH:
            times["training"] = row["median_ms"] * 1000.0
    return times


def run_ours(lnsp, width, seconds):
    command = [lnsp, "bench", "--json", "--quiet", "--width", str(width), "--device", "cpu",
               "--precision", "f32,int8", "--batch", ",".join(map(str, BATCHES)),
               "--seconds", str(seconds)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    return our_times(json.loads(output), width)


TASKS = [
    ("training", f"training step of {TRAINING_BATCH} vectors, cosine and Gram losses"),
    ("batch 1", "one vector"),
    ("batch 1 int8", "one vector, our weights in int8"),
    ("batch 1024", "1,024 vectors"),
    ("batch 1024 int8", "1,024 vectors, our weights in int8"),
]

# How many times as long the best peer is to take, at S=256 on two cores without a GPU.
TARGETS = {"training": 1.2, "batch 1": 1.0, "batch 1 int8": 1.3, "batch 1024": 1.0}


def show(rounds, width):
    """Prints, for each task, everybody's median over the rounds with the spread, and how many times
    longer the best peer takes than ours. Returns the ratios."""
    ratios = {}
    for task, title in TASKS:
        against = task.replace(" int8", "")
        rows = []
        for who in rounds[0]:
            key = task if who == "lnsp" else against
            values = [r[who][key] for r in rounds if key in r[who]]
            if values:
                rows.append((statistics.median(values), who, values))
        if not any(task in r.get("lnsp", {}) for r in rounds) and task != against:
            continue
        print(f"\nS={width}, {title}")
        for median, who, values in sorted(rows):
            print(f"  {who:24} {median:10.1f} us   {min(values):10.1f} to {max(values):.1f}")
        ours = [m for m, who, _ in rows if who == "lnsp"]
        peers = [(m, who) for m, who, _ in rows if who != "lnsp"]
        if ours and peers:
            best, who = min(peers)
            ratios[task] = best / ours[0]
            target = TARGETS.get(task) if width == 256 else None
            reached = "reached" if target and ratios[task] >= target else "missed"
            goal = f"; the target is {target}: {reached}" if target else ""
            print(f"  the best peer ({who}) takes {best / ours[0]:.2f} times as long as ours{goal}")
    return ratios


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--lnsp", help="the built command")
    parser.add_argument("--no-ours", action="store_true", help="measure the peers alone")
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="for each measurement")
    parser.add_argument("--json", help="write all figures to this file")
    parser.add_argument("--one", choices=["torch", "onnxruntime"], help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, default=1, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        times = measure_peer(given.one, given.threads, given.width, given.seconds)
        print(json.dumps(times))
        return
    if not given.lnsp and not given.no_ours:
        parser.error("--lnsp PATH or --no-ours")

    threads = sorted({1, min(2, os.cpu_count() or 1)})
    rounds = []
    for number in range(given.rounds):
        print(f"round {number + 1} of {given.rounds}", file=sys.stderr)
        times = {}
        if not given.no_ours:
            times["lnsp"] = run_ours(given.lnsp, given.width, given.seconds)
        for peer in ("torch", "onnxruntime"):
            for count in threads:
                name = f"{peer}, {count} thread{'s' if count > 1 else ''}"
                times[name] = run_peer(peer, count, given.width, given.seconds)
        rounds.append(times)
    ratios = show(rounds, given.width)
    if given.json:
        with open(given.json, "w") as file:
            json.dump({"width": given.width, "rounds": rounds, "ratios": ratios}, file, indent=1)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""A student's code of a vector beside other codes of as many bytes, on the bundled vectors.

    codes.py --lnsp PATH [--sizes 192,96,48,24] [--students FOLDER] [--json FILE]

Every code is fitted on the 20,000 training vectors and measured on the 3,000 held-out ones, each
against all others: documents come out of their code, queries stay in f32 (where a code says
otherwise, its name says so). overlap@10 is the share of the ten nearest by cosine that are kept.
Students are trained by `lnsp train` in the same run, unless FOLDER has them from an earlier one.
Training is on all cores, encoding on one thread, the median of five.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import faiss
import numpy as np
from safetensors.numpy import load_file

from neighbours import Bootstrap, overlaps, top, unit
from rivals import ENCODINGS, Code, rivals

ROOT = Path(__file__).resolve().parent.parent.parent
TRAINING = ROOT / "data" / "vectors_train_20k.safetensors"
HELD_OUT = ROOT / "data" / "vectors_heldout_3k.safetensors"
K = 10
RESAMPLES = 1000
# What `lnsp train` is told for a student of so many bytes.
STUDENTS = {
    192: ("--latent", "384", "--latent-bits", "4"),
    96: ("--latent", "384", "--latent-bits", "2"),
    48: ("--latent", "384", "--latent-bits", "1"),
    24: ("--latent", "192", "--latent-bits", "1"),
}
# Rounds of OPQ; faiss's own number is 50.
OPQ_ITERATIONS = {192: 2, 96: 4, 48: 15, 24: 50}


class Student(Code):
    """A student with a code, through the command."""

    def __init__(self, size, lnsp, students, work):
        super().__init__("student, trellis code", size)
        self.lnsp, self.work = lnsp, work
        self.file = students / f"student-{size}.safetensors"

    def run(self, *arguments, threads=None):
        """What the command printed as JSON."""
        environment = dict(os.environ)
        if threads:
            environment["RAYON_NUM_THREADS"] = str(threads)
        command = [self.lnsp, *map(str, arguments), "--device", "cpu", "--json", "--quiet"]
        done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE)
        if done.returncode:
            sys.exit(f"error: {' '.join(command)} ended with {done.returncode}")
        return json.loads(done.stdout)

    def train(self, vectors):
        if self.file.exists():
            return None
        made = self.run("train", *STUDENTS[self.size], "--vectors", TRAINING, "--out", self.file)
        return made["seconds"]

    @property
    def model_bytes(self):
        return self.file.stat().st_size

    def timed(self, vectors):
        """By the command's own clock, which does not count its start and reading the student."""
        out, seconds = self.work / "codes.npy", []
        for _ in range(ENCODINGS):
            made = self.run("encode", "--student", self.file, "--in", HELD_OUT, "--out", out,
                            "--bits", STUDENTS[self.size][3], threads=1)
            seconds.append(made["seconds"])
        codes = np.load(out)
        assert codes.dtype == np.uint8 and len(codes) == len(vectors), codes.shape
        return codes, statistics.median(seconds)

    def decode(self, codes):
        stored, out = self.work / "codes.npy", self.work / "reconstruction.npy"
        np.save(stored, codes)
        self.run("decode", "--student", self.file, "--in", stored, "--out", out)
        return np.load(out)


def read(path):
    """The vectors of a file, with length 1: f16 there, which rounds the length."""
    return unit(load_file(path)["vectors"].astype(np.float32))


def measure(code, training, held_out, true):
    """One row: bytes, times, and the overlap of each vector by each score."""
    print(f"{code.size} bytes: {code.name}", end=" ", file=sys.stderr, flush=True)
    seconds = code.train(training)
    codes, encoding = code.timed(held_out)
    found = code.neighbours(held_out, codes, K)
    each = {score: overlaps(of, true) for score, of in found.items()}
    shown = ", ".join(f"{score} {of.mean():.4f}" for score, of in each.items())
    print(f"{shown}; trained in {seconds or 0.0:.1f} s, encoding {encoding:.2f} s", file=sys.stderr)
    return {
        "name": code.name, "size": code.size, "bytes": codes.shape[1], "note": code.note,
        "training_seconds": seconds, "encoding_us": encoding / len(held_out) * 1e6,
        "model_bytes": code.model_bytes,
        "overlaps": each,
    }


def compare(rows, bootstrap):
    """Puts into each row its overlap by each score, and by how much the student is better, whose
    score is the cosine; that of a rival is the one that suits it better."""
    students = {row["size"]: row["overlaps"]["cosine"] for row in rows if is_student(row)}
    for row in rows:
        each = row.pop("overlaps")
        row["overlap_at_10"] = {score: bootstrap.interval(of) for score, of in each.items()}
        row["score"] = "cosine" if is_student(row) else max(each, key=lambda s: each[s].mean())
        row["best"] = float(each[row["score"]].mean())
        if row["size"] in students and not is_student(row):
            row["student_less_this"] = bootstrap.interval(
                students[row["size"]] - each[row["score"]])


def is_student(row):
    return row["name"].startswith("student")


def signed(interval):
    return "{mean:+.4f} ({low:+.4f} to {high:+.4f})".format(**interval)


def table(rows):
    lines = ["| code | bytes | overlap@10 | by inner product | student less this (95 %) "
             "| training, s | encoding, µs a vector | fitted numbers, KB |",
             "|---|---|---|---|---|---|---|---|"]
    for row in rows:
        by = row["overlap_at_10"]
        shown = [f"{by[s]['mean']:.4f}" if s in by else "" for s in ("cosine", "inner product")]
        if "Hamming" in by:
            shown[0] = f"{by['Hamming']['mean']:.4f}"
        less = row.get("student_less_this")
        seconds = row["training_seconds"]
        name = f"**{row['name']}**" if is_student(row) else row["name"]
        lines.append("| " + " | ".join([
            name + (f" ({row['note']})" if row["note"] else ""), str(row["bytes"]), *shown,
            signed(less) if less else "", "was there" if seconds is None else f"{seconds:.1f}",
            f"{row['encoding_us']:.1f}", f"{row['model_bytes'] / 1e3:,.0f}"]) + " |")
    return "\n".join(lines)


def verdict(size, rows):
    """Who wins among the codes of at most `size` bytes, and what larger ones do."""
    here = [row for row in rows if row["size"] == size and not is_student(row)]
    own = [row for row in here if row["bytes"] <= size]
    if not own or "student_less_this" not in own[0]:
        return f"{size} bytes: no student to compare."
    best = max(own, key=lambda row: row["best"])
    less = best["student_less_this"]
    if less["low"] > 0.0:
        who = "the student wins; the next is"
    elif less["high"] < 0.0:
        who = "the student loses to"
    else:
        who = "no winner: the interval holds 0; the student is beside"
    text = f"{size} bytes: {who} {best['name']}, {signed(less)}."
    for row in (row for row in here if row["bytes"] > size):
        text += f" {row['name']} takes {row['bytes']} bytes: {signed(row['student_less_this'])}."
    return text


def processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--lnsp", help="the built command")
    parser.add_argument("--no-ours", action="store_true", help="measure the others alone")
    parser.add_argument("--sizes", default="192,96,48,24", help="bytes a vector")
    parser.add_argument("--students", type=Path, help="where students are, or go")
    parser.add_argument("--json", help="write all figures to this file")
    given = parser.parse_args()
    if not given.lnsp and not given.no_ours:
        parser.error("--lnsp PATH or --no-ours")
    sizes = [int(size) for size in given.sizes.split(",")]
    if unknown := set(sizes) - set(STUDENTS):
        parser.error(f"--sizes: {unknown} not known; choose of {sorted(STUDENTS)}")

    start = time.perf_counter()
    lnsp = os.path.abspath(given.lnsp) if given.lnsp else None
    training, held_out = read(TRAINING), read(HELD_OUT)
    true = top(held_out @ held_out.T, K)
    rows = []
    with tempfile.TemporaryDirectory() as work:
        students = (given.students or Path(work)).resolve()
        students.mkdir(parents=True, exist_ok=True)
        for size in sizes:
            ours = [Student(size, lnsp, students, Path(work))] if lnsp else []
            for code in [*ours, *rivals(size, OPQ_ITERATIONS)]:
                rows.append(measure(code, training, held_out, true))
    compare(rows, Bootstrap(len(held_out), RESAMPLES, seed=0))
    rows.sort(key=lambda row: (-row["size"], row["bytes"], -row["best"]))
    verdicts = [verdict(size, rows) for size in sizes]
    machine = f"{processor()}, {os.cpu_count()} cores"
    print(f"{machine}; faiss {faiss.__version__}, numpy {np.__version__}; {len(training):,} vectors "
          f"to train on, {len(held_out):,} held out; {time.perf_counter() - start:.0f} s\n")
    print(table(rows), "\n", "\n".join(verdicts), sep="\n")
    if given.json:
        with open(given.json, "w") as file:
            json.dump({"machine": machine, "faiss": faiss.__version__, "training": len(training),
                       "held_out": len(held_out), "resamples": RESAMPLES, "rows": rows,
                       "verdicts": verdicts}, file, indent=1)


if __name__ == "__main__":
    main()

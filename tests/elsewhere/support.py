"""The command, students of every kind, and the README's snippets, for the tests in this folder."""

import json
import math
import os
import pathlib
import re
import subprocess

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILT = (ROOT / os.environ.get("CARGO_TARGET_DIR", "target")).resolve() / "release"
README = (ROOT / "README.md").read_text(encoding="utf-8")

PLAIN = [384, 256, 192, 256, 384]
DEEP = [384, 300, 250, 96, 250, 300, 384]


def lnsp(*words):
    """Runs the command; what it prints."""
    words = [str(BUILT / "lnsp"), *map(str, words), "--quiet"]
    done = subprocess.run(words, capture_output=True, text=True, encoding="utf-8")
    if done.returncode:
        raise AssertionError(f"{' '.join(words)}: {done.stderr}")
    return done.stdout


def held_out(rows):
    """The first rows of the bundled held-out vectors, in f32."""
    file = ROOT / "data/vectors_heldout_3k.safetensors"
    return load_file(file)["vectors"][:rows].astype(np.float32)


def layer_names(widths):
    """The note's names of the linear layers, for a single narrowest inner width."""
    latent, last = widths.index(min(widths[1:-1])), len(widths) - 1
    encoder = ["input_proj", *(f"encoder_{i}" for i in range(1, latent))][: latent - 1]
    decoder = ["expansion", *(f"decoder_{i}" for i in range(1, last))][: last - latent - 1]
    return [*encoder, "compression", *decoder, "teacher_align"]


def state_dict(widths, variant="plain", seed=727):
    """A random student under the names of PyTorch modules."""
    generator = np.random.default_rng(seed)
    tensors = {}

    def linear(name, outputs, inputs):
        bound = 2 * inputs**-0.5
        weight = generator.uniform(-bound, bound, (outputs, inputs))
        tensors[f"{name}.weight"] = weight.astype(np.float32)
        tensors[f"{name}.bias"] = generator.uniform(-1, 1, outputs).astype(np.float32)

    def norm(name, width):
        tensors[f"{name}.weight"] = generator.uniform(0.5, 1.5, width).astype(np.float32)
        tensors[f"{name}.bias"] = generator.uniform(-0.5, 0.5, width).astype(np.float32)

    for layer, name in enumerate(layer_names(widths)):
        if variant == "sn727":
            norm(f"{name}_norm", widths[layer])
        linear(name, widths[layer + 1], widths[layer])
    if variant == "sn727":
        latent = min(widths)
        norm("output_norm", widths[-1])
        linear("attention.qkv", 3 * latent, latent)
        linear("attention.out", latent, latent)
        linear("alignment_head", widths[-1], widths[1])
    return tensors


def exact(student, vectors, folder):
    """Latents and reconstructions in f64 by plain formulas, the attention with its softmax."""
    plain = folder / "exact.safetensors"
    lnsp("export", "--student", student, "--format", "safetensors", "--dtype", "f32", "--out", plain)
    p = {name: tensor.astype(np.float64) for name, tensor in load_file(plain).items()}
    with safe_open(plain, "np") as file:
        arch = json.loads(file.metadata()["lnsp"])["arch"]
    erf = np.vectorize(math.erf)
    gelu = lambda x: 0.5 * x * (1 + erf(x / math.sqrt(2)))
    act = gelu if arch["activation"] == "gelu" else lambda x: np.maximum(x, 0)
    linear = lambda name, x: x @ p[f"{name}.weight"].T + p[f"{name}.bias"]

    def norm(name, x):
        if arch["variant"] != "sn727":
            return x
        x = x - x.mean(1, keepdims=True)
        x = x / np.sqrt((x**2).mean(1, keepdims=True) + 1e-5)
        return x * p[f"{name}.weight"] + p[f"{name}.bias"]

    def attend(x):
        q, k, v = np.split(linear("attention.qkv", x), 3, axis=1)
        heads = lambda m: m.reshape(len(m), 3, -1)
        scores = (heads(q) * heads(k)).sum(2, keepdims=True) / math.sqrt(x.shape[1] / 3)
        # A softmax over the one token there is.
        share = np.exp(scores - scores) / np.exp(scores - scores)
        return x + linear("attention.out", (share * heads(v)).reshape(x.shape))

    x, latents = vectors.astype(np.float64), None
    names = layer_names(arch["widths"])
    for name in names:
        x = linear(name, norm(f"{name}_norm", x))
        if name == "compression":
            latents = x = attend(x) if arch["variant"] == "sn727" else x
        elif name != names[-1]:
            x = act(x)
    return latents, norm("output_norm", x)


def imported(folder, name, widths, *flags, variant="plain"):
    """A random student's file, made by `lnsp import`."""
    source, student = folder / f"{name}-dict.safetensors", folder / f"{name}.safetensors"
    save_file(state_dict(widths, variant), source)
    lnsp("import", "--in", source, "--out", student, *flags)
    return student


def at_precision(student, dtype, to):
    """The student stored at `dtype`, or its own file if that is smaller already."""
    try:
        lnsp("quantize", "--in", student, "--precision", dtype, "--out", to)
        return to
    except AssertionError:
        return student


def both_ends(student, vectors, folder):
    """Latents and reconstructions of vectors by the command."""
    np.save(folder / "v.npy", vectors)
    use = ["--student", student, "--device", "cpu"]
    lnsp("encode", *use, "--in", folder / "v.npy", "--out", folder / "z.npy")
    lnsp("decode", *use, "--in", folder / "z.npy", "--out", folder / "y.npy")
    return np.load(folder / "z.npy"), np.load(folder / "y.npy")


def snippet(language, mark):
    """The README's code block in a language that holds `mark`."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", README, re.M | re.S)
    found = [block for block in blocks if mark in block]
    if len(found) != 1:
        raise AssertionError(f"{len(found)} snippets of {language} with {mark} in README.md")
    return found[0]

"""The codes of a vector that codes.py measures ours against: those of faiss, and a few lines of
numpy for what faiss has not.

Every code goes through its bytes: `encode` gives n x bytes, and neighbours are found from them
alone. Queries stay in f32.
"""

import math
import statistics
import time

import faiss
import numpy as np
from threadpoolctl import threadpool_limits

from neighbours import top, unit

WIDTH = 384
SEED = 1
ENCODINGS = 5


class Code:
    """A code of vectors. A subclass has `fit`, `encode` and `decode`, and says in `model_bytes`
    what both need to know."""

    def __init__(self, name, size, note=""):
        # `size`: bytes of the class of codes that it is compared in, not always its own.
        self.name, self.size, self.note = name, size, note

    def train(self, vectors):
        """Seconds of `fit`, on all cores."""
        start = time.perf_counter()
        self.fit(vectors)
        return time.perf_counter() - start

    def timed(self, vectors):
        """The codes of `vectors` and the seconds that took on one thread, median of five."""
        seconds = []
        with threadpool_limits(1):
            for _ in range(ENCODINGS):
                start = time.perf_counter()
                codes = self.encode(vectors)
                seconds.append(time.perf_counter() - start)
        return codes, statistics.median(seconds)

    def neighbours(self, queries, codes, k):
        """The `k` nearest of each query by each score that makes sense, itself excluded: by the
        cosine with what the code decodes to, and by the inner product, as faiss scores."""
        documents = self.decode(codes)
        return {
            "cosine": top(queries @ unit(documents).T, k),
            "inner product": top(queries @ documents.T, k),
        }


class Faiss(Code):
    """A code that faiss has an index for, by the name of its index factory."""

    def __init__(self, name, size, factory, model_bytes, note="", iterations=None):
        super().__init__(name, size, note)
        self.index = faiss.index_factory(WIDTH, factory)
        self.model_bytes = model_bytes
        if iterations:
            # Of what OPQ does in turn, a step for the rotation and four of k-means, and of
            # k-means before the first.
            rotation = faiss.downcast_VectorTransform(self.index.chain.at(0))
            rotation.niter, rotation.niter_pq_0 = iterations, min(40, iterations)

    def fit(self, vectors):
        self.index.train(vectors)

    def encode(self, vectors):
        return self.index.sa_encode(vectors)

    def decode(self, codes):
        return self.index.sa_decode(codes)


class Residual(Faiss):
    """A codebook of 256 whole vectors for each byte, each for what those before it leave over;
    several ways to go on (the beam) are kept while encoding, and while training, whose time grows
    with them."""

    BEAM = 5

    def __init__(self, size, training_beam):
        super().__init__(f"faiss RQ {size}x8", size, f"RQ{size}x8", size * 256 * 4 * WIDTH,
                         f"beam {self.BEAM}, {training_beam} in training")
        self.training_beam = training_beam

    def fit(self, vectors):
        self.index.rq.max_beam_size = self.training_beam
        super().fit(vectors)
        self.index.rq.max_beam_size = self.BEAM


def rotation(width):
    """A random orthogonal matrix."""
    gaussian = np.random.default_rng(SEED).standard_normal((width, width))
    return np.linalg.qr(gaussian)[0].astype(np.float32)


def components(vectors):
    """Uncentred principal components, the largest first, in columns."""
    moments = vectors.T.astype(np.float64) @ vectors
    return np.linalg.eigh(moments)[1][:, ::-1].astype(np.float32)


class RaBitQ(Code):
    """faiss's RaBitQ over the first `kept` uncentred principal components, rotated at random.
    Scored by its own estimate of the inner product, queries not quantised."""

    def __init__(self, size, bits, kept=WIDTH):
        before = f"PCA-{kept} + " if kept < WIDTH else ""
        super().__init__(f"{before}RaBitQ, {bits} bit", size)
        self.kept = kept
        self.index = faiss.IndexRaBitQ(kept, faiss.METRIC_INNER_PRODUCT, bits)
        self.index.qb = 0
        self.model_bytes = 4 * (WIDTH * kept + kept)

    def fit(self, vectors):
        first = components(vectors)[:, : self.kept] if self.kept < WIDTH else np.eye(WIDTH)
        self.basis = (first @ rotation(self.kept)).astype(np.float32)
        self.index.train(vectors @ self.basis)

    def encode(self, vectors):
        return self.index.sa_encode(vectors @ self.basis)

    def neighbours(self, queries, codes, k):
        self.index.reset()
        self.index.add_sa_codes(codes)
        found = self.index.search(queries @ self.basis, k + 1)[1]
        # The vector itself is among the k + 1 nearly always; where it is not, the last goes.
        own = found == np.arange(len(found))[:, None]
        own[~own.any(axis=1), k] = True
        return {"inner product": found[~own].reshape(len(found), k)}


class Int8:
    """A byte for each coordinate, scaled by its largest magnitude in the training set."""

    def fit(self, values):
        largest = np.abs(values).max(axis=0)
        self.steps = np.where(largest > 0.0, largest / 127.0, 1.0).astype(np.float32)

    def encode(self, values):
        return np.clip(np.rint(values / self.steps), -127, 127).astype(np.int8).view(np.uint8)

    def decode(self, codes):
        return codes.view(np.int8) * self.steps


class PcaInt8(Code):
    """The first principal components in int8."""

    def __init__(self, size):
        super().__init__(f"PCA-{size}, uncentred, int8", size)
        self.model_bytes = 4 * (WIDTH * size + size)

    def fit(self, vectors):
        self.basis = components(vectors)[:, : self.size]
        self.levels = Int8()
        self.levels.fit(vectors @ self.basis)

    def encode(self, vectors):
        return self.levels.encode(vectors @ self.basis)

    def decode(self, codes):
        return self.levels.decode(codes) @ self.basis.T


class Sign(Code):
    """The sign of each coordinate, centred and rotated at random."""

    model_bytes = 4 * (WIDTH * WIDTH + 2 * WIDTH)

    def __init__(self, size):
        super().__init__("binary, rotated, query in f32", size)

    def fit(self, vectors):
        self.mean = vectors.mean(axis=0)
        self.basis = rotation(WIDTH)
        self.scales = np.abs((vectors - self.mean) @ self.basis).mean(axis=0)

    def encode(self, vectors):
        return np.packbits((vectors - self.mean) @ self.basis > 0.0, axis=1)

    def signs(self, codes):
        return np.unpackbits(codes, axis=1).astype(np.float32) * 2.0 - 1.0

    def decode(self, codes):
        return self.mean + (self.signs(codes) * self.scales) @ self.basis.T


class Hamming(Sign):
    """Signs against signs by Hamming distance; with `candidates`, so many of them scored again by
    the cosine of the query with vectors in int8, which are stored beside the signs."""

    def __init__(self, size, candidates=0):
        super().__init__(size)
        self.candidates = candidates
        self.name = "binary, rotated, Hamming distance"
        if candidates:
            self.name = f"binary, {candidates} candidates rescored with int8"
            self.model_bytes += 4 * WIDTH

    def fit(self, vectors):
        super().fit(vectors)
        self.levels = Int8()
        self.levels.fit(vectors)

    def encode(self, vectors):
        signs = super().encode(vectors)
        return np.hstack([signs, self.levels.encode(vectors)]) if self.candidates else signs

    def neighbours(self, queries, codes, k):
        n, stored = len(codes), self.signs(codes[:, : WIDTH // 8])
        asked = self.signs(super().encode(queries))
        # Of equal distances, the vector that comes first: distances are whole and even.
        scores = (asked @ stored.T).astype(np.float64) - np.arange(n) / n
        if not self.candidates:
            return {"Hamming": top(scores, k)}
        likely = top(scores, self.candidates)
        documents = unit(self.levels.decode(np.ascontiguousarray(codes[:, WIDTH // 8 :])))
        again = np.einsum("nd,ncd->nc", queries, documents[likely])
        best = np.argpartition(-again, k - 1, axis=1)[:, :k]
        return {"cosine": np.take_along_axis(likely, best, axis=1)}


def lloyd_max(bits, rounds=4000):
    """Levels of a unit Gaussian with the least squared error, ascending, and that error."""
    count = 1 << bits
    # Many levels are best spaced as the quantiles of a Gaussian three times as wide (in variance).
    wide = statistics.NormalDist(0.0, math.sqrt(3.0))
    levels = np.array([wide.inv_cdf((i + 0.5) / count) for i in range(count)])
    density = lambda x: np.exp(-x * x / 2.0) / math.sqrt(2.0 * math.pi)
    below = lambda x: 0.5 * np.array([1.0 + math.erf(v / math.sqrt(2.0)) for v in x])
    for _ in range(rounds):
        edges = np.concatenate([[-40.0], (levels[1:] + levels[:-1]) / 2.0, [40.0]])
        mass = np.diff(below(edges))
        moved = -np.diff(density(edges)) / mass
        still = np.abs(moved - levels).max() < 1e-7
        levels = moved
        if still:
            break
    return levels, 1.0 - float((levels**2 * mass).sum())


class TransformCoding(Code):
    """Uncentred PCA, bits to the coordinate whose next bit removes most error, Lloyd-Max levels of
    a Gaussian."""

    MOST = 8

    def __init__(self, size):
        super().__init__("PCA transform coding (numpy)", size)
        self.model_bytes = 4 * (WIDTH * WIDTH + 2 * WIDTH) + WIDTH

    def fit(self, vectors):
        self.basis = components(vectors)
        latents = vectors @ self.basis
        self.means, self.deviations = latents.mean(axis=0), latents.std(axis=0)
        self.deviations[self.deviations < 1e-12] = 0.0
        found = [lloyd_max(bits) for bits in range(self.MOST + 1)]
        self.levels = [levels.astype(np.float32) for levels, _ in found]
        removed = np.array([a[1] - b[1] for a, b in zip(found, found[1:])] + [-1.0])
        self.bits = np.zeros(WIDTH, int)
        for _ in range(8 * self.size):
            self.bits[np.argmax(self.deviations.astype(float) ** 2 * removed[self.bits])] += 1

    def groups(self):
        """Of each number of bits: its coordinates, and where their bits are in a row of bits."""
        start = 0
        for bits in range(1, self.MOST + 1):
            at = np.flatnonzero(self.bits == bits)
            yield bits, at, slice(start, start + bits * len(at))
            start += bits * len(at)

    def encode(self, vectors):
        scaled = vectors @ self.basis - self.means
        np.divide(scaled, self.deviations, out=scaled, where=self.deviations > 0.0)
        row = np.empty((len(vectors), 8 * self.size), np.uint8)
        for bits, at, where in self.groups():
            edges = (self.levels[bits][1:] + self.levels[bits][:-1]) / 2.0
            chosen = np.searchsorted(edges, scaled[:, at])
            digits = chosen[:, :, None] >> np.arange(bits) & 1
            row[:, where] = digits.reshape(len(vectors), -1)
        return np.packbits(row, axis=1)

    def decode(self, codes):
        row = np.unpackbits(codes, axis=1)
        latents = np.tile(self.means, (len(codes), 1))
        for bits, at, where in self.groups():
            digits = row[:, where].reshape(len(codes), len(at), bits)
            chosen = (digits.astype(int) << np.arange(bits)).sum(axis=2)
            latents[:, at] += self.deviations[at] * self.levels[bits][chosen]
        return latents @ self.basis.T


def rivals(size, opq_iterations):
    """All codes that are compared at `size` bytes a vector: 192, 96, 48 or 24."""
    # "np": without the search for an order of the centroids by which faiss can compare codes as
    # bits. It changes no distance and takes most of the training.
    floats, square = 4 * WIDTH, 4 * WIDTH * WIDTH
    codebook = 256 * floats
    iterations = opq_iterations[size]
    codes = [
        Faiss(f"faiss PQ {size}x8", size, f"PQ{size}x8np", codebook),
        Faiss(f"faiss OPQ + PQ {size}x8", size, f"OPQ{size},PQ{size}x8np", codebook + square,
              f"{iterations} rounds of OPQ", iterations),
        TransformCoding(size),
    ]
    if size == 192:
        codes += [
            Faiss("faiss SQ4", size, "SQ4", 2 * floats),
            Faiss("faiss rotated SQ, TurboQuant 4 bit", size, "RR384,SQtqmse4", square),
            PcaInt8(size),
            RaBitQ(size, 4, 344),
            RaBitQ(size, 4),
        ]
    if size == 96:
        codes += [
            Faiss("faiss rotated SQ, TurboQuant 2 bit", size, "RR384,SQtqmse2", square),
            RaBitQ(size, 2, 304),
            RaBitQ(size, 2),
        ]
    if size == 48:
        codes += [
            Faiss("faiss rotated SQ, TurboQuant 1 bit", size, "RR384,SQtqmse1", square),
            RaBitQ(size, 1, 320),
            RaBitQ(size, 1),
            Residual(size, training_beam=1),
            Sign(size),
            Hamming(size),
            Hamming(size, 40),
        ]
    if size == 24:
        codes += [
            Residual(size, training_beam=5),
            RaBitQ(size, 1, 128),
        ]
    return codes

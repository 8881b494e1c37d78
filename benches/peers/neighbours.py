"""The measure of codes.py: how many of the ten nearest neighbours a code keeps."""

import numpy as np


def top(scores, k):
    """For each row of `scores` (n x n) the indices of its `k` best, itself excluded; in no order.
    Overwrites the diagonal."""
    np.fill_diagonal(scores, -np.inf)
    return np.argpartition(-scores, k - 1, axis=1)[:, :k]


def unit(x):
    """The rows of `x` with length 1; a row of zeros stays."""
    norms = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(norms > 0.0, norms, 1.0)


def overlaps(found, true):
    """For each row, the share of `true` (n x k indices) that is in `found` (n x k)."""
    shared = (found[:, :, None] == true[:, None, :]).any(axis=1)
    return shared.mean(axis=1)


class Bootstrap:
    """Percentile intervals of means over vectors. All of one object use the same resamples."""

    def __init__(self, count, resamples, seed):
        self.draws = np.random.default_rng(seed).integers(0, count, (resamples, count))

    def interval(self, values):
        """Mean of `values` and the bounds of its 95 % interval."""
        means = values[self.draws].mean(axis=1)
        low, high = np.percentile(means, [2.5, 97.5])
        return {"mean": float(values.mean()), "low": float(low), "high": float(high)}

"""Checks of the measure and of the codes in numpy, which run.sh codes begins with."""

import unittest

import numpy as np

from neighbours import Bootstrap, overlaps, top, unit
from rivals import Hamming, Int8, Sign, TransformCoding, lloyd_max


def vectors(count, seed=3):
    """Unit vectors whose coordinates differ much in spread, one of them always zero."""
    drawn = np.random.default_rng(seed).standard_normal((count, 384)).astype(np.float32)
    drawn *= 0.99 ** np.arange(384, dtype=np.float32)
    drawn[:, 7] = 0.0
    return unit(drawn)


class Measure(unittest.TestCase):
    def test_overlap_is_that_of_brute_force(self):
        exact = vectors(40)
        rough = np.round(exact, 1)
        found, true = top(exact @ unit(rough).T, 10), top(exact @ exact.T, 10)
        for row, overlap in enumerate(overlaps(found, true)):
            def nearest(documents):
                scored = [(-exact[row] @ d / max(np.linalg.norm(d), 1e-9), i)
                          for i, d in enumerate(documents) if i != row]
                return {i for _, i in sorted(scored)[:10]}
            kept = len(nearest(exact) & nearest(rough)) / 10
            self.assertAlmostEqual(overlap, kept)
        self.assertLess(overlaps(found, true).mean(), 1.0)

    def test_overlap_of_sets_by_hand(self):
        found, true = np.array([[1, 2, 3], [4, 5, 6]]), np.array([[3, 1, 9], [7, 8, 9]])
        np.testing.assert_allclose(overlaps(found, true), [2 / 3, 0.0])

    def test_interval_of_a_mean(self):
        values = np.random.default_rng(5).standard_normal(3000) + 1.0
        interval = Bootstrap(3000, 1000, seed=0).interval(values)
        error = values.std() / 3000**0.5
        self.assertAlmostEqual(interval["low"], values.mean() - 1.96 * error, delta=0.2 * error)
        self.assertAlmostEqual(interval["high"], values.mean() + 1.96 * error, delta=0.2 * error)


class Codes(unittest.TestCase):
    def test_lloyd_max_levels_of_the_literature(self):
        levels, error = lloyd_max(2)
        np.testing.assert_allclose(levels, [-1.510, -0.4528, 0.4528, 1.510], atol=5e-4)
        self.assertAlmostEqual(error, 0.1175, delta=5e-5)
        self.assertAlmostEqual(lloyd_max(1)[1], 1.0 - 2.0 / np.pi, places=9)
        self.assertEqual(lloyd_max(0)[1], 1.0)

    def test_transform_coding_goes_through_its_bytes(self):
        x = vectors(600)
        errors = []
        for size in (24, 96):
            code = TransformCoding(size)
            code.fit(x)
            self.assertEqual(code.bits.sum(), 8 * size)
            codes = code.encode(x)
            self.assertEqual((codes.shape, codes.dtype), ((600, size), np.uint8))
            # Against each coordinate by itself: the nearest of its levels.
            scaled = x @ code.basis
            latents = np.empty_like(scaled)
            for i, bits in enumerate(code.bits):
                levels = code.means[i] + code.deviations[i] * code.levels[bits]
                nearest = np.abs(scaled[:, i, None] - levels).argmin(axis=1)
                latents[:, i] = levels[nearest]
            np.testing.assert_allclose(code.decode(codes), latents @ code.basis.T, atol=1e-5)
            errors.append(((code.decode(codes) - x) ** 2).sum(axis=1).mean())
        self.assertLess(errors[1], errors[0] / 3)

    def test_signs_and_int8(self):
        x = vectors(200)
        code = Sign(48)
        code.fit(x)
        signs = code.signs(code.encode(x))
        np.testing.assert_array_equal(signs > 0, (x - code.mean) @ code.basis > 0)
        self.assertEqual(code.encode(x).shape, (200, 48))
        levels = Int8()
        levels.fit(x)
        self.assertLessEqual(np.abs(levels.decode(levels.encode(x)) - x).max(),
                             levels.steps.max() * 0.51)

    def test_rescoring_all_candidates_is_int8_alone(self):
        x = vectors(60)
        code = Hamming(48, candidates=59)
        code.fit(x)
        codes = code.encode(x)
        self.assertEqual(codes.shape, (60, 48 + 384))
        alone = top(x @ unit(code.levels.decode(code.levels.encode(x))).T, 10)
        found = code.neighbours(x, codes, 10)["cosine"]
        np.testing.assert_array_equal(np.sort(found), np.sort(alone))


if __name__ == "__main__":
    unittest.main()

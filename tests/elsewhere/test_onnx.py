"""Exported ONNX models in ONNX Runtime, held against formulas in f64 and against the command."""

import pathlib
import tempfile
import unittest

import numpy as np
import onnx
import onnxruntime
from support import DEEP, PLAIN, ROOT, at_precision, both_ends, exact, held_out, imported, lnsp

TOLERANCE = 1e-5
DTYPES = ["f32", "f16", "int8"]


def session(path):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 2
    providers = ["CPUExecutionProvider"]
    return onnxruntime.InferenceSession(str(path), options, providers=providers)


class Onnx(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.temporary.name)
        cls.students = {
            "shipped-int8": ROOT / "www/students/default-256.safetensors",
            "shipped-f16": ROOT / "www/students/student-512.safetensors",
            "plain": imported(cls.folder, "plain", PLAIN),
            "deep": imported(cls.folder, "deep", DEEP, "--activation", "relu"),
            "sn727": imported(cls.folder, "sn727", PLAIN, variant="sn727"),
        }
        cls.vectors = held_out(200)

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def export(self, student, *flags):
        to = self.folder / "student.onnx"
        lnsp("export", "--student", student, "--format", "onnx", "--out", to, *flags)
        return to

    def close(self, got, wanted):
        self.assertEqual(got.shape, wanted.shape)
        worst = np.abs(got - wanted).max()
        self.assertLessEqual(worst, TOLERANCE)
        return worst

    def agrees(self, name, dtype, *, both=True):
        """ONNX Runtime within the tolerance of the exact values, for batches of any size, and of
        what the command gives, the reconstruction only if `both`."""
        student = self.students[name]
        stored = at_precision(student, dtype, self.folder / "stored.safetensors")
        wanted = exact(stored, self.vectors, self.folder)
        given = both_ends(stored, self.vectors, self.folder)
        run = session(self.export(stored, "--dtype", dtype)).run
        apart = []
        for rows in [200, 1, 7]:
            got = run(["latent", "reconstruction"], {"vectors": self.vectors[:rows]})
            for end, values in enumerate(got):
                self.close(values, wanted[end][:rows])
                if end == 0 or both:
                    apart.append(self.close(values, given[end][:rows]))
        print(f"{name} {dtype}: {max(apart):.1e} from the command at most", flush=True)

    def test_plain(self):
        for dtype in DTYPES:
            self.agrees("plain", dtype)

    def test_sn727(self):
        for dtype in DTYPES:
            self.agrees("sn727", dtype)

    def test_more_layers_and_relu(self):
        for dtype in DTYPES:
            self.agrees("deep", dtype)

    def test_shipped_students_at_their_own_precision(self):
        self.agrees("shipped-f16", "f16")
        # Its units are shifted by 5, so that f32 itself is off by nearly the tolerance in what they
        # add up to: both sides are, in their own ways.
        self.agrees("shipped-int8", "int8", both=False)

    def test_smaller_weights_can_be_stored_wider(self):
        student = self.students["shipped-int8"]
        latents, _ = both_ends(student, self.vectors, self.folder)
        z, _ = session(self.export(student, "--dtype", "f32")).run(None, {"vectors": self.vectors})
        self.close(z, latents)

    def test_halves_make_the_whole(self):
        for name in ["plain", "sn727", "deep"]:
            student = self.students[name]
            whole = session(self.export(student))
            z, y = whole.run(None, {"vectors": self.vectors})
            encoder = session(self.export(student, "--part", "encoder"))
            (latents,) = encoder.run(None, {"vectors": self.vectors})
            decoder = session(self.export(student, "--part", "decoder"))
            (outputs,) = decoder.run(None, {"latent": latents})
            self.close(latents, z)
            self.close(outputs, y)

    def test_models_are_sound_and_described(self):
        for name, student in self.students.items():
            for dtype in DTYPES:
                model = onnx.load(str(self.export(student, "--dtype", dtype)))
                onnx.checker.check_model(model, full_check=True)
                self.assertEqual([(o.domain, o.version) for o in model.opset_import], [("", 17)])
                about = {entry.key: entry.value for entry in model.metadata_props}
                self.assertEqual(about["precision"], dtype)
                self.assertEqual(about["variant"], "sn727" if name == "sn727" else "plain")
                self.assertEqual(about["teacher"], "sentence-transformers/all-MiniLM-L6-v2")
                self.assertIn("training_set", about)
                widths = [384, *model.graph.output[0].type.tensor_type.shape.dim]
                self.assertEqual(widths[1].dim_param, "batch")
                self.assertIn(f"-{widths[2].dim_value}-", about["arch"])

    def test_smaller_types_make_smaller_files(self):
        sizes = [
            self.export(self.students["plain"], "--dtype", dtype).stat().st_size
            for dtype in DTYPES
        ]
        self.assertLess(sizes[1], 0.52 * sizes[0])
        self.assertLess(sizes[2], 0.27 * sizes[0])


if __name__ == "__main__":
    unittest.main()

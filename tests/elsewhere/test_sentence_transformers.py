"""Exported folders in the real sentence-transformers, held against the command on the same texts.

LNSP_TEACHER_DIR names the teacher's folder, else it is in the cache."""

import os
import pathlib
import tempfile
import unittest

import numpy as np

# A folder that is whole asks nothing of a hub.
os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_PROGRESS_BARS="1", TQDM_DISABLE="1")
import sentence_transformers
from support import DEEP, ROOT, imported, lnsp, snippet

# Two implementations of the teacher in f32 differ by some 1e-6 before the student sees it.
TOLERANCE = 1e-5


def teacher():
    folder = os.environ.get("LNSP_TEACHER_DIR")
    return ["--teacher", folder] if folder else []


class SentenceTransformers(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.addCleanup(self.temporary.cleanup)
        self.folder = pathlib.Path(self.temporary.name)
        lines = (ROOT / "data/teacher_reference.txt").read_text(encoding="utf-8").splitlines()
        # Two texts that are cut among them.
        self.texts = [*lines[:40], " ".join(lines[:20]), " ".join(lines[20:60])]
        (self.folder / "texts.txt").write_text("\n".join(self.texts) + "\n", encoding="utf-8")

    def agrees(self, student, *flags, tokens=256):
        out = self.folder / "folder"
        use = ["--student", student, "--max-tokens", tokens]
        form = ["--format", "sentence-transformers", "--out", out, *flags]
        lnsp("export", *use, *form, *teacher())
        model = sentence_transformers.SentenceTransformer(str(out), device="cpu")
        got = model.encode(self.texts)
        wanted = self.folder / "z.npy"
        texts = ["--text", self.folder / "texts.txt", "--device", "cpu"]
        lnsp("encode", *use, *texts, "--out", wanted, *teacher())
        if "both" in flags:
            back = self.folder / "y.npy"
            use = ["--student", student, "--device", "cpu"]
            lnsp("decode", *use, "--in", wanted, "--out", back)
            wanted = back
        wanted = np.load(wanted)
        self.assertEqual(got.shape, wanted.shape)
        worst = np.abs(got - wanted).max()
        print(f"{pathlib.Path(student).stem} {flags}: {worst:.1e} at most", flush=True)
        self.assertLessEqual(worst, TOLERANCE)
        return model

    def test_latents(self):
        model = self.agrees(ROOT / "www/students/default-256.safetensors")
        self.assertEqual(model.max_seq_length, 256)

    def test_reconstruction(self):
        self.agrees(ROOT / "www/students/student-512.safetensors", "--part", "both")

    def test_texts_are_cut_where_asked(self):
        model = self.agrees(ROOT / "www/students/default-256.safetensors", tokens=24)
        self.assertEqual(model.max_seq_length, 24)

    def test_more_layers_and_relu(self):
        self.agrees(imported(self.folder, "deep", DEEP, "--activation", "relu"))

    def test_the_readme(self):
        student = ROOT / "www/students/default-256.safetensors"
        form = ["--format", "sentence-transformers", "--out", self.folder / "minilm-192"]
        lnsp("export", "--student", student, *form, *teacher())
        before = os.getcwd()
        os.chdir(self.folder)
        self.addCleanup(os.chdir, before)
        names = {}
        exec(compile(snippet("python", "SentenceTransformer"), "README.md", "exec"), names)
        self.assertEqual(names["latents"].shape, (2, 192))


if __name__ == "__main__":
    unittest.main()

"""The README's snippets, run as they stand beside an exported student."""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

import numpy as np
from support import BUILT, PLAIN, ROOT, both_ends, held_out, imported, lnsp, snippet

TOLERANCE = 1e-5


class Snippets(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.addCleanup(self.temporary.cleanup)
        self.folder = pathlib.Path(self.temporary.name)
        self.vectors = held_out(5)
        np.save(self.folder / "vectors.npy", self.vectors)

    def student(self, source):
        """Puts a student and its exports where the snippets look; its latents and outputs."""
        student = self.folder / "student.safetensors"
        student.write_bytes(source.read_bytes())
        for form, out in [("onnx", "student.onnx"), ("web", "web")]:
            lnsp("export", "--student", student, "--format", form, "--out", self.folder / out)
        return both_ends(student, self.vectors, self.folder)

    def close(self, got, wanted):
        got = np.asarray(got, dtype=np.float32)
        self.assertEqual(got.shape, wanted.shape)
        self.assertLessEqual(np.abs(got - wanted).max(), TOLERANCE)

    def run_program(self, *words):
        done = subprocess.run(words, cwd=self.folder, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_python(self):
        latents, outputs = self.student(ROOT / "www/students/default-256.safetensors")
        code = compile(snippet("python", "onnxruntime"), "README.md", "exec")
        before = os.getcwd()
        os.chdir(self.folder)
        self.addCleanup(os.chdir, before)
        names = {}
        exec(code, names)
        self.close(names["latents"], latents)
        self.close(names["reconstructions"], outputs)

    def test_rust(self):
        latents, _ = self.student(ROOT / "www/students/default-256.safetensors")
        printed = self.run_program(str(BUILT / "examples" / "encode"))
        self.close(json.loads(printed), latents[0])

    def test_javascript(self):
        latents, _ = self.student(ROOT / "www/students/student-512.safetensors")
        module = self.folder / "snippet.mjs"
        module.write_text(
            f"{snippet('js', 'student.mjs')}\nconsole.log(JSON.stringify([...latent]));\n"
        )
        values = [float(v) for v in self.vectors[0]]
        (self.folder / "vector.json").write_text(json.dumps(values))
        self.close(json.loads(self.run_program("node", "snippet.mjs")), latents[0])

    def test_the_javascript_module_runs_every_student(self):
        """All variants and precisions, both halves, against the command."""
        sources = [
            imported(self.folder, "a", PLAIN),
            imported(self.folder, "b", [384, 300, 250, 96, 250, 300, 384], "--activation", "relu"),
            imported(self.folder, "c", [384, 100, 384]),
            imported(self.folder, "d", PLAIN, "--dtype", "f16", variant="sn727"),
            imported(self.folder, "e", PLAIN, "--dtype", "int8"),
            ROOT / "www/students/default-256.safetensors",
        ]
        program = """
            import { readFileSync as read } from "node:fs";
            import { Student } from "./web/student.mjs";
            const bytes = read("web/student.safetensors").toString("base64");
            const student = await Student.load(`data:application/octet-stream;base64,${bytes}`);
            const all = JSON.parse(read("vectors.json")).map((v) => student.encode(v));
            const back = all.map((z) => [...student.decode(z)]);
            console.log(JSON.stringify([all.map((z) => [...z]), back]));
        """
        (self.folder / "all.mjs").write_text(program)
        rows = [[float(v) for v in row] for row in self.vectors]
        (self.folder / "vectors.json").write_text(json.dumps(rows))
        for source in sources:
            latents, outputs = self.student(source)
            got = json.loads(self.run_program("node", "all.mjs"))
            self.close(got[0], latents)
            self.close(got[1], outputs)


if __name__ == "__main__":
    unittest.main()

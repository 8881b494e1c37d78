"""The plain student in PyTorch: its graph, the losses of a training step, and its ONNX file."""

import numpy as np
import torch
import torch.nn.functional as F

TEACHER = 384
LATENT = 192
ALIGN_WEIGHT = 1.0
GEOMETRY_WEIGHT = 1.0


class Student(torch.nn.Module):
    """384 -> S -> 192 -> S -> 384, exact gelu, the latent and the output linear."""

    def __init__(self, width):
        super().__init__()
        self.input_proj = torch.nn.Linear(TEACHER, width)
        self.compression = torch.nn.Linear(width, LATENT)
        self.expansion = torch.nn.Linear(LATENT, width)
        self.teacher_align = torch.nn.Linear(width, TEACHER)

    def forward(self, x):
        latent = self.compression(F.gelu(self.input_proj(x)))
        return self.teacher_align(F.gelu(self.expansion(latent))), latent


def loss(x, output, latent):
    """1 - cosine of output and target, and the mean squared difference between the cosines of all
    pairs of latents and those of their targets."""
    align = (1.0 - F.cosine_similarity(output, x)).mean()
    z, t = F.normalize(latent), F.normalize(x)
    return ALIGN_WEIGHT * align + GEOMETRY_WEIGHT * ((z @ z.T - t @ t.T) ** 2).mean()


def training_step(width, batch, kind):
    """A function that does one step on the next of a few batches: forward, losses, backward,
    clipping and AdamW of the implementation `kind`, "foreach" or "fused"."""
    torch.manual_seed(727)
    student = Student(width)
    matrices = [p for p in student.parameters() if p.dim() == 2]
    vectors = [p for p in student.parameters() if p.dim() == 1]
    groups = [
        {"params": matrices, "weight_decay": 0.01},
        {"params": vectors, "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, lr=1e-3, **{kind: True})
    batches = [F.normalize(torch.randn(batch, TEACHER)) for _ in range(8)]
    state = {"step": 0}

    def step():
        x = batches[state["step"] % len(batches)]
        state["step"] += 1
        optimiser.zero_grad(set_to_none=True)
        loss(x, *student(x)).backward()
        torch.nn.utils.clip_grad_norm_(student.parameters(), 1.0, foreach=True)
        optimiser.step()

    return step


def onnx_bytes(width):
    """The student as an ONNX model of Gemm and Gelu nodes, with random weights."""
    from onnx import TensorProto, helper, numpy_helper

    generator = np.random.default_rng(727)
    widths = [TEACHER, width, LATENT, width, TEACHER]
    names = ["input_proj", "compression", "expansion", "teacher_align"]
    nodes, weights, value = [], [], "x"
    for layer, name in enumerate(names):
        rows, cols = widths[layer + 1], widths[layer]
        weight = (generator.standard_normal((rows, cols)) / cols**0.5).astype(np.float32)
        bias = np.zeros(rows, np.float32)
        weights.append(numpy_helper.from_array(weight, f"{name}.weight"))
        weights.append(numpy_helper.from_array(bias, f"{name}.bias"))
        inputs = [value, f"{name}.weight", f"{name}.bias"]
        value = "y" if name == "teacher_align" else name
        nodes.append(helper.make_node("Gemm", inputs, [value], transB=1))
        if name in ("input_proj", "expansion"):
            nodes.append(helper.make_node("Gelu", [value], [f"{value}.gelu"]))
            value = f"{value}.gelu"

    def tensor(name):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", TEACHER])

    graph = helper.make_graph(nodes, "student", [tensor("x")], [tensor("y")], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])
    model.ir_version = 10
    return model.SerializeToString()

"""The compiled loss: two regions without a break, the same numbers, and a way on without it.

Compiling runs in processes of their own: the tests' type checks and warnings would be traced too.
"""

import subprocess
import sys
from pathlib import Path

import pytest

SETUP = """
import sys, torch
from dataclasses import replace
from pathlib import Path

import pytest
from torch._dynamo.backends.common import aot_autograd
from functorch.compile import nop
from monet.config import LossConfig, ModelConfig, TrainConfig
from monet.training.mean_loss import MeanLoss
from monet.model import Monet

graphs = []
def count(graph, inputs):
    graphs.append(graph)
    return aot_autograd(fw_compiler=nop)(graph, inputs)

MODEL = ModelConfig(image_size=16, num_slots=5, latent_dim=4, encoder_channels=(8, 8),
                    decoder_channels=(8, 8), unet_channels=(8, 8, 8), unet_hidden=(16,))
"""


def run(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", SETUP + code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.mark.slow
def test_no_graph_breaks_and_the_numbers_stay() -> None:
    done = run("""
torch.manual_seed(0)
model = Monet(MODEL)
image, noise = torch.rand(3, 3, 16, 16), torch.randn(3, 5, 4)
hard = torch.nn.functional.one_hot(torch.randint(5, (3, 16, 16)), 5).movedim(-1, 1).float().log()
for half in (False, True):
    graphs.clear()
    plain, compiled = (MeanLoss(model, LossConfig(), backend=b) for b in (None, count))
    for log_masks, weight in ((None, 0.0), (None, torch.tensor(0.5)), (hard, 0.0)):
        made = []
        for loss in (plain, compiled, compiled):
            model.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                means = loss(image, noise, log_masks, weight)
            means[0].backward()
            made.append([means.detach(), *(p.grad.clone() for p in model.parameters()
                                           if p.grad is not None)])
        for other in made[1:]:
            assert len(other) == len(made[0]) > 10
            for a, b in zip(made[0], other):
                torch.testing.assert_close(a, b, rtol=2e-2 if half else 1e-4,
                                           atol=(0.1 if half else 1e-3) * float(a.abs().max()))
    # The attention step with and without a gradient for the scope, and what follows, three ways.
    assert len(graphs) == 5, len(graphs)
print("held")
""")
    assert done.stdout == "held\n", done.stderr


def test_where_compiling_fails_steps_go_on_without(rooms_file: Path, tmp_path: Path) -> None:
    done = run(
        """
from monet.training.data import TrainingImages
from monet.training.learner import Learner
from monet.training.plain_step import PlainStep
from monet.training.processes import Ranks
from monet.training.whole_step import Form, WholeStep
from scenes.file.reader import SceneFile

def broken(graph, inputs):
    raise RuntimeError("no compiler")

config = TrainConfig(model=MODEL, data=Path(sys.argv[1]), steps=9, batch_size=8,
                     precision="float32")
learner, other = Learner(config, Ranks(), capturable=True), Learner(config, Ranks())
with SceneFile(config.data) as file:
    images = TrainingImages(file, 16, 8, 0, on_device=True)
    whole = WholeStep(learner, images, Form(broken, lambda step: step))
    plain = PlainStep(other, images)
    for _ in range(5):
        whole.make()
        plain.make()
    assert whole.form == Form(None, whole.form.capture)
    assert whole.terms() == plain.terms()
    for part in (whole, plain, images):
        part.close()
""",
        rooms_file,
    )
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("monet:")]
    assert line.startswith("monet: one CUDA graph a step, compiled failed (")
    assert "no compiler" in line
    assert line.endswith("); it goes on with one CUDA graph a step")

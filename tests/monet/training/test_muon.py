"""Muon: orthogonal steps for matrices, Adam's for the rest."""

import numpy as np
import pytest
import torch
from monet.training.muon import Muon, orthogonalise


@pytest.mark.parametrize("shape", [(8, 40), (40, 8), (16, 16)])
def test_singular_values_come_near_one_and_directions_stay(shape: tuple[int, int]) -> None:
    given = torch.from_numpy(np.random.default_rng(0).standard_normal((3, *shape)))
    made = orthogonalise(given)
    values = torch.linalg.svdvals(made)
    assert values.min() > 0.5
    assert values.max() < 1.3
    left, _, right = torch.linalg.svd(given, full_matrices=False)
    in_given_axes = left.mT @ made @ right.mT
    off_diagonal = in_given_axes - torch.diag_embed(in_given_axes.diagonal(dim1=1, dim2=2))
    assert off_diagonal.abs().max() < 1e-6


def test_a_matrix_moves_by_the_rate_whatever_the_gradients_size() -> None:
    for size in (1e-3, 1e3):
        weight = torch.nn.Parameter(torch.zeros(32, 16, 3, 3))
        weight.grad = size * torch.randn(weight.shape, generator=torch.Generator().manual_seed(0))
        Muon([weight], lr=1e-2).step()
        assert float(weight.detach().square().mean().sqrt()) == pytest.approx(1e-2, rel=0.3)


def test_biases_and_last_layers_move_as_adam_moves_them() -> None:
    generator = torch.Generator().manual_seed(0)
    shapes = [(7,), (4, 9), (1, 8, 1, 1)]
    ours = [torch.nn.Parameter(torch.ones(shape, dtype=torch.float64)) for shape in shapes]
    adams = [torch.nn.Parameter(p.detach().clone()) for p in ours]
    muon, adam = Muon(ours, lr=1e-2), torch.optim.Adam(adams, lr=1e-2)
    for _ in range(10):
        for mine, its in zip(ours, adams, strict=True):
            mine.grad = torch.randn(mine.shape, generator=generator, dtype=torch.float64)
            its.grad = mine.grad.clone()
        muon.step()
        adam.step()
    for mine, its in zip(ours, adams, strict=True):
        torch.testing.assert_close(mine, its)


def test_a_saved_state_goes_on_as_if_it_had_not_been_saved() -> None:
    gradients = torch.randn((6, 8, 12), generator=torch.Generator().manual_seed(1))

    def run(stop: int) -> torch.Tensor:
        weight = torch.nn.Parameter(torch.ones(8, 12))
        optimiser = Muon([weight], lr=1e-2)
        for index, gradient in enumerate(gradients):
            if index == stop:
                saved = optimiser.state_dict()
                optimiser = Muon([weight], lr=1e-2)
                optimiser.load_state_dict(saved)
            weight.grad = gradient.clone()
            optimiser.step()
        return weight.detach()

    assert torch.equal(run(3), run(-1))


def test_matrices_padded_into_batches_move_as_they_do_one_by_one() -> None:
    generator = torch.Generator().manual_seed(0)
    shapes = [(32, 16, 3, 3), (128, 64, 3, 3), (300, 20), (20, 300), (7, 5), (9,), (4, 30), (1,)]
    rates = torch.tensor([1e-3, 5e-4])
    start = [torch.randn(shape, generator=generator) for shape in shapes]

    def groups(first: object, second: object) -> list[dict[str, object]]:
        parameters = [torch.nn.Parameter(p.clone()) for p in start]
        return [{"params": parameters[:4], "lr": first}, {"params": parameters[4:], "lr": second}]

    one_by_one, in_batches = groups(1e-3, 5e-4), groups(*rates)
    plain, batched = Muon(one_by_one, 0.0), Muon(in_batches, 0.0, batched=True)
    for step in range(20):
        for ours, theirs in zip(in_batches, one_by_one, strict=True):
            for p, q in zip(ours["params"], theirs["params"], strict=True):
                q.grad = 10.0 ** (step % 5 - 2) * torch.randn(q.shape, generator=generator)
                p.grad = q.grad.clone()
        plain.step()
        batched.step()
    moved = [q for group in one_by_one for q in group["params"]]
    assert all((q - p).abs().max() > 1e-3 for q, p in zip(moved, start, strict=True))
    for ours, theirs in zip(in_batches, one_by_one, strict=True):
        for p, q in zip(ours["params"], theirs["params"], strict=True):
            torch.testing.assert_close(p, q, rtol=0, atol=1e-5)

"""Optimisers made from a config."""

import copy

import pytest
import torch
from monet.config import ModelConfig, OptimiserConfig
from monet.model import Monet
from monet.training.optimiser import make_optimiser, set_rate

MODEL = ModelConfig(image_size=16, encoder_channels=(4, 4), unet_channels=(4, 4, 4))


@pytest.mark.parametrize("kind", ["adam", "rmsprop", "muon"])
def test_the_component_vae_moves_at_its_own_rate(kind: str) -> None:
    torch.manual_seed(0)
    model = Monet(MODEL)
    alike = OptimiserConfig(kind=kind)
    moves = []
    for config in (alike, OptimiserConfig(kind=kind, vae_rate=0.25)):
        moved = copy.deepcopy(model)
        optimiser = make_optimiser(config, moved)
        set_rate(optimiser, 1e-2)
        generator = torch.Generator().manual_seed(1)
        for p in moved.parameters():
            p.grad = torch.randn(p.shape, generator=generator)
        optimiser.step()
        before, after = model.state_dict(), moved.state_dict()
        moves.append({name: after[name] - before[name] for name in before})
    assert all(move.abs().max() > 1e-4 for move in moves[1].values())
    for name, move in moves[0].items():
        share = 0.25 if name.startswith("vae.") else 1.0
        torch.testing.assert_close(moves[1][name], share * move, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("kind", ["adam", "rmsprop", "muon"])
def test_a_step_does_not_depend_on_how_gradients_lie_in_memory(kind: str) -> None:
    torch.manual_seed(0)
    model = Monet(MODEL)
    stepped = []
    for strided in (False, True):
        moved = copy.deepcopy(model)
        optimiser = make_optimiser(OptimiserConfig(kind=kind, learning_rate=1e-2), moved)
        generator = torch.Generator().manual_seed(1)
        for p in moved.parameters():
            grad = torch.randn(p.shape, generator=generator)
            p.grad = grad.T.contiguous().T if strided and p.ndim == 2 else grad
            if strided and p.ndim == 4:
                p.grad = grad.contiguous(memory_format=torch.channels_last)
        optimiser.step()
        stepped.append(moved.state_dict())
    for name, value in stepped[0].items():
        torch.testing.assert_close(stepped[1][name], value)

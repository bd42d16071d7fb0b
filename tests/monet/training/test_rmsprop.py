"""RMSProp as TensorFlow 1 had it, against its rule written out in NumPy."""

import numpy as np
import torch
from monet.training.rmsprop import RMSPropTF


def test_twenty_steps_are_tensorflows() -> None:
    rng = np.random.default_rng(0)
    weight, square = rng.standard_normal(50), np.ones(50)
    parameter = torch.nn.Parameter(torch.from_numpy(weight.copy()))
    optimiser = RMSPropTF([parameter], lr=1e-2)
    for _ in range(20):
        gradient = 10 ** rng.uniform(-3, 3) * rng.standard_normal(50)
        square = 0.9 * square + 0.1 * gradient**2
        weight = weight - 1e-2 * gradient / np.sqrt(square + 1e-10)
        parameter.grad = torch.from_numpy(gradient)
        optimiser.step()
    np.testing.assert_allclose(parameter.detach().numpy(), weight, rtol=1e-10)


def test_parameters_without_a_gradient_stay() -> None:
    parameter = torch.nn.Parameter(torch.ones(3))
    RMSPropTF([parameter]).step()
    assert torch.equal(parameter, torch.ones(3))

"""Each core's share of a batch adds up to the whole batch."""

from collections.abc import Callable

import pytest
import torch
from monet.training.thread_shares import ThreadShares
from torch import Tensor, nn


@pytest.fixture
def layers() -> nn.ModuleDict:
    """Returns a layer that the loss uses, and one that it does not."""
    torch.manual_seed(0)
    return nn.ModuleDict({"used": nn.Linear(3, 2), "unused": nn.Linear(3, 2)}).double()


def loss_of(layers: nn.ModuleDict, x: Tensor) -> Callable[[slice], Tensor]:
    def loss(rows: slice) -> Tensor:
        square = layers["used"](x[rows]).square().sum(dim=1)
        return torch.stack([square, square.sqrt()]).mean(dim=1)

    return loss


@pytest.mark.parametrize("count", [1, 2, 3, 9])
def test_shares_add_up_to_the_whole(layers: nn.ModuleDict, count: int) -> None:
    x = torch.randn(7, 3, dtype=torch.float64)
    loss, parameters = loss_of(layers, x), list(layers.parameters())
    expected = loss(slice(0, 7))
    gradients = torch.autograd.grad(expected[0], list(layers["used"].parameters()))
    cores = ThreadShares(count)
    torch.testing.assert_close(cores.backward(loss, 7, parameters), expected.detach())
    cores.close()
    for parameter, gradient in zip(layers["used"].parameters(), gradients, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)
    assert all(parameter.grad is None for parameter in layers["unused"].parameters())


def test_an_error_in_one_share_reaches_the_caller(layers: nn.ModuleDict) -> None:
    def fail(rows: slice) -> Tensor:
        raise ValueError(f"rows from {rows.start}")

    cores = ThreadShares(2)
    with pytest.raises(ValueError, match="rows from 0"):
        cores.backward(fail, 4, list(layers.parameters()))
    cores.close()


def test_threads_of_a_share_leave_the_callers_own_number_alone(layers: nn.ModuleDict) -> None:
    before = torch.get_num_threads()
    cores = ThreadShares(2)
    x = torch.randn(4, 3, dtype=torch.float64)
    cores.backward(loss_of(layers, x), 4, list(layers.parameters()))
    cores.close()
    assert torch.get_num_threads() == before

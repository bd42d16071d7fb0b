"""Kinds of objects by shape and hue, which `--hold-out` keeps out of a file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, get_args

Shape = Literal["box", "sphere", "cylinder", "capsule", "icosahedron", "triangle"]
SHAPES: tuple[Shape, ...] = get_args(Shape)


@dataclass(frozen=True)
class Kind:
    """All objects with one of some shapes and with a hue in some range."""

    shapes: tuple[Shape, ...] = ()
    """Shapes; empty for all of them."""
    hue: tuple[float, float] | None = None
    """Lower bound, included, and upper bound, excluded; `None` for all hues. If the lower bound is
    the larger number, the range goes past 1 and on from 0."""

    def __post_init__(self) -> None:
        if not self.shapes and self.hue is None:
            raise ValueError("a kind of objects needs a shape, a hue or both")
        if self.hue is not None:
            low, high = self.hue
            if not (0 <= low <= 1 and 0 <= high <= 1) or low == high:
                raise ValueError(f"a hue's range is two numbers of 0 to 1, got {low}-{high}")

    def holds(self, shape: Shape, hue: float) -> bool:
        """Whether an object of this shape and hue is of the kind."""
        if self.shapes and shape not in self.shapes:
            return False
        if self.hue is None:
            return True
        low, high = self.hue
        return low <= hue < high if low < high else hue >= low or hue < high


def parse_kind(text: str) -> Kind:
    """Reads a kind such as `shape=sphere,hue=0.9-0.1`; several shapes are joined by `+`.

    Raises:
        ValueError: the text is written otherwise, or names an unknown shape.
    """
    shapes: tuple[Shape, ...] = ()
    hue = None
    names = set()
    for term in text.split(","):
        name, _, value = term.strip().partition("=")
        if name in names:  # otherwise only the last one would count
            raise ValueError(
                f"{text!r} has {name} twice; write several kinds as words of their own"
            )
        names.add(name)
        if name == "shape":
            shapes = tuple(_shape(part.strip()) for part in value.split("+"))
        elif name == "hue":
            hue = _range(value)
        else:
            raise ValueError(
                f"{text!r} is no kind of objects; write it as shape=sphere, hue=0.9-0.1 or "
                f"shape=sphere,hue=0.9-0.1"
            )
    return Kind(shapes, hue)


def exists(kinds: Sequence[Kind], shapes: Iterable[Shape], *, held_out: bool) -> bool:
    """Whether objects of these shapes are of one of the kinds, or of none of them, at some hue.

    Args:
        kinds: the kinds that are held out.
        shapes: shapes to choose from.
        held_out: whether to look for objects of one of the kinds, rather than of none of them.
    """
    hues = [bound for kind in kinds if kind.hue for bound in kind.hue]
    middles = [(low + high) / 2 for low, high in pairwise(sorted({0.0, 1.0, *hues}))]
    return any(
        any(kind.holds(shape, hue) for kind in kinds) == held_out
        for shape in shapes
        for hue in middles
    )


def _shape(name: str) -> Shape:
    for shape in SHAPES:
        if shape == name:
            return shape
    raise ValueError(f"no shape {name!r}; there are {', '.join(SHAPES)}")


def _range(text: str) -> tuple[float, float]:
    try:
        low, high = (float(bound) for bound in text.split("-"))
    except ValueError:
        raise ValueError(
            f"a hue's range is two numbers of 0 to 1 such as 0.9-0.1, got {text!r}"
        ) from None
    return low, high

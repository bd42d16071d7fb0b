"""Tiles of 6 x 6 and what Winograd's algorithm makes of them: the loops, compiled by numba.

What they compute is in `monet.winograd`. All in one file: what numba keeps on disk of a function is
made anew when the function's own file changes, and only then.

The interpolation points are 0, infinity and plus or minus the roots of 1/2 and of 2.
"""

# mypy: disallow-untyped-defs=False

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numba
import numpy as np

TILES_AT_ONCE = 512
"""Tiles of a few channels, whose intermediates stay in the first and second cache."""
SLACK = 16
"""Numbers that a loop over tiles may read beyond its rows."""

_F = np.float32
_LOW, _HIGH = _F(0.5**0.5), _F(2**0.5)


def _inner(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiles what compiled loops call."""
    function = inspect.unwrap(function)  # of the shape checks that tests wrap around it
    return numba.njit(error_model="numpy", fastmath={"contract", "nsz"})(function)


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiles a loop, which runs without Python's lock; kept on disk for the next process."""
    flags = {"contract", "nsz", "reassoc"}  # fused, and sums in any order
    compiler = numba.njit(nogil=True, error_model="numpy", fastmath=flags)
    loop = compiler(inspect.unwrap(function))
    # Where neither the package's folder nor the user's can be written, each process compiles.
    with suppress(RuntimeError):
        loop.enable_caching()
    return loop


# The transforms of one dimension: B', A' and their transposes.


@_inner
def _input_map(a, b, c, d, e, f):
    low, low_odd = e - _F(2) * c, _LOW * (d - _F(2) * b)
    high, high_odd = e - _F(0.5) * c, _HIGH * (d - _F(0.5) * b)
    return (
        a - _F(2.5) * c + e,
        low + low_odd,
        low - low_odd,
        high + high_odd,
        high - high_odd,
        b - _F(2.5) * d + f,
    )


@_inner
def _input_map_transposed(a, b, c, d, e, f):
    low, low_odd, high, high_odd = b + c, _LOW * (b - c), d + e, _HIGH * (d - e)
    return (
        a,
        f - _F(2) * low_odd - _F(0.5) * high_odd,
        _F(-2.5) * a - _F(2) * low - _F(0.5) * high,
        low_odd + high_odd - _F(2.5) * f,
        a + low + high,
        f,
    )


@_inner
def _output_map(a, b, c, d, e, f):
    low, low_odd, high, high_odd = b + c, _LOW * (b - c), d + e, _HIGH * (d - e)
    return (
        a + low + high,
        low_odd + high_odd,
        _F(0.5) * low + _F(2) * high,
        _F(0.5) * low_odd + _F(2) * high_odd + f,
    )


@_inner
def _output_map_transposed(a, b, c, d):
    low, low_odd = a + _F(0.5) * c, _LOW * (b + _F(0.5) * d)
    high, high_odd = a + _F(2) * c, _HIGH * (b + _F(2) * d)
    return a, low + low_odd, low - low_odd, high + high_odd, high - high_odd, d


# Planes (one channel of one image each) are worked on some at a time, as four or six rows: row r
# holds the r-th row of every tile, tile after tile and plane after plane. So every loop is long and
# runs over neighbouring numbers, by which compilers vectorise it.


@_inner
def _four(rows, t):
    return rows[0][t], rows[1][t], rows[2][t], rows[3][t]


@_inner
def _six(rows, t):
    return rows[0][t], rows[1][t], rows[2][t], rows[3][t], rows[4][t], rows[5][t]


@_inner
def _set_four(rows, t, values):
    rows[0][t], rows[1][t], rows[2][t], rows[3][t] = values


@_inner
def _set_six(rows, t, values):
    rows[0][t], rows[1][t], rows[2][t], rows[3][t], rows[4][t], rows[5][t] = values


@_inner
def _four_along(row, t):
    return row[4 * t], row[4 * t + 1], row[4 * t + 2], row[4 * t + 3]


@_inner
def _six_along(row, t):
    """Returns the t-th tile's part of a row, and two numbers of the tile to its right."""
    return (
        row[4 * t], row[4 * t + 1], row[4 * t + 2], row[4 * t + 3], row[4 * t + 4], row[4 * t + 5],
    )  # fmt: skip


@_inner
def _set_four_along(row, t, values):
    row[4 * t], row[4 * t + 1], row[4 * t + 2], row[4 * t + 3] = values


@_inner
def _input_down(rows, transformed, n):
    for i in range(n):
        _set_six(transformed, i, _input_map(*_six(rows, i)))


@_inner
def _input_along(row, tiles, n):
    for t in range(n):
        _set_six(tiles, t, _input_map(*_six_along(row, t)))


@_inner
def _input_down_transposed(transformed, rows, n):
    for i in range(n):
        _set_six(rows, i, _input_map_transposed(*_six(transformed, i)))


@_inner
def _input_along_transposed(tiles, row, overlap, n):
    for t in range(n):
        a, b, c, d, overlap[2 * t], overlap[2 * t + 1] = _input_map_transposed(*_six(tiles, t))
        _set_four_along(row, t, (a, b, c, d))
    for t in range(1, n):
        row[4 * t] += overlap[2 * t - 2]
        row[4 * t + 1] += overlap[2 * t - 1]


@_inner
def _output_down(transformed, rows, n):
    for i in range(n):
        _set_four(rows, i, _output_map(*_six(transformed, i)))


@_inner
def _output_along(tiles, row, n):
    for t in range(n):
        _set_four_along(row, t, _output_map(*_six(tiles, t)))


@_inner
def _output_down_transposed(rows, transformed, n):
    for i in range(n):
        _set_six(transformed, i, _output_map_transposed(*_four(rows, i)))


@_inner
def _output_along_transposed(row, tiles, n):
    for t in range(n):
        _set_six(tiles, t, _output_map_transposed(*_four_along(row, t)))


@_inner
def grid(height, width):
    """Returns tile rows and tiles in a row of an output; the last one of each row is spare.

    So the tile to the right of any other is the next one, and where it lies in another row, its
    numbers count for nothing.
    """
    return (height + 3) // 4, (width + 3) // 4 + 1


@_inner
def _scratch(tiles):
    """Returns six rows of numbers for so many tiles."""
    return np.zeros((6, 4 * tiles + SLACK), np.float32)


@_inner
def _rows(scratch):
    return scratch[0], scratch[1], scratch[2], scratch[3], scratch[4], scratch[5]


@_inner
def _tiles(values, i, begin, end):
    """Returns the six rows of the transformed tiles' i-th row, from a tile to another."""
    return (
        values[6 * i, begin:end], values[6 * i + 1, begin:end], values[6 * i + 2, begin:end],
        values[6 * i + 3, begin:end], values[6 * i + 4, begin:end], values[6 * i + 5, begin:end],
    )  # fmt: skip


@_inner
def _at(start, i):
    """Returns an index; unsigned, as indices that might be negative are not vectorised."""
    return np.uint64(start) + np.uint64(i)


@_inner
def _copy(source, begin, target, start, n):
    for i in range(n):
        target[_at(start, i)] = source[_at(begin, i)]


@_inner
def _add(source, begin, other, target, start, n):
    for i in range(n):
        target[_at(start, i)] = source[_at(begin, i)] + source[_at(other, i)]


@_inner
def _double(source, begin, height, width, plane):
    """Repeats each number of a plane in a square of 2 x 2."""
    for i in range(height):
        for k in range(2):
            line = 2 * width * (2 * i + k)
            for j in range(width):
                value = source[_at(begin + i * width, j)]
                plane[_at(line, 2 * j)] = value
                plane[_at(line, 2 * j + 1)] = value


@_inner
def _double_transposed(plane, target, begin, height, width):
    """Sums each square of 2 x 2 of a plane."""
    for i in range(height):
        upper, lower = 4 * width * i, 4 * width * i + 2 * width
        for j in range(width):
            target[_at(begin + i * width, j)] = (
                plane[_at(upper, 2 * j)] + plane[_at(upper, 2 * j + 1)]
            ) + (plane[_at(lower, 2 * j)] + plane[_at(lower, 2 * j + 1)])


@_compiled
def transform_input(x, scale, padding, tiles, channel):
    """Transforms an input (N, C, h, w) to tiles (36, channels N T), from one channel of theirs on.

    The input may be doubled first, and has so many zeros around it.
    """
    N, C, h, w = x.shape
    H, W = scale * h, scale * w
    down, along = grid(H + 2 * padding - 2, W + 2 * padding - 2)
    T = down * along
    group = max(1, TILES_AT_ONCE // T)
    plain, half, doubled = _scratch(group * T), _scratch(group * T), np.empty(H * W, np.float32)
    values, flat, above = x.reshape(-1), plain.reshape(-1), 4 * (plain.shape[1] - along)
    for first in range(0, C * N, group):
        planes = min(group, C * N - first)
        for p in range(planes):
            c, n = divmod(first + p, N)
            source, begin = values, (n * C + c) * h * w
            if scale == 2:
                _double(values, begin, h, w, doubled)
                source, begin = doubled, 0
            for i in range(H):
                tile, r = divmod(i + padding, 4)
                start = r * plain.shape[1] + 4 * (p * T + tile * along) + padding
                if tile < down:
                    _copy(source, begin + i * W, flat, start, W)
                if r < 2 and tile > 0:  # the last two rows of the tiles above
                    _copy(source, begin + i * W, flat, start + above, W)
        _input_down(_rows(plain), _rows(half), 4 * planes * T)
        t = channel * N * T + first * T
        for i in range(6):
            _input_along(half[i], _tiles(tiles, i, t, t + planes * T), planes * T)


@_compiled
def transform_input_transposed(tiles, channel, scale, padding, x):
    """Takes the gradient by tiles to that by their input: `transform_input` the other way."""
    N, C, h, w = x.shape
    H, W = scale * h, scale * w
    down, along = grid(H + 2 * padding - 2, W + 2 * padding - 2)
    T = down * along
    group = max(1, TILES_AT_ONCE // T)
    plain, half, doubled = _scratch(group * T), _scratch(group * T), np.empty(H * W, np.float32)
    overlap = np.empty(2 * group * T, np.float32)
    values, flat, above = x.reshape(-1), plain.reshape(-1), 4 * (plain.shape[1] - along)
    for first in range(0, C * N, group):
        planes = min(group, C * N - first)
        t = channel * N * T + first * T
        for i in range(6):
            part = _tiles(tiles, i, t, t + planes * T)
            _input_along_transposed(part, half[i], overlap, planes * T)
        _input_down_transposed(_rows(half), _rows(plain), 4 * planes * T)
        for p in range(planes):
            c, n = divmod(first + p, N)
            target, begin = (values, (n * C + c) * h * w) if scale == 1 else (doubled, 0)
            for i in range(H):
                tile, r = divmod(i + padding, 4)
                start = r * plain.shape[1] + 4 * (p * T + tile * along) + padding
                if r > 1 or tile == 0:
                    _copy(flat, start, target, begin + i * W, W)
                elif tile == down:
                    _copy(flat, start + above, target, begin + i * W, W)
                else:
                    _add(flat, start, start + above, target, begin + i * W, W)
            if scale == 2:
                _double_transposed(doubled, values, (n * C + c) * h * w, h, w)


@_compiled
def transform_output(tiles, bias, relu, y):
    """Transforms tiles (36, D N T) back to an output (N, D, H, W); adds a bias (D,)."""
    N, D, H, W = y.shape
    down, along = grid(H, W)
    T = down * along
    group = max(1, TILES_AT_ONCE // T)
    plain, half = _scratch(group * T), _scratch(group * T)
    values, flat = y.reshape(-1), plain.reshape(-1)
    least = _F(0) if relu else _F(-np.inf)
    for first in range(0, D * N, group):
        planes = min(group, D * N - first)
        for i in range(6):
            _output_along(_tiles(tiles, i, first * T, (first + planes) * T), half[i], planes * T)
        _output_down(_rows(half), _rows(plain), 4 * planes * T)
        for p in range(planes):
            d, n = divmod(first + p, N)
            for i in range(H):
                line = ((n * D + d) * H + i) * W
                start = i % 4 * plain.shape[1] + 4 * (p * T + i // 4 * along)
                for j in range(W):
                    value = flat[_at(start, j)] + bias[d]
                    values[_at(line, j)] = least if value < least else value  # NaN stays NaN


@_compiled
def transform_output_transposed(gradient, y, relu, tiles, bias_gradient):
    """Takes the gradient by an output (N, D, H, W) to that by its tiles and by the bias.

    Args:
        gradient: that by the output.
        y: the output itself.
        relu: whether zeros of the output let no gradient through.
        tiles: gets the gradient by the tiles, (36, D N T).
        bias_gradient: that by the bias is added to it, (D,).
    """
    N, D, H, W = gradient.shape
    down, along = grid(H, W)
    T = down * along
    group = max(1, TILES_AT_ONCE // T)
    plain, half = _scratch(group * T), _scratch(group * T)
    values, outputs, flat = gradient.reshape(-1), y.reshape(-1), plain.reshape(-1)
    for first in range(0, D * N, group):
        planes = min(group, D * N - first)
        for p in range(planes):
            d, n = divmod(first + p, N)
            total = _F(0)
            for i in range(H):
                line = ((n * D + d) * H + i) * W
                start = i % 4 * plain.shape[1] + 4 * (p * T + i // 4 * along)
                for j in range(W):
                    shut = relu and outputs[_at(line, j)] <= 0
                    value = _F(0) if shut else values[_at(line, j)]
                    flat[_at(start, j)] = value
                    total += value
            bias_gradient[d] += total
        _output_down_transposed(_rows(plain), _rows(half), 4 * planes * T)
        for i in range(6):
            part = _tiles(tiles, i, first * T, (first + planes) * T)
            _output_along_transposed(half[i], part, planes * T)

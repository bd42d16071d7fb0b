"""Scenes a second on one core: CLEVR-style scenes, and where the time goes."""

import time

from scenes.clevr.config import ClevrLikeConfig
from scenes.source_list import open_source

N = 60
STEPS = ("arrange", "geoms", "polish", "image")


def main() -> None:
    source = open_source(ClevrLikeConfig(), seed=0)
    source[0]
    spent = dict.fromkeys(STEPS, 0.0)
    calls = dict.fromkeys(STEPS, 0)

    def timed(name):
        method = getattr(source._renderer, name)

        def run(*arguments):
            start = time.process_time()
            try:
                return method(*arguments)
            finally:
                spent[name] += time.process_time() - start
                calls[name] += 1

        return run

    for name in STEPS:
        setattr(source._renderer, name, timed(name))
    start = time.process_time()
    for index in range(N):
        source[index]
    whole = time.process_time() - start
    print(f"{N / whole:.1f} scenes/s, {source.provenance['gl_renderer']}")
    for name in STEPS:
        print(f"{name:8s} {1e3 * spent[name] / N:5.1f} ms a scene, {calls[name] / N:.1f} calls")


if __name__ == "__main__":
    main()

"""What all tests share: annotations enforced where asked for, and real scenes rendered once."""

import doctest
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch._dynamo  # noqa: F401  (before software OpenGL: see ObjectsRoomConfig.isolated)
from browser import Tab, a_tab
from jaxtyping import install_import_hook
from promises import HEADER, Promise, Row, promised_on, table_of

# Before mujoco is imported anywhere: software rendering, one thread, so that scenes are the same
# bytes on every machine that runs the tests.
os.environ.setdefault("MUJOCO_GL", "osmesa")
os.environ.setdefault("LP_NUM_THREADS", "0")
os.environ["CUDA_VISIBLE_DEVICES"] = ""  # where there is a GPU too, on which sums have other digits

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Returns the folder of published samples beside the repository; skips the test without one."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the samples of other projects' files are not beside this repository")
    return folder


@pytest.fixture(scope="session")
def rooms_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a file of 384 Objects Room training scenes of 32 x 32, rendered once.

    320 of them are held out by training, which leaves 64.
    """
    from scenes.driver import build
    from scenes.objects_room.config import ObjectsRoomConfig

    path = tmp_path_factory.mktemp("rooms") / "train.h5"
    build(ObjectsRoomConfig(size=32), seed=0, n=384, out=path, workers=1)
    return path


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    """Returns the page of a browser that all tests share; skips the test without Chromium."""
    with a_tab(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


@pytest.fixture
def tab(chromium: Tab) -> Tab:
    """Returns a browser's page, in which tests open what they look at."""
    chromium.size(1300, 1000)
    chromium.errors.clear()
    return chromium


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Lets SIGINT through to this process and those that a test starts.

    A shell's background jobs ignore it.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def run_examples() -> Callable[[str, str], int]:
    """Returns what runs a docstring's examples as one session, and counts them.

    It takes the docstring and a name for messages.
    """

    def run(text: str, name: str) -> int:
        test = doctest.DocTestParser().get_doctest(text, {}, name, None, 0)
        said: list[str] = []
        runner = doctest.DocTestRunner(optionflags=doctest.IGNORE_EXCEPTION_DETAIL)
        results = runner.run(test, out=said.append)
        assert not results.failed, "".join(said)
        return results.attempted

    return run


RELIABILITY = "reliability"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--runtime-types",
        action="store_true",
        help="hold every call to its annotations, shapes of arrays included: a third slower",
    )
    parser.addoption(
        "--reliability",
        type=Path,
        metavar="FILE",  # given as --reliability=FILE: a word of its own would be a test to run
        help="write the table of what the tests promise, and how often they tried, into a page",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--runtime-types"):
        packages = ["scenes", "monet", "evaluation", "slot_attention"]
        install_import_hook(packages, "beartype.beartype")


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their markers
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "promise" in getattr(item, "fixturenames", ()):
            item.add_marker("promise")


@pytest.fixture
def promise(record_property: Callable[[str, object], None]) -> Promise:
    """Returns a function by which a test, after its last assertion, fills its row of
    docs/reliability.md."""

    def record(promised: str, tried: str, times: int, result: str) -> None:
        assert times > 0
        assert "|" not in promised + tried + result, "it would end a cell of the table"
        record_property(RELIABILITY, (promised, tried, times, result))

    return record


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    page = config.getoption("--reliability")
    if page is None:
        return
    rows: list[Row] = [
        tuple(row)
        for report in terminalreporter.getreports("passed")
        for name, row in report.user_properties
        if name == RELIABILITY and report.when == "call"
    ]
    if not rows:
        terminalreporter.write_line(f"{page}: left as it is, since no test promised anything")
        return
    prose = page.read_text().partition(f"| {HEADER[0]} |")[0]
    page.write_text(prose + table_of(rows))
    terminalreporter.write_line(f"{page}: {len(promised_on(page.read_text()))} promises")

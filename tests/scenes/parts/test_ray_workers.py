"""Parts as Ray tasks: a lost node changes nothing, and the result is that of one machine."""

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from scenes.command_line import CommandError
from scenes.driver import build
from scenes.file.reader import SceneFile
from scenes.multi_dsprites.config import MultiDSpritesConfig
from scenes.verification import verify

pytest.importorskip("ray", reason="Ray is not installed: scenes[ray]")

SPRITES = MultiDSpritesConfig()
N = 2600

CLUSTER = textwrap.dedent(
    """
    import os, sys, threading, time
    from pathlib import Path

    os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"  # as scenes.parts.ray_workers does: see there

    import ray
    from ray.cluster_utils import Cluster

    from scenes.driver import build
    from scenes.multi_dsprites.config import MultiDSpritesConfig

    def main():
        out, n = Path(sys.argv[1]), int(sys.argv[2])
        memory = 80 << 20
        cluster = Cluster(initialize_head=True, head_node_args={
            "num_cpus": 1, "object_store_memory": memory, "include_dashboard": False})
        cluster.add_node(num_cpus=1, object_store_memory=memory)
        doomed = cluster.add_node(num_cpus=1, object_store_memory=memory)
        cluster.wait_for_nodes()

        def lose_a_node():
            folder = out.with_name(out.name + ".parts")
            while not any(folder.glob("*.h5")):
                time.sleep(0.01)
            print("lost after", len(list(folder.glob("*.h5"))), "parts", flush=True)
            cluster.remove_node(doomed, allow_graceful=False)

        losing = threading.Thread(target=lose_a_node)
        losing.start()
        build(MultiDSpritesConfig(), n=n, seed=0, out=out, engine="ray", address=cluster.address,
              layout="parts")
        losing.join()
        cluster.shutdown()

    main()
    """
)


@pytest.mark.slow
def test_a_cluster_that_loses_a_node_makes_the_same_file(tmp_path: Path) -> None:
    out, local = tmp_path / "ray.h5", tmp_path / "local.h5"
    script = tmp_path / "cluster.py"
    script.write_text(CLUSTER)
    done = subprocess.run(
        [sys.executable, script, out, str(N)],
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    lost = re.search(r"lost after (\d+) parts", done.stdout)
    assert lost, done.stdout
    assert int(lost[1]) < -(-N // 512), "the node was lost midway"
    build(SPRITES, n=N, seed=0, out=local, workers=2)
    with SceneFile(out) as there, SceneFile(local) as here:
        assert there.attributes == here.attributes, "the digest of all values among them"
    assert not verify(out).problems
    build(SPRITES, n=N, seed=0, out=out)  # of its parts, one file
    with SceneFile(out) as there, SceneFile(local) as here:
        assert not there.is_index
        assert there.attributes == here.attributes


def test_an_address_where_no_cluster_is_gives_one_line(tmp_path: Path) -> None:
    with pytest.raises(
        CommandError, match=re.escape("--address 127.0.0.1:1: nothing answers there")
    ):
        build(SPRITES, n=20, seed=0, out=tmp_path / "a.h5", engine="ray", address="127.0.0.1:1")


def test_without_ray_the_extra_is_named(tmp_path: Path) -> None:
    out = tmp_path / "a.h5"
    script = textwrap.dedent(
        f"""
        import sys
        sys.modules["ray"] = None  # as where it is not installed
        from scenes.cli import main
        sys.exit(main(["render", "--n", "5", "--out", {str(out)!r}, "--engine", "ray"]))
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == "scenes: --engine ray needs Ray: install scenes[ray]\n"
    assert not out.exists()

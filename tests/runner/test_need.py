"""What workers need is held against what this machine has, before anything is started."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from harness.config import RayConfig
from harness.errors import ConfigError
from harness.runner.extend import add_prms
from harness.runner.progress import Silent
from harness.runner.spread.need import check_fit, check_room, fit, gpus, need_of
from harness.store.format import RunFolder

needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")


@pytest.mark.parametrize(
    ("asked", "there", "said"),
    [
        ({"cpus": 99}, (2, 0), "ray.cpus=99 on this machine, which has 2 cores: --set ray.cpus=2 "),
        ({"cpus": 1, "prm_gpus": 0}, (1, 0), "of a pair on this .* 1 core: --set ray.cpus=0.5 "),
        ({"workers": 5}, (4, 0), "ray.workers=5 with ray.cpus=1 on .*: --set ray.workers=4 "),
        ({"gpus": 1}, (2, 0), "ray.gpus=1 on .* no GPU: leave ray.gpus out"),
        ({"cpus": 9, "gpus": 1, "workers": 3}, (2, 2), "ray.cpus=9 on .*: --set ray.cpus=2 "),
        ({"gpus": 2}, (2, 1), "ray.gpus=2 on .* 1 GPU: --set ray.gpus=1 at most"),
        ({"gpus": 1, "prm_gpus": 1}, (2, 1), "ray.gpus=1 and ray.prm_gpus=1 on .*: less of ray."),
        ({"gpus": 1, "workers": 3}, (8, 2), "ray.workers=3 with ray.gpus=1 on .* 2 GPUs: .*=2 at"),
    ],
)
def test_what_cannot_be_is_refused(
    asked: dict[str, Any], there: tuple[float, float], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        check_fit(RayConfig(**asked), dict(zip(("CPU", "GPU"), there, strict=True)))


@pytest.mark.parametrize(
    ("asked", "most"),
    [
        ({}, 4),
        ({"cpus": 0.25}, 16),
        ({"cpus": 2, "workers": 2}, 2),
        ({"gpus": 0.5}, 4),
        ({"gpus": 1, "prm_gpus": 1}, 1),
        ({"cpus": 4 / 3, "workers": 3}, 3),
    ],
)
def test_what_can_be_is_let_through(asked: dict[str, Any], most: int) -> None:
    there = {"CPU": 4.0, "GPU": 2.0}
    check_fit(RayConfig(**asked), there)
    assert fit(there, need_of(RayConfig(**asked))) == most


def test_more_than_a_gpu_is_whole_ones() -> None:
    with pytest.raises(ValidationError, match="a part of a GPU, or whole ones"):
        RayConfig(gpus=1.5)


@needs_ray
def test_a_run_is_refused_before_it_is_there(cli: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = cli("run", "embedded", "--engine", "ray", "--set", "ray.cpus=9999", "--out", str(out))
    assert done.code == 2
    assert "error: no room for ray.cpus=9999 on this machine" in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert not out.exists()


@needs_ray
def test_further_prms_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no room for ray\.cpus=9999"):
        add_prms(RunFolder(tmp_path), ["x"], Silent(), [], "ray", RayConfig(cpus=9999))
    assert not list(tmp_path.iterdir())


@needs_ray
def test_nodes_may_join_a_cluster_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "head:6379")
    check_room("ray", RayConfig(cpus=9999, gpus=9999))
    monkeypatch.delenv("RAY_ADDRESS")
    check_room("default", RayConfig(cpus=9999))


@needs_ray
def test_gpus_that_are_hidden_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert gpus() == 0

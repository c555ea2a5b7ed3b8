"""The training engine: resumed and distributed runs end with the same weights; errors are
named."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from course_lib import plots
from course_lib.errors import CourseError, DataError, SettingsError
from course_lib.models.losses import peak_distance
from course_lib.models.weights import load_siamfc
from course_lib.recipe import load_settings
from course_lib.training import loop as loop_module
from course_lib.training.checkpoint import load_checkpoint, save_checkpoint
from course_lib.training.loop import Run, train
from course_lib.training.monitor import TensorBoard, boxes_over_images
from course_lib.training.open_sources import split
from course_lib.training.settings import TrainSettings
from course_lib.training.step import learning_rate
from course_lib.training.trained_weights import train_to_weights

pytestmark = pytest.mark.slow

TINY = TrainSettings(
    name="tiny",
    widths=(4, 4, 4, 4, 4),
    batch=4,
    steps=6,
    rate_start=0.05,
    precision="fp32",
    validate_every=3,
    validation_pairs=8,
    checkpoint_every=2,
    negatives=0.2,
)


def weights(network: torch.nn.Module) -> torch.Tensor:
    """All weights and batch statistics of a network, as one vector."""
    return torch.cat([t.detach().float().flatten() for t in network.state_dict().values()])


@pytest.fixture(scope="module")
def straight(tmp_path_factory) -> torch.nn.Module:
    """The network of an uninterrupted run."""
    return train(TINY, tmp_path_factory.mktemp("straight"), "cpu").network


class TestResume:
    """An interrupted run ends with the weights of an uninterrupted one."""

    @pytest.mark.parametrize("stop", [1, 2, 3, 5])
    def test_at_any_step(self, tmp_path, straight, stop):
        train(TINY, tmp_path, "cpu", stop_at=stop)
        assert torch.equal(weights(train(TINY, tmp_path, "cpu").network), weights(straight))

    def test_between_checkpoints(self, tmp_path, straight):
        def stop_at_five(progress):
            if progress.step == 5:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            train(TINY, tmp_path, "cpu", [stop_at_five])
        assert load_checkpoint(tmp_path / "last.pt")["step"] == 4
        assert torch.equal(weights(train(TINY, tmp_path, "cpu").network), weights(straight))

    def test_after_a_budget(self, tmp_path, straight):
        train(TINY, tmp_path, "cpu", budget=0.0)
        assert load_checkpoint(tmp_path / "last.pt")["step"] == 1
        assert torch.equal(weights(train(TINY, tmp_path, "cpu").network), weights(straight))

    def test_the_curves_continue_too(self, tmp_path):
        seen = []
        train(TINY, tmp_path, "cpu", stop_at=4)
        train(TINY, tmp_path, "cpu", [lambda p: seen.append([row["step"] for row in p.validation])])
        assert seen[-1] == [3, 6]

    def test_another_recipe_is_refused(self, tmp_path):
        train(TINY, tmp_path, "cpu", stop_at=1)
        with pytest.raises(
            SettingsError, match=r"another recipe: it has \{'seed': 0\}, not \{'seed': 1\}"
        ):
            train(replace(TINY, seed=1), tmp_path, "cpu")
        train(replace(TINY, checkpoint_every=1), tmp_path, "cpu", stop_at=2)  # touches no weight

    def test_another_seed_leads_to_other_weights(self, tmp_path, straight):
        assert not torch.equal(
            weights(train(replace(TINY, seed=1), tmp_path, "cpu").network), weights(straight)
        )


class TestCheckpoints:
    """A checkpoint is complete or does not exist."""

    @pytest.mark.slow
    def test_killed_while_writing(self, tmp_path):
        code = f"""
            import torch
            from pathlib import Path
            from course_lib.training.checkpoint import save_checkpoint
            k = 0
            while True:
                k += 1
                save_checkpoint(Path({str(tmp_path)!r}) / "last.pt", {{"step": k, "x": torch.full((400_000,), float(k))}})
        """
        for delay in (0.0, 0.013, 0.029):
            process = subprocess.Popen(
                [sys.executable, "-c", textwrap.dedent(code)],
                env={**os.environ, "PYTHONPATH": os.getcwd()},
            )
            while not (tmp_path / "last.pt").is_file():
                time.sleep(0.01)
                assert process.poll() is None
            time.sleep(0.05 + delay)
            process.send_signal(signal.SIGKILL)
            process.wait()
            state = load_checkpoint(tmp_path / "last.pt")
            assert float(state["x"].min()) == float(state["x"].max()) == state["step"]

    def test_a_full_disk_keeps_the_old_one(self, tmp_path):
        path = tmp_path / "last.pt"
        save_checkpoint(path, {"step": 1})
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        try:
            resource.setrlimit(
                resource.RLIMIT_FSIZE, (100_000, limits[1])
            )  # a file may not grow beyond this
            with pytest.raises(
                CourseError, match=r"last.pt could not be written .* of an earlier step is kept"
            ):
                save_checkpoint(path, {"step": 2, "x": torch.zeros(500_000)})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, before)
        assert load_checkpoint(path) == {"step": 1}
        assert [p.name for p in tmp_path.iterdir()] == ["last.pt"]

    def test_a_damaged_one_is_named(self, tmp_path):
        (tmp_path / "last.pt").write_bytes(b"PK nothing")
        with pytest.raises(DataError, match=r"last.pt \(10 bytes\) cannot be read"):
            train(TINY, tmp_path, "cpu")


class TestNotFinite:
    """A loss that is not finite stops the run and names what led to it."""

    def poisoned(self, tmp_path, monkeypatch, at):
        """A run whose batch number `at` gives NaN."""
        run_of = Run._predict

        def predict(run, batch):
            out = run_of(run, batch)
            return out * float("nan") if run.progress.step == at and run.shared.training else out

        monkeypatch.setattr(loop_module.Run, "_predict", predict)
        return tmp_path / "run"

    def test_step_source_and_checkpoint_are_named(self, tmp_path, monkeypatch):
        folder = self.poisoned(tmp_path, monkeypatch, at=3)
        with pytest.raises(CourseError) as problem:
            train(TINY, folder, "cpu")
        words = str(problem.value)
        assert "at step 3" in words and "generated-" in words and str(folder / "last.pt") in words
        kept = load_checkpoint(folder / "last.pt")
        assert kept["step"] == 2 and all(torch.isfinite(t).all() for t in kept["network"].values())

    def test_a_gradient_that_is_not_finite(self, tmp_path, monkeypatch):
        class Poison(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x.clone()

            @staticmethod
            def backward(ctx, g):
                return g * float("nan")

        run_of = Run._predict
        monkeypatch.setattr(
            loop_module.Run,
            "_predict",
            lambda run, batch: (
                Poison.apply(run_of(run, batch)) if run.progress.step == 3 else run_of(run, batch)
            ),
        )
        settings = replace(TINY, checkpoint_every=1, validation_pairs=0)
        with pytest.raises(CourseError, match="gradient's norm is nan at step 3"):
            train(settings, tmp_path, "cpu")
        kept = load_checkpoint(tmp_path / "last.pt")
        assert kept["step"] == 3 and all(torch.isfinite(t).all() for t in kept["network"].values())

    def test_before_the_first_checkpoint(self, tmp_path, monkeypatch):
        with pytest.raises(CourseError, match="no checkpoint was written yet"):
            train(TINY, self.poisoned(tmp_path, monkeypatch, at=0), "cpu")


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes", [{}, {"freeze": 3, "unfreeze": (0.3, 0.6)}], ids=["plain", "thawing"]
)
def test_two_processes_end_with_the_weights_of_one(tmp_path, straight, project, changes):
    code = f"""
        import sys
        sys.path[:0] = [{str(project)!r}, {str(project / "tests" / "unit")!r}]
        import torch
        from dataclasses import replace
        from pathlib import Path
        torch.set_num_threads(1)
        from test_training import TINY
        from course_lib.training.loop import train
        from course_lib.training.processes import started_rank
        made = train(replace(TINY, **{changes!r}), Path({str(tmp_path / "run")!r}), "cpu").network
        torch.save(made.state_dict(), {str(tmp_path)!r} + f"/weights{{started_rank()}}.pt")
    """
    (tmp_path / "script.py").write_text(textwrap.dedent(code))
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node=2",
        str(tmp_path / "script.py"),
    ]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    both = [torch.load(tmp_path / f"weights{k}.pt") for k in (0, 1)]
    alone = (
        train(replace(TINY, **changes), tmp_path / "alone", "cpu").network if changes else straight
    ).state_dict()
    parameters = {name for name, _ in straight.named_parameters()}
    for name, tensor in both[0].items():
        assert torch.equal(tensor, both[1][name]), name
        # batch statistics are sums over a million grey values: their own size sets the scale
        limit = {"atol": 1e-6, "rtol": 0.0} if name in parameters else {"atol": 1e-6, "rtol": 3e-5}
        torch.testing.assert_close(tensor, alone[name], **limit)
    assert load_checkpoint(tmp_path / "run" / "last.pt")["step"] == TINY.steps


def test_learning_lowers_the_loss(tmp_path):
    more = {
        "steps": 60,
        "batch": 8,
        "rate_start": 0.1,
        "rate_end": 5e-3,
        "negatives": 0.0,
        "validation_pairs": 0,
    }
    seen = []
    train(
        replace(TINY, widths=(16, 32, 32, 32, 32), **more),
        tmp_path,
        "cpu",
        [lambda p: seen.append(p.loss)],
    )
    assert np.mean(seen[-10:]) < np.mean(seen[:10]) - 0.06


def test_weights_with_a_card(tmp_path):
    path = train_to_weights(TINY, tmp_path, [], device="cpu")
    assert path == tmp_path / "tiny.safetensors" and path.with_suffix(".json").is_file()
    assert (
        train_to_weights(replace(TINY, steps=8), tmp_path / "other", [], budget=0.0, device="cpu")
        is None
    )
    assert not (tmp_path / "other" / "tiny.safetensors").exists()
    before = path.read_bytes()
    assert (
        train_to_weights(TINY, tmp_path, [], device="cpu") == path and path.read_bytes() == before
    )


def test_a_run_may_start_from_weights(tmp_path):
    path = train_to_weights(replace(TINY, steps=2), tmp_path / "a", [], device="cpu")
    begun = replace(TINY, start_from=str(path), steps=1, rate_start=1e-12)
    network = train(begun, tmp_path / "b", "cpu").network
    kept = load_siamfc(str(path))
    for name, value in kept.named_parameters():  # such a rate moves none
        torch.testing.assert_close(dict(network.named_parameters())[name], value)
    with pytest.raises(
        SettingsError, match=r"'widths': \[4, 4, 4, 4, 4\], .*\}; the recipe needs .*'widths': \[8,"
    ):
        train(replace(begun, widths=(8, 8, 8, 8, 8)), tmp_path / "c", "cpu")


def test_tensorboard_holds_curves_and_score_maps(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train(replace(TINY, steps=6), tmp_path, "cpu", [TensorBoard(tmp_path / "board", every=1)])
    board = EventAccumulator(str(tmp_path / "board")).Reload().Tags()
    assert {"validation/loss", "validation/hits"} <= set(board["scalars"])
    assert any(tag.startswith("validation/score_maps") for tag in board["images"])


def test_boxes_over_images_are_outlines_in_the_course_s_colours():
    boxes = {
        "truth": torch.tensor([[10.0, 20.0, 30.0, 40.0], [0.0, 0.0, 9.0, 9.0]]),
        "prediction": torch.tensor([[-50.0, 60.0, 400.0, 80.0], [500.0, 500.0, 9.0, 9.0]]),
        "from it": torch.tensor([[1.0, 1.0, 3.0, 3.0]] * 2),
    }
    images = torch.full((2, 3, 127, 127), 255, dtype=torch.uint8)
    drawn = boxes_over_images(boxes, images)
    truth, found = (
        torch.tensor([int(c[k : k + 2], 16) / 255 for k in (1, 3, 5)])
        for c in (plots.TRUTH, plots.PREDICTION)
    )
    assert (images == 255).all()  # the images themselves stay
    for y, x in ((20, 10), (20, 40), (60, 10), (45, 41)):
        torch.testing.assert_close(drawn[0, :, y, x], truth)
    assert (drawn[0, :, 40, 25] == 1).all()  # inside
    torch.testing.assert_close(drawn[0, :, 61, 80], found)  # a box that leaves the image is cut
    assert (drawn[0, :, 2, 2] == 1).all()  # others are not drawn


class TestSettings:
    """Recipes."""

    def test_the_shipped_recipes_load(self, project):
        for path in sorted((project / "recipes").glob("train_*.yaml")):
            assert load_settings(TrainSettings, path).steps > 0

    def test_unknown_keys_and_dotted_overrides(self):
        with pytest.raises(
            SettingsError, match="unknown key 'rate_strat'; did you mean 'rate_start'"
        ):
            load_settings(TrainSettings, None, {"rate_strat": "0.1"})
        changed = load_settings(TrainSettings, None, {"augmentation.jitter": "0.7", "steps": "3"})
        assert (
            changed.augmentation.jitter == 0.7
            and changed.augmentation.shift == 4
            and changed.steps == 3
        )
        with pytest.raises(SettingsError, match="unknown key 'jittre'; did you mean 'jitter'"):
            load_settings(TrainSettings, None, {"augmentation.jittre": "0.7"})

    def test_rate_falls_by_equal_factors(self):
        rates = [learning_rate(k, 5, 1e-2, 1e-6) for k in range(5)]
        np.testing.assert_allclose(rates, [1e-2, 1e-3, 1e-4, 1e-5, 1e-6])

    def test_smaller_sets_are_part_of_larger_ones_and_validation_stays(self):
        whole, held = split(range(100), 0.1, 1.0)
        assert len(held) == 10 and not set(held) & set(whole)
        before: set[int] = set()
        for fraction in (0.02, 0.08, 0.32, 1.0):
            used, again = split(range(100), 0.1, fraction)
            assert again == held and before <= set(used) and len(used) == round(fraction * 90)
            before = set(used)


def test_peak_distance_by_hand():
    response = torch.zeros(2, 17, 17)
    response[0, 8, 8], response[1, 5, 12] = 1, 1
    assert peak_distance(response, 8).tolist() == [0.0, 40.0]

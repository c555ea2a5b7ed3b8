"""The doctor: every fault and note with its remedy, on machines where something is missing."""

from __future__ import annotations

import argparse
import json
import os
import sys
import types
from pathlib import Path

import pytest

from course_lib.cli import doctor, main
from course_lib.cli.doctor import Finding


def found(findings: list[Finding], words: str) -> Finding:
    """The one finding with these words."""
    (one,) = [f for f in findings if words in f.what]
    return one


def all_findings(capsys) -> list[Finding]:
    main(["doctor", "--json"])
    return [Finding(**row) for row in json.loads(capsys.readouterr().out)]


def test_every_fault_has_a_remedy(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    findings = all_findings(capsys)
    assert {f.level for f in findings} == {"ok", "note"}
    assert all(bool(f.remedy) == (f.level != "ok") for f in findings)


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_an_invalid_data_root(kind, monkeypatch, tmp_path, capsys):
    root = tmp_path / "data"
    if kind == "file":
        root.write_text("")
    monkeypatch.setenv("COURSE_DATA", str(root))
    said = found(doctor.data(), "COURSE_DATA is")
    assert said.level == "lack" and "unset it" in said.remedy
    assert ("does not exist" if kind == "missing" else "is a file") in said.what
    assert main(["doctor"]) == 1


def test_benchmarks_are_found_and_empty_folders_are_not(monkeypatch, tmp_path):
    for name in ("otb/Dog", "vot2014/ball", "lasot"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    findings = doctor.data()
    assert found(findings, f"otb in {tmp_path}").level == "ok"
    assert found(findings, "VOT: vot2014").level == "ok"
    assert "data_scripts/lasot.py" in found(findings, "lasot is not in").remedy
    training = found(findings, "got10k/train is not in").remedy
    assert "data_scripts/got10k.py --split train`" in training


def test_an_unknown_profile_is_one_finding_among_the_others(monkeypatch, capsys):
    monkeypatch.setenv("COURSE_PROFILE", "nonsense")
    findings = all_findings(capsys)
    assert "unset COURSE_PROFILE" in found(findings, "COURSE_PROFILE is 'nonsense'").remedy
    assert len(findings) > 20
    assert main(["doctor"]) == 1


def test_a_package_that_is_missing_old_or_broken(monkeypatch):
    missing = doctor._package("no-such-package", "1.0")
    assert missing.level == "lack" and missing.remedy == doctor.INSTALL
    assert doctor._package("torch", "99.0").level == "lack"
    monkeypatch.setattr(
        doctor, "loading_fault", lambda module: "ImportError: libGL.so.1: cannot open"
    )
    broken = doctor._package("opencv-python", "4.10")
    assert "does not load: ImportError: libGL.so.1" in broken.what and "libgl1" in broken.remedy
    assert "--force-reinstall torch" in doctor._package("torch", "2.9").remedy


def test_opencv_under_another_name_is_opencv(monkeypatch):
    def version(name: str) -> str:
        if name == "opencv-python-headless":
            return "4.12.0"
        raise doctor.importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(doctor.importlib.metadata, "version", version)
    assert doctor._package("opencv-python", "4.10") == Finding("ok", "opencv-python 4.12.0")


def test_without_torch_the_rest_is_still_checked(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)  # as if it were not installed
    monkeypatch.delenv("COURSE_PROFILE", raising=False)
    assert doctor.loading_fault("torch").startswith("ModuleNotFoundError")
    levels = {f.what.split(" ")[0]: f for f in doctor.machine()}
    assert levels["without"].remedy == doctor.INSTALL
    assert any("of free disk" in f.what for f in doctor.machine())


def test_a_gpu_is_named_and_a_driver_without_one_too(monkeypatch):
    cuda = types.SimpleNamespace(
        is_available=lambda: True,
        is_bf16_supported=lambda: True,
        get_device_name=lambda k: "Card X",
        get_device_properties=lambda k: types.SimpleNamespace(total_memory=80 * 2**30),
    )
    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(cuda=cuda, __version__="2.9"))
    assert doctor._gpu() == Finding("ok", "GPU Card X, 80 GiB, bf16")
    cuda.is_available = lambda: False
    monkeypatch.setattr(doctor.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert "update its driver" in doctor._gpu().remedy


def test_folders_that_cannot_be_written(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    assert "is a file where a folder belongs" in doctor._writable(tmp_path / "file" / "runs").remedy

    def refuse(dir: Path) -> None:
        raise PermissionError(13, "Permission denied", str(dir))

    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refuse)
    said = doctor._writable(tmp_path / "runs")
    assert said.level == "lack" and "cannot be written (Permission denied)" in said.what
    assert f"change the permissions of {tmp_path}" in said.remedy
    assert not (tmp_path / "runs").exists()


def test_little_disk_and_memory(monkeypatch):
    monkeypatch.setattr(
        doctor.shutil, "disk_usage", lambda folder: types.SimpleNamespace(free=2**30)
    )
    assert doctor._disk().level == "note" and "2 GiB" in doctor._disk().remedy
    monkeypatch.setattr(os, "sysconf", lambda name: 2**15)
    assert doctor._memory()[0].what == "1.0 GiB of memory" and doctor._memory()[0].remedy


def test_lost_files_of_the_course(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "SHIPPED", tmp_path)
    assert [f.level for f in doctor.folders()[:3]] == ["lack"] * 3
    assert "git clone" in doctor.folders()[0].remedy


def test_requirements_are_those_of_the_project_or_of_the_installed_package(monkeypatch, tmp_path):
    from_project = list(doctor.requirements())
    assert ("torch", "2.9") in from_project and ("jupyterlab", "4.4") in from_project
    rows = ["torch>=2.9", 'jupyterlab>=4.4; extra == "lab"', 'pytest>=8.2; extra == "test"']
    monkeypatch.setattr(doctor, "SHIPPED", tmp_path)  # no pyproject.toml there
    monkeypatch.setattr(doctor.importlib.metadata, "requires", lambda name: rows)
    assert list(doctor.requirements()) == [("torch", "2.9"), ("jupyterlab", "4.4")]


def test_one_remedy_for_several_faults_is_printed_once(monkeypatch, capsys):
    rows = [Finding("lack", "a", "do x"), Finding("lack", "b", "do x"), Finding("ok", "c")]
    for name in ("packages", "machine", "programs", "folders", "widgets", "data"):
        monkeypatch.setattr(doctor, name, lambda: [])
    monkeypatch.setattr(doctor, "packages", lambda: rows)
    assert doctor.run(argparse.Namespace(json=False)) == 1
    assert capsys.readouterr().out.splitlines() == ["lack  a", "lack  b", "      → do x", "ok    c"]

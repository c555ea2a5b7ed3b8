"""On which processors networks run in bfloat16 when nobody says."""

from __future__ import annotations

import pytest
import torch

from course_lib.models import device

EPYC, XEON = "AMD EPYC 9B14", "Intel(R) Xeon(R) Platinum 8481C"


@pytest.mark.parametrize(
    ("name", "features", "expected"),
    [
        (EPYC, {"avx512_bf16"}, True),
        (EPYC, set(), False),
        (XEON, {"avx512_bf16"}, False),  # measured: convolutions take 1.3 to 2 times as long
        (XEON, {"avx512_bf16", "amx_tile"}, True),
        ("arm", set(), False),
    ],
)
def test_bfloat16_on_a_processor(monkeypatch, name, features, expected):
    for feature in ("avx512_bf16", "amx_tile"):
        monkeypatch.setattr(
            torch.cpu, f"_is_{feature}_supported", lambda f=feature: f in features, raising=False
        )
    monkeypatch.setattr(device, "cpu_name", lambda: name)
    assert device.has_bf16(torch.device("cpu")) is expected
    assert device.choose_placement("cpu").bf16 is expected


def test_a_pytorch_that_cannot_say_means_single_precision(monkeypatch):
    for feature in ("avx512_bf16", "amx_tile"):
        monkeypatch.delattr(torch.cpu, f"_is_{feature}_supported", raising=False)
    assert device.has_bf16(torch.device("cpu")) is False


def test_bfloat16_can_be_asked_for_anywhere(monkeypatch):
    monkeypatch.setattr(device, "has_bf16", lambda device: False)
    assert device.choose_placement("cpu", "bf16").bf16
    assert not device.choose_placement("cpu", "fp32").bf16

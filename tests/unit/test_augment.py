"""Photometric jitter and blur of a batch, against values worked by hand and OpenCV's blur."""

from __future__ import annotations

import cv2
import numpy as np
import torch

from course_lib.data.augment import gaussian_blur, photometric_jitter
from course_lib.data.pairs import JITTER, Augmentation

PLAIN = torch.tensor([[1.0, 1, 1, 1, 1, 0, 0, 0]])


def changed(**values) -> torch.Tensor:
    """One row of jitter with some columns set."""
    names = ("gain", "contrast", "red", "green", "blue", "grey", "along_x", "along_y")
    row = PLAIN.clone()
    for name, value in values.items():
        row[0, names.index(name)] = value
    return row


def crops(seed: int = 0, b: int = 1) -> torch.Tensor:
    """Random crops (b, 3, 20, 20) uint8 of medium brightness."""
    return torch.from_numpy(
        np.random.default_rng(seed).integers(60, 150, (b, 3, 20, 20), dtype=np.uint8)
    )


def test_no_jitter_leaves_crops_unchanged():
    x = crops()
    assert torch.equal(photometric_jitter(x, PLAIN), x.float())


def test_gain_tint_and_contrast_by_hand():
    x = crops()
    torch.testing.assert_close(photometric_jitter(x, changed(gain=1.2)), x.float() * 1.2)
    tinted = photometric_jitter(x, changed(red=1.3))
    torch.testing.assert_close(tinted[:, 0], x[:, 0].float() * 1.3)
    torch.testing.assert_close(tinted[:, 1:], x[:, 1:].float())
    flat = photometric_jitter(x, changed(contrast=0.5))
    assert torch.allclose(flat.mean(), x.float().mean(), atol=1e-3)
    assert torch.allclose(flat.std(), x.float().std() * 0.5, atol=1e-3)


def test_grey_makes_channels_equal_and_keeps_no_tint():
    out = photometric_jitter(crops(), changed(grey=1, red=1.5))
    assert torch.equal(out[:, 0], out[:, 1]) and torch.equal(out[:, 0], out[:, 2])


def test_values_stay_within_a_byte():
    out = photometric_jitter(crops(), changed(gain=9.0))
    assert float(out.max()) == 255


def test_blur_is_opencvs():
    x = crops(b=2).float()
    sigmas = torch.tensor([[1.5, 0.7], [0.4, 2.0]])
    for k, out in enumerate(gaussian_blur(x, sigmas)):
        image = x[k].permute(1, 2, 0).numpy()
        expected = cv2.GaussianBlur(
            image,
            (13, 13),
            float(sigmas[k, 0]),
            sigmaY=float(sigmas[k, 1]),
            borderType=cv2.BORDER_REPLICATE,
        )
        np.testing.assert_allclose(out.permute(1, 2, 0).numpy(), expected, atol=1e-2)


def test_a_crop_does_not_depend_on_its_neighbours():
    x = crops(b=3)
    jitter = torch.from_numpy(
        np.stack(
            [
                Augmentation(grey=0.5, blur=0.9).draw_jitter(np.random.default_rng(k))[1]
                for k in range(3)
            ]
        )
    )
    together = photometric_jitter(x, jitter)
    for k in range(3):
        torch.testing.assert_close(
            photometric_jitter(x[k : k + 1], jitter[k : k + 1])[0], together[k]
        )


def test_augmentation_of_zero_draws_no_jitter():
    augmentation = Augmentation(
        shift=0, stretch=0, rotation=0, aspect_change=0, mirror=0, jitter=0, tint=0, grey=0, blur=0
    )
    rng = np.random.default_rng(0)
    assert augmentation.draw_geometry(rng) == (1.0, 0.0, 1.0)
    np.testing.assert_array_equal(
        augmentation.draw_jitter(rng), np.repeat(PLAIN.numpy(), 2, axis=0)
    )
    assert PLAIN.shape[1] == JITTER

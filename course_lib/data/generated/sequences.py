"""A generated sequence: its specification, and how it is made from its seed.

Ground truth is exact: the box around the target's outline in each frame, clipped at the frame's
edge. Like OTB's boxes, it covers the whole target even behind an occluder; a target wholly outside
the frame has a row of NaN.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from course_lib.data.generated.motion import Poses, smooth_curve
from course_lib.data.generated.render import Actor, RenderedFrames, Stage, silhouette
from course_lib.data.generated.sources import (
    Cutout,
    painted_texture,
    random_cutout,
    random_outline,
    scene,
)
from course_lib.data.sequence import Sequence
from course_lib.geometry.boxes import area, from_corners


@dataclass(frozen=True)
class SequenceSpec:
    """What a sequence shows; 0 or False switches a property off."""

    name: str
    seed: int
    length: int = 80  # frames
    height: int = 240  # pixels
    width: int = 320  # pixels
    size: float = 52.0  # mean side of the target in frame 0, pixels
    scene: str = "coffee"  # photograph in the background
    texture: str | None = None  # photograph the target is cut from; None: a painted texture
    roam: float = 0.5  # how far the target moves, as a fraction of the way to the frame's edge
    period: float = 30.0  # frames between two turning points of its path
    camera: float = 12.0  # how far the camera sways, pixels
    scale: float = 1.0  # largest factor by which its size changes, up or down
    rotation: float = 0.0  # largest in-plane rotation, radians
    # out-of-plane rotation: fraction of its width lost to foreshortening, 0…0.8
    squash: float = 0.0
    bend: float = 0.0  # deformation: fraction of its outline's radius
    illumination: float = 0.0  # fraction by which brightness drops and recovers, 0…0.8
    blur: float = 0.0  # fraction of a frame's time during which the shutter is open, 0…1
    noise: float = 2.0  # standard deviation of the sensor's noise, grey values
    occluders: int = 0  # objects that pass in front of it
    distractors: int = 0  # look-alikes that move nearby
    clutter: bool = False  # the background has the target's own texture
    leaves: bool = False  # it leaves the view and comes back
    grey: bool = False  # no colour


def make_sequence(spec: SequenceSpec) -> Sequence:
    """The sequence of a spec; its frames are drawn on demand.

    Tags per frame: "visible" (T,), the fraction in [0, 1] of the target's area that is inside the
    frame and not occluded; "occlusion" (T,) bool, whether an occluder covers part of it; and, if
    there are look-alikes, "alike" (T, k, 4), their boxes (NaN outside the frame).
    """
    rng = np.random.default_rng(spec.seed)
    cutout = random_cutout(rng, spec.texture)
    target = Actor(cutout, _target_poses(rng, spec, len(cutout.outline)))
    behind = [_distractor(rng, spec, cutout, target.poses, k) for k in range(spec.distractors)]
    front = [_occluder(rng, spec, target.poses, k) for k in range(spec.occluders)]
    stage = Stage(
        backdrop=_backdrop(spec, cutout),
        camera=_camera(rng, spec),
        actors=(*behind, target, *front),
        target=len(behind),
        height=spec.height,
        width=spec.width,
        illumination=1
        - spec.illumination
        * (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(spec.length) / min(spec.length, 40))),
        blur=spec.blur,
        noise=spec.noise,
        grey=spec.grey,
        seed=spec.seed,
    )
    boxes = _boxes_of(target, spec)
    visible, covered = _visibility(stage)
    tags = {"visible": visible, "occlusion": covered}
    if behind:
        tags["alike"] = np.stack([_boxes_of(actor, spec) for actor in behind], 1)  # (T, k, 4)
    return Sequence(
        spec.name,
        RenderedFrames(stage),
        boxes,
        attributes_of(spec, boxes, covered),
        tags=tags,
        fps=25.0,
    )


def attributes_of(spec: SequenceSpec, boxes: np.ndarray, covered: np.ndarray) -> frozenset[str]:
    """The OTB tags of a sequence: from the boxes where OTB defines them by numbers, else from the spec.

    Args:
        spec: specification of the sequence.
        boxes: (T, 4) ground truth, NaN where the target is absent.
        covered: (T,) bool, whether an occluder covers part of the target.
    """
    there = ~np.isnan(boxes[:, 0])  # (T,)
    seen = boxes[there]
    ratio = area(seen) / area(seen[0])
    centres = boxes[:, :2] + boxes[:, 2:] / 2  # (T, 2)
    steps = np.linalg.norm(np.diff(centres, axis=0), axis=1)  # (T - 1,)
    edge = (
        (seen[:, 0] <= 0)
        | (seen[:, 1] <= 0)
        | (seen[:, :2] + seen[:, 2:] >= [spec.width, spec.height]).any(axis=1)
    )
    tags = {
        "IV": spec.illumination > 0.2,
        "SV": bool((ratio > 2).any() or (ratio < 0.5).any()),
        "OCC": bool(covered.any()),
        "DEF": spec.bend > 0.1,
        "MB": spec.blur > 0.3,
        "FM": bool(np.nanmax(steps) > 20),
        "IPR": spec.rotation > 0.3,
        "OPR": spec.squash > 0.2,
        "OV": bool((~there).any() or edge.any()),
        "BC": spec.clutter or spec.distractors > 0,
        "LR": bool((area(seen) < 400).any()),
    }
    return frozenset(name for name, holds in tags.items() if holds)


def _target_poses(rng: np.random.Generator, spec: SequenceSpec, points: int) -> Poses:
    """The target's poses along a random path that starts in the central region."""
    T = spec.length
    reach = spec.roam * (np.array([spec.width, spec.height]) / 2 - spec.size * 0.75)  # (2,) pixels
    start = np.array([spec.width, spec.height]) / 2 + rng.uniform(-0.3, 0.3, 2) * reach
    path = start + reach * smooth_curve(rng, T, 2, spec.period)  # (T, 2)
    if spec.leaves:
        path[:, 0] += (
            (spec.width / 2 + spec.size)
            * np.exp(-(((np.arange(T) - 0.55 * T) / (0.09 * T)) ** 2))
            * 1.3
        )
    growth = spec.scale ** smooth_curve(rng, T, 1, T / 2.5)[:, 0]  # (T,)
    thin = 1 - spec.squash * np.abs(smooth_curve(rng, T, 1, 25)[:, 0]).clip(0, 1)  # (T,)
    half = spec.size / 2 / 0.9 * growth[:, None] * np.column_stack([thin, np.ones(T)])  # (T, 2)
    return Poses(
        path, half, spec.rotation * smooth_curve(rng, T, 1, 30)[:, 0], _bends(rng, spec, T, points)
    )


def _bends(rng: np.random.Generator, spec: SequenceSpec, T: int, points: int) -> np.ndarray:
    """Factors (T, points) on the outline's radius: two waves around it whose strength varies
    slowly."""
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)  # (points,)
    strength = spec.bend * smooth_curve(rng, T, 2, 14)  # (T, 2)
    return 1 + strength[:, :1] * np.cos(2 * angle) + strength[:, 1:] * np.sin(3 * angle)


def _distractor(
    rng: np.random.Generator, spec: SequenceSpec, like: Cutout, target: Poses, k: int
) -> Actor:
    """A look-alike: the target's own texture in another outline, on a path that starts beside the
    target and crosses it."""
    T = spec.length
    side = 1 if k % 2 == 0 else -1
    # (2,)
    offset = side * np.array([spec.size * (1.9 + 0.7 * k), spec.size * rng.uniform(-0.8, 0.8)])
    # (T, 1): from +1 over 0 to the other side
    swing = np.cos(np.pi * np.arange(T) / T * rng.uniform(1.1, 1.6))[:, None]
    path = target.centre + offset * swing + 0.25 * spec.size * smooth_curve(rng, T, 2, 20)
    alike = Cutout(like.rgb[:, ::-1].copy(), random_outline(rng))
    half = target.half * rng.uniform(0.9, 1.1)
    return Actor(alike, Poses(path, half, target.angle, np.ones((T, len(alike.outline)))))


def _occluder(rng: np.random.Generator, spec: SequenceSpec, target: Poses, k: int) -> Actor:
    """A larger piece that crosses the target's path once, in front of it."""
    T = spec.length
    when = T * (0.35 + 0.4 * k / max(spec.occluders - 1, 1) + rng.uniform(-0.03, 0.03))
    heading = rng.uniform(0, 2 * np.pi)
    # pixels per frame: it covers the target for about a dozen frames
    speed = spec.size / rng.uniform(5, 8)
    # (T, 2)
    away = (np.arange(T) - when)[:, None] * speed * np.array([np.cos(heading), np.sin(heading)])
    half = np.full((T, 2), spec.size * rng.uniform(0.55, 0.75))
    piece = Cutout(painted_texture(rng), random_outline(rng, roughness=0.1))
    return Actor(
        piece, Poses(target.centre + away, half, np.zeros(T), np.ones((T, len(piece.outline))))
    )


def _backdrop(spec: SequenceSpec, cutout: Cutout) -> np.ndarray:
    """The background image, with a margin for the camera's sway."""
    margin = int(np.ceil(spec.camera * 1.2)) + 2
    height, width = spec.height + 2 * margin, spec.width + 2 * margin
    if not spec.clutter:
        return scene(spec.scene, height, width)
    tile = np.concatenate([cutout.rgb, cutout.rgb[:, ::-1]], axis=1)
    tile = np.concatenate([tile, tile[::-1]], axis=0)  # mirrored at its edges, so no seam shows
    repeats = (height // len(tile) + 1, width // len(tile) + 1, 1)
    tiled = np.tile(tile, repeats)[:height, :width]
    return (0.75 * tiled + 0.25 * scene(spec.scene, height, width)).astype(np.uint8)


def _camera(rng: np.random.Generator, spec: SequenceSpec) -> np.ndarray:
    """The frame's corner (T, 2) on the backdrop."""
    margin = int(np.ceil(spec.camera * 1.2)) + 2
    return margin + spec.camera * smooth_curve(rng, spec.length, 2, 25)


def _boxes_of(actor: Actor, spec: SequenceSpec) -> np.ndarray:
    """Boxes (T, 4) around an actor's outline, clipped at the frame's edge; NaN where a side is
    shorter than a pixel."""
    limit = np.array([spec.width, spec.height])
    rows = []
    for t in range(spec.length):
        contour = actor.poses.contour(actor.cutout.outline, t)  # (n, 2)
        low, high = np.clip(contour.min(axis=0), 0, limit), np.clip(contour.max(axis=0), 0, limit)
        gone = (high - low < 1).any()
        rows.append(np.full(4, np.nan) if gone else from_corners(np.concatenate([low, high])))
    return np.array(rows)


def _visibility(stage: Stage) -> tuple[np.ndarray, np.ndarray]:
    """The visible fraction (T,) of the target, and whether (T,) an occluder covers more than 2 % of
    it."""
    T = len(stage.camera)
    visible, covered = np.zeros(T), np.zeros(T, dtype=bool)
    target, front = stage.actors[stage.target], stage.actors[stage.target + 1 :]
    for t in range(T):
        mask = silhouette(target, t, stage.height, stage.width) > 127  # (H, W)
        contour = target.poses.contour(target.cutout.outline, t)  # (n, 2)
        x, y = contour.T
        # shoelace formula, square pixels
        whole = 0.5 * abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))
        inside = mask.sum()
        for actor in front:
            mask &= silhouette(actor, t, stage.height, stage.width) <= 127
        visible[t] = min(mask.sum() / whole, 1.0)
        covered[t] = mask.sum() < 0.98 * inside
    return visible, covered

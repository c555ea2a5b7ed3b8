"""The generated benchmarks: sequences made by code, with nothing to download and exact ground truth,
the same on every machine.

A benchmark's version is part of its name. Any change to a pixel or a box makes a new version, so
numbers stay comparable.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from course_lib.data.generated.sequences import SequenceSpec, make_sequence
from course_lib.data.generated.sources import SCENES
from course_lib.data.sequence import Benchmark

__all__ = [
    "SPECS",
    "SequenceSpec",
    "alike_benchmark",
    "generated_benchmark",
    "make_sequence",
    "random_spec",
]

SPECS = (
    SequenceSpec("gen-01-plain", 101, scene="coffee", texture="chelsea"),
    SequenceSpec(
        "gen-02-plain-grey", 102, scene="motorcycle", texture="astronaut", grey=True, period=24
    ),
    SequenceSpec("gen-03-occlusion", 103, scene="astronaut", texture="motorcycle", occluders=2),
    SequenceSpec(
        "gen-04-occlusion-grey",
        104,
        scene="gravel",
        texture="chelsea",
        occluders=2,
        grey=True,
        roam=0.7,
    ),
    SequenceSpec("gen-05-scale", 105, scene="coffee", scale=1.8),
    SequenceSpec(
        "gen-06-scale-rotation", 106, scene="chelsea", texture="motorcycle", scale=1.7, rotation=0.8
    ),
    SequenceSpec("gen-07-rotation", 107, scene="brick", texture="coffee", rotation=1.0),
    SequenceSpec("gen-08-rotation-light", 108, scene="motorcycle", rotation=0.6, illumination=0.6),
    SequenceSpec("gen-09-light", 109, scene="rocket", texture="astronaut", illumination=0.7),
    SequenceSpec(
        "gen-10-light-noise-grey",
        110,
        scene="grass",
        texture="motorcycle",
        illumination=0.6,
        noise=12,
        grey=True,
    ),
    SequenceSpec("gen-11-deformation", 111, scene="gravel", bend=0.3),
    SequenceSpec(
        "gen-12-deformation-turning", 112, scene="coffee", texture="chelsea", bend=0.25, squash=0.5
    ),
    SequenceSpec("gen-13-turning", 113, scene="astronaut", squash=0.6),
    SequenceSpec(
        "gen-14-turning-scale", 114, scene="grass", texture="coffee", squash=0.45, scale=1.7
    ),
    SequenceSpec("gen-15-fast", 115, scene="chelsea", roam=1.0, period=8, length=70),
    SequenceSpec(
        "gen-16-fast-blur",
        116,
        scene="motorcycle",
        texture="coffee",
        roam=0.9,
        period=9,
        blur=0.8,
        length=70,
    ),
    SequenceSpec(
        "gen-17-blur", 117, scene="brick", texture="astronaut", roam=0.8, period=14, blur=1.0
    ),
    SequenceSpec("gen-18-distractors", 118, scene="coffee", texture="chelsea", distractors=2),
    SequenceSpec("gen-19-distractors-occlusion", 119, scene="gravel", distractors=2, occluders=1),
    SequenceSpec("gen-20-clutter", 120, scene="grass", texture="motorcycle", clutter=True),
    SequenceSpec(
        "gen-21-leaves", 121, scene="astronaut", texture="coffee", leaves=True, length=100
    ),
    SequenceSpec("gen-22-leaves-scale", 122, scene="rocket", leaves=True, scale=1.6, length=100),
    SequenceSpec("gen-23-small", 123, scene="motorcycle", size=17, roam=0.6),
    SequenceSpec(
        "gen-24-small-fast-grey",
        124,
        scene="coffee",
        texture="chelsea",
        size=18,
        roam=0.9,
        period=9,
        grey=True,
    ),
)


def _alike(number: int) -> SequenceSpec:
    """Spec of a random sequence with two or three look-alikes."""
    return random_spec(
        20_000 + number, name=f"gen-alike-{number:02d}", length=80, distractors=2 + number % 2
    )


def generated_benchmark() -> Benchmark:
    """The benchmark "generated-v1"."""
    return Benchmark("generated-v1", tuple(make_sequence(spec) for spec in SPECS))


def alike_benchmark() -> Benchmark:
    """The benchmark "generated-alike-v1": 40 sequences whose targets pass look-alikes."""
    return Benchmark(
        "generated-alike-v1", tuple(make_sequence(_alike(number)) for number in range(1, 41))
    )


def random_spec(seed: int, **switches) -> SequenceSpec:
    """A spec drawn at random from a seed, for training and for choosing settings; `switches`
    override its fields.

    No seed of generated-v1's own sequences is reused: those of these sequences start at a million.
    Seeds 20,001 to 20,040 make the benchmark of look-alikes: use others for training and for
    choosing settings.
    """
    rng = np.random.default_rng([1_000_000, seed])
    some = {
        "scale": rng.uniform(1.0, 2.0),
        "rotation": rng.uniform(0, 0.8),
        "squash": rng.uniform(0, 0.5),
    }
    some |= {
        "bend": rng.uniform(0, 0.25),
        "illumination": rng.uniform(0, 0.6),
        "blur": rng.uniform(0, 0.8),
    }
    kept = {name: float(value) for name, value in some.items() if rng.random() < 0.4}
    spec = SequenceSpec(
        f"random-{seed}",
        1_000_000 + seed,
        size=float(rng.uniform(24, 72)),
        scene=str(rng.choice(SCENES)),
        texture=None if rng.random() < 0.4 else str(rng.choice(SCENES[:4])),
        roam=float(rng.uniform(0.3, 0.9)),
        period=float(rng.uniform(10, 35)),
        occluders=int(rng.random() < 0.3),
        distractors=int(rng.integers(0, 3)) if rng.random() < 0.4 else 0,
        grey=bool(rng.random() < 0.25),
        **kept,
    )
    return replace(spec, **switches)

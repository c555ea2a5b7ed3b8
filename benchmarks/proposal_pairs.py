"""Which anchors count, and what do proposals add to them? On held-out pairs of a recipe.

python benchmarks/proposal_pairs.py --write results/proposal_pairs.json

Each network sees the validation pairs of the recipe on its own card, which it was not trained on;
the positive ones count. By network: the IoU of the most probable proposal with the true box, of the
anchor nearest to the target, of the proposal from that anchor, and of the guide if the network is
guided; for the shipped SiamRPN also the true boxes. Nothing is trained, nothing is tuned. Lesson 07
reads the file: how many positives a pair has under a threshold, and how much the offsets and the
choice are worth.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import fields

import torch
from measure import one_thread, options_of, write_results

from course_lib.data.loader import batches
from course_lib.geometry.anchors import overlaps
from course_lib.models.weights import find_weights, load_network, read_card
from course_lib.recipe import load_settings
from course_lib.training.settings import ProposalSettings, TrainSettings
from course_lib.training.sources import make_sources
from course_lib.training.tasks import make_task
from course_lib.training.validation import VALIDATION_SEED

NETWORKS = ("siamrpn", "siamrpn-sized", "heads-concat")  # the last is guided
BATCH = 16


def recipe_of(name: str) -> TrainSettings:
    """The recipe on a network's card; an old card may name settings that no longer exist."""
    kept = read_card(find_weights(name))["recipe"]
    known = {field.name for field in fields(ProposalSettings)}
    proposals = {key: value for key, value in kept["proposals"].items() if key in known}
    return load_settings(TrainSettings, None, kept | {"proposals": proposals})


@torch.no_grad()
def seen(name: str, count: int) -> tuple[list[list[float]], dict[str, list[float]]]:
    """The true boxes of a network's held-out pairs, and the IoU of the others with them.

    Args:
        name: of the network's weights.
        count: of the pairs, the negative ones among them.
    """
    settings = recipe_of(name)
    task, held_out = make_task(settings, load_network(name).eval()), make_sources(settings)[1]
    true, ious = [], defaultdict(list)
    for cut in batches(held_out, VALIDATION_SEED, BATCH, 0, max(count // BATCH, 1)):
        batch = cut.jittered(torch.device("cpu"))
        boxes = task.boxes(task.network(*task.inputs(batch)), batch)
        true += [[round(v, 2) for v in box] for box in boxes.pop("truth")[batch.positive].tolist()]
        for what, found in boxes.items():
            overlap = overlaps(found, batch.box).diagonal()[batch.positive]
            ious[what] += [round(v, 4) for v in overlap.tolist()]
    return true, dict(ious)


def main() -> None:
    """Measure, print, write."""
    parser = options_of(__doc__)
    parser.add_argument("--pairs", type=int, default=256, help="held-out pairs, negative ones too")
    options = parser.parse_args()
    table = {"iou": {}}
    with one_thread():
        for name in NETWORKS:
            true, ious = seen(name, options.pairs)
            table.setdefault("boxes", true)  # of the first
            table["iou"][name] = ious
            means = ", ".join(f"{what} {sum(v) / len(v):.3f}" for what, v in ious.items())
            print(f"{name}: mean IoU on {len(true)} pairs: {means}")
    write_results(options.write, table, "cpu")


if __name__ == "__main__":
    main()

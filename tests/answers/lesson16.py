"""Right answers of lesson 16 in other styles."""

from __future__ import annotations

from itertools import groupby

import numpy as np
import torch


def runs_as_array(usable, spacing, reach):
    """An array of pairs, in floating point."""
    T = len(usable)
    found = {}
    for wanted in np.unique(np.append(np.arange(0, T - 1, spacing), T - 1)):
        near = [t for t in range(T) if usable[t] and abs(t - wanted) <= reach]
        if near:
            t = min(near, key=lambda t: (abs(t - wanted), t))
            found[t] = T - 1 if 2 * t <= T - 1 else 0
    return np.array(sorted(found.items()), dtype=float)


def runs_by_steps(usable, spacing, reach):
    """Steps away from each wanted frame."""
    T, starts = len(usable), []
    for wanted in [t for t in range(T) if t % spacing == 0 and t < T - 1] + [T - 1]:
        for step in sorted(range(-reach, reach + 1), key=lambda s: (abs(s), s)):
            t = wanted + step
            if 0 <= t < T and usable[t]:
                starts.append(t)
                break
    return [[t, T - 1 if T - 1 - t >= t else 0] for t in dict.fromkeys(sorted(starts))]


def runs_in_torch(usable, spacing, reach):
    """Distances of all usable frames from all wanted ones."""
    T = len(usable)
    at = torch.from_numpy(np.flatnonzero(usable))
    wanted = torch.tensor([*range(0, T - 1, spacing), T - 1])
    away = (at[None] - wanted[:, None]).abs()  # (W, n)
    nearest = (away * 1000 + torch.arange(len(at))).argmin(1)
    kept = away[range(len(wanted)), nearest] <= reach
    t = torch.unique(at[nearest][kept])
    return torch.stack([t, torch.where(2 * t <= T - 1, T - 1, 0)], 1)


def progress_as_array(overlaps, present, grace):
    """Sums over windows; an array of one number."""
    bad = ((overlaps <= 0.1) & present).astype(int)
    if len(bad) < grace:
        return np.array([len(bad)])
    rows = np.convolve(bad, np.ones(grace, dtype=int), mode="valid")
    full = np.flatnonzero(rows == grace)
    return np.array([full[0] if len(full) else len(bad)])


def progress_by_groups(overlaps, present, grace):
    """Rows of equal frames."""
    t = 0
    for bad, row in groupby(o <= 0.1 and bool(p) for o, p in zip(overlaps, present, strict=True)):
        length = len(list(row))
        if bad and length >= grace:
            return t
        t += length
    return t


def progress_by_windows(overlaps, present, grace):
    """Window by window."""
    N = len(overlaps)
    for t in range(N - grace + 1):
        if present[t : t + grace].all() and overlaps[t : t + grace].max() <= 0.1:
            return t
    return N


def scores_as_list(sequences, lengths):
    """Sequence by sequence, an array for a tuple."""
    A, R, kept = [], [], []
    for runs in sequences:
        frames = sum(P for _, P in runs)
        A.append(sum(float(o[:P].sum()) for o, P in runs) / max(frames, 1))
        R.append(frames / sum(o.size for o, _ in runs))
        kept.append(frames)
    weights = np.array(lengths) / sum(lengths)
    return np.array([np.dot(A, kept) / sum(kept), np.dot(R, weights)])


def scores_in_loops(sequences, lengths):
    """Plain numbers."""
    above = below = weighted = 0.0
    for runs, length in zip(sequences, lengths, strict=True):
        before = after = 0
        for overlaps, P in runs:
            for t, o in enumerate(overlaps):
                if t < P:
                    above, before = above + o, before + 1
                else:
                    after += 1
        below += before
        weighted += length * before / (before + after)
    return [above / below, weighted / sum(lengths)]


def scores_in_torch(sequences, lengths):
    """Tensors."""
    kept = torch.cat([torch.from_numpy(o[:P]) for runs in sequences for o, P in runs])
    shares = torch.tensor(
        [
            sum(P for _, P in runs) / sum(map(len, next(zip(*runs, strict=True))))
            for runs in sequences
        ]
    ).double()
    weights = torch.tensor(lengths).double()
    return kept.mean(), (shares * weights).sum() / weights.sum()


def curve_as_list(runs, high):
    """Plain numbers in a list."""
    curve = [0.0]
    for j in range(1, high):
        values = []
        for overlaps, P in runs:
            before = [float(o) for o in overlaps[1:P]]
            if len(overlaps) > j:
                values.append(sum(before[:j]) / j)
            elif len(overlaps) > P:
                values.append(sum(before) / (j - 1))
        curve.append(sum(values) / len(values) if values else 0.0)
    return curve


def curve_by_rows(runs, high):
    """A row for each run, NaN where it does not count."""
    rows = np.full((len(runs), high), np.nan)
    j = np.arange(high)
    for row, (overlaps, P) in zip(rows, runs, strict=True):
        N = len(overlaps)
        o = np.where(np.arange(N) < P, overlaps, 0.0)
        o[0] = 0
        sums = np.append(np.cumsum(o), [o.sum()] * high)[:high]
        reached = (j >= 1) & (j < N)
        row[reached] = sums[reached] / j[reached]
        if P < N:
            beyond = j >= N
            row[beyond] = sums[beyond] / (j[beyond] - 1)
    counted = np.isfinite(rows)
    return np.where(counted, rows, 0).sum(0) / np.maximum(counted.sum(0), 1)


def curve_in_torch(runs, high):
    """Running sums in torch."""
    total, count = torch.zeros(high, dtype=torch.float64), torch.zeros(high)
    for overlaps, P in runs:
        o = torch.from_numpy(overlaps).clone()
        o[P:], N = 0, len(overlaps)
        end = min(N, high)
        total[1:end] += o[1:end].cumsum(0) / torch.arange(1, end)
        count[1:end] += 1
        if P < N < high:
            total[N:] += o[1:].sum() / (torch.arange(N, high) - 1)
            count[N:] += 1
    return total / count.clamp(min=1)


def quality_as_array(overlaps, present, reported):
    """Counts, an array for a tuple."""
    gone, noticed = (~present).sum(), (~present & ~reported).sum()
    whole = (overlaps.sum() + noticed) / len(overlaps)
    hit = np.logical_and(present, overlaps > 0).sum() / present.sum()
    return np.array([whole, hit, noticed / gone if gone > 10 else np.nan])


def quality_in_loops(overlaps, present, reported):
    """Frame by frame."""
    total, hits, there, noticed, gone = 0.0, 0, 0, 0, 0
    for o, p, r in zip(overlaps, present, reported, strict=True):
        if p:
            there += 1
            hits += o > 0
            total += o if r else 0.0
        else:
            gone += 1
            noticed += not r
            total += not r
    detected = noticed / gone if gone > 10 else float("nan")
    return [total / len(overlaps), hits / there, detected]


def quality_in_torch(overlaps, present, reported):
    """Tensors."""
    o, there, given = (torch.from_numpy(a) for a in (overlaps, present, reported))
    noticed = ~(there | given)
    found = noticed.double().sum() / (~there).sum()
    return (
        torch.where(noticed, 1.0, o).mean(),
        (o[there] > 0).double().mean(),
        found if (~there).sum() > 10 else torch.tensor(torch.nan),
    )


def f_as_array(overlaps, scores, present, threshold):
    """An array for a tuple."""
    own = overlaps[scores >= threshold]
    p = own.mean() if own.size else 1.0
    r = own.sum() / np.count_nonzero(present)
    return np.array([p, r, 2 / (1 / p + 1 / r) if p > 0 and r > 0 else 0.0])


def f_in_loops(overlaps, scores, present, threshold):
    """Frame by frame."""
    total = given = there = 0.0
    for o, s, p in zip(overlaps, scores, present, strict=True):
        there += bool(p)
        if s >= threshold:
            total, given = total + o, given + 1
    p, r = (total / given if given else 1.0), total / there
    return [p, r, 2 * p * r / (p + r)]


def f_by_dice(overlaps, scores, present, threshold):
    """F from the sums at once."""
    chosen = (scores >= threshold).astype(float)
    total, count, there = chosen @ overlaps, chosen.sum(), present.sum()
    if count == 0:
        return 1.0, 0.0, 0.0
    return total / count, total / there, 2 * total / (count + there)


RIGHT = {
    "today.runs": [runs_as_array, runs_by_steps, runs_in_torch],
    "today.progress": [progress_as_array, progress_by_groups, progress_by_windows],
    "today.scores": [scores_as_list, scores_in_loops, scores_in_torch],
    "today.curve": [curve_as_list, curve_by_rows, curve_in_torch],
    "today.quality": [quality_as_array, quality_in_loops, quality_in_torch],
    "today.fault": [f_as_array, f_in_loops, f_by_dice],
}
RANDOM: set[str] = set()

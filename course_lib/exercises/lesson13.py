"""Check of lesson 13: products with a Jacobian that is never formed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from course_lib.exercises.compare import as_array, same
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.models.optimise import Linearised

Product = Callable[[Tensor], Tensor]
Residuals = Callable[[Tensor], Tensor]


def linearised(residuals: Residuals, w: Tensor) -> tuple[Tensor, Product, Product]:
    """r at w, and the products with its Jacobian there: v ↦ Jᵀv and d ↦ J d.

    Args:
        residuals: w (n,) to r (m,).
        w: (n,).
    """
    local = Linearised(residuals, (w,))
    return local.r.detach(), lambda v: local.transposed(v)[0], lambda d: local.times((d,))


def _with(**changed):
    """A mistake: another r, Jᵀv or J d, each (right's three, residuals, w) → it."""

    def answer(right, residuals, w):
        own = dict(zip(("r", "transposed", "times"), right(residuals, w), strict=True))
        return tuple({**own, **{k: f(own, residuals, w) for k, f in changed.items()}}.values())

    return answer


def _gathering(own, residuals, w):
    """Jᵀv read from .grad, which adds up from call to call."""
    w = w.detach().requires_grad_()
    r = residuals(w)

    def transposed(v):
        r.backward(v, retain_graph=True)
        return w.grad.clone()

    return transposed


def _once(own, residuals, w):
    """Jᵀv whose graph is freed by the first call."""
    w = w.detach().requires_grad_()
    r = residuals(w)
    return lambda v: torch.autograd.grad(r, w, v)[0]


def _no_graph(own, residuals, w):
    """J d by a Jᵀu that keeps no graph of its own."""
    w = w.detach().requires_grad_()
    u = torch.zeros_like(r := residuals(w), requires_grad=True)
    (of_u,) = torch.autograd.grad(r, w, u, retain_graph=True)
    return lambda d: torch.autograd.grad(of_u, u, d, retain_graph=True)[0]


def _no_gradient(own, residuals, w):
    """Jᵀv for a w that requires no gradient."""
    r = residuals(w)
    return lambda v: torch.autograd.grad(r, w, v, retain_graph=True)[0]


def _dense(own, residuals, w):
    """J d with J formed row by row."""
    J = torch.autograd.functional.jacobian(residuals, w)  # (m, n)
    return lambda d: J @ d


@check(
    "online.products",
    reference=linearised,
    learns=False,
    mistakes={
        "r(w + d) − r(w) is J d only where r is linear in w; for the products use the graph of "
        "r": _with(times=lambda own, f, w: lambda d: f(w + d) - f(w)),
        "your Jᵀv is the same whatever v is: it is the gradient of ‖r‖² or of a sum, not Jᵀv": [
            _with(transposed=lambda own, *_: lambda v: own["transposed"](own["r"])),
            _with(transposed=lambda own, *_: lambda v: own["transposed"](torch.ones_like(v))),
            _with(transposed=lambda own, *_: lambda v: 2 * own["transposed"](own["r"])),
        ],
        "Jᵀ multiplies v, not r · v: differentiate ⟨r, v⟩, in which r stands once": _with(
            transposed=lambda own, *_: lambda v: own["transposed"](own["r"] * v)
        ),
        "your Jᵀv is twice what it should be: differentiate ⟨r, v⟩, not a square": _with(
            transposed=lambda own, *_: lambda v: 2 * own["transposed"](v)
        ),
        "your second product contains the first: gradients add up in .grad; torch.autograd.grad "
        "returns them without adding": _with(transposed=_gathering),
        "your Jacobian is not taken at w, but somewhere else": [
            lambda right, f, w: (f(w), *right(f, torch.zeros_like(w))[1:]),
            lambda right, f, w: (f(w), *right(f, -w)[1:]),
        ],
        "the first part is r itself, at w": [
            _with(r=lambda own, f, w: f(torch.zeros_like(w))),
            _with(r=lambda own, f, w: -own["r"]),
            _with(r=lambda own, f, w: own["r"].square()),
        ],
        "a product has the wrong sign": [
            _with(times=lambda own, *_: lambda d: -own["times"](d)),
            _with(transposed=lambda own, *_: lambda v: -own["transposed"](v)),
        ],
        "your J d depends on the length of d in the wrong way; it is linear in d": [
            _with(times=lambda own, *_: lambda d: own["times"](d / d.norm())),
            _with(times=lambda own, *_: lambda d: own["times"](d.square())),
        ],
    },
    others={
        "two functions changed places": _with(
            transposed=lambda own, *_: own["times"], times=lambda own, *_: own["transposed"]
        ),
        "only once": _with(transposed=_once),
        "create_graph=True": [_with(times=_no_graph), _with(transposed=_no_gradient)],
        "row by row": _with(times=_dense),
        "a difference of r's values": [
            _with(times=lambda own, f, w: lambda d: (f(w + 1e-3 * d) - f(w - 1e-3 * d)) / 2e-3),
            _with(times=lambda own, f, w: lambda d: (f(w + 1e-3 * d) - f(w)) / 1e-3),
        ],
        "should be r and two functions": lambda right, *given: right(*given)[0],
        "at (0,)": _with(times=lambda own, *_: lambda d: own["times"](d) + 0.1 * torch.eye(9)[0]),
    },
)
def examine_products(answer, rng: np.random.Generator) -> None:
    """Both products, each asked several times, and how often the graph is passed for them."""
    A, y, w = (torch.from_numpy(rng.normal(size=s)).float() for s in ((6, 3), 6, 3))
    vs, ds = (torch.from_numpy(rng.normal(size=(2, n))).float() for n in (9, 3))
    ds = torch.cat([ds, 1e6 * ds[:1]])  # differences of r are not J d for so long a d
    passes = []

    def residuals(w: Tensor) -> Tensor:
        r = torch.cat([torch.tanh(A @ w) * w[0] - y, 0.3 * w])  # (9,)
        if r.requires_grad and not torch._C._functorch.is_functorch_wrapped_tensor(r):
            r.register_hook(passes.append)
        return r

    def every(f, w, ds=ds):
        parts = f(residuals, w)
        if not isinstance(parts, (tuple, list)) or len(parts) != 3:
            raise Wrong("your answer should be r and two functions, three parts in all")
        try:
            return _asked(*parts, vs, ds)
        except RuntimeError as problem:
            raise _in_words(problem) from None

    names = "r", "Jᵀv", "Jᵀv of another v", "J d", "J d of another d", "J d of a long d"
    names += ("Jᵀv once more",)

    def read(given):
        sizes = (9, 3, 3, 9, 9, 9, 3)
        parts = zip(given, sizes, names, strict=True)
        return tuple(as_array(part, (n,), what) for part, n, what in parts)

    passes.clear()
    answer.compare((w,), names, read, call=every, tolerance=1e-4, near=1e-5, otherwise=_difference)
    passes.clear()
    every(answer, w.clone(), ds[:2])
    if len(passes) >= 9:
        raise Wrong(
            f"{len(passes)} backward passes for five products: you form J row by row. It has a row "
            "for each residual, twelve thousand in a first frame; one pass for each product is enough"
        )


def _difference(given: tuple[np.ndarray, ...], right: tuple[np.ndarray, ...]) -> str:
    """The message for a J d that is nearly right, unless d is long."""
    near = [same(a, b, 0.02) for a, b in zip(given, right, strict=True)]
    if near != [True] * 5 + [False, True]:
        return ""
    return (
        "your J d is nearly right for a short d and wrong for one that is a million times as long: "
        "a difference of r's values is J d only where r is linear; for the products use the graph "
        "of r"
    )


def _asked(r, transposed, times, vs: Tensor, ds: Tensor) -> tuple:
    """r, Jᵀ times each of vs, J times each of ds, and the first once more."""
    given = *(transposed(v.clone()) for v in vs), *(times(d.clone()) for d in ds)
    return r, *given, transposed(vs[0].clone())


def _in_words(problem: RuntimeError) -> Exception:
    """The two errors that students meet here, said in words; others as they are."""
    if "second time" in str(problem):
        return Wrong(
            "your function can be called only once, because PyTorch frees the graph of r in its "
            "first backward pass; a solver needs many products: retain_graph=True keeps it"
        )
    if "not require grad" in str(problem):
        return Wrong(
            "PyTorch finds no graph to go back through: w has to require a gradient before r is "
            "computed, u has to require one too, and J d needs Jᵀu with create_graph=True"
        )
    if "Mismatch in shape" in str(problem):
        return Wrong(
            "the first function is given v, as long as r, the second d, as long as w; have your "
            "two functions changed places?"
        )
    return problem

"""Gauss–Newton with conjugate gradients, and steepest descent: against dense algebra."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from course_lib.models.optimise import (
    Carried,
    Linearised,
    ahead,
    conjugate_gradients,
    divide_by,
    gauss_newton,
    inner,
    steepest_descent,
)

LAMBDA = (1e-1, 1e-4)  # regularisation of the two blocks of weights


def drawn(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def linear(seed: int = 0, rows: int = 12):
    """Residuals A w − b of weights (2, 2) and (3,), and A (rows, 7) and b (rows,)."""
    A, b = drawn(seed, rows, 7), drawn(seed + 1, rows)
    return (lambda u, v: A @ torch.cat([u.flatten(), v]) - b), A, b


def bent(u: Tensor, v: Tensor) -> Tensor:
    """Residuals (10,) that are not linear in weights (2, 2) and (3,)."""
    A = drawn(7, 6, 7)
    w = torch.cat([u.flatten(), v])
    return torch.cat([torch.tanh(A @ w) - 0.3 * drawn(8, 6), 0.3 * u.flatten() * v.sum()])


def flat(vector) -> Tensor:
    return torch.cat([x.flatten() for x in vector])


def start(seed: int = 3):
    return drawn(seed, 2, 2), drawn(seed + 1, 3)


class TestProducts:
    """J and Jᵀ, by their products."""

    def test_jacobian_times_a_direction_is_torch_s(self):
        d = drawn(20, 2, 2), drawn(21, 3)
        local = Linearised(bent, start())
        _, expected = torch.autograd.functional.jvp(bent, start(), d)
        torch.testing.assert_close(local.times(d), expected, atol=1e-12, rtol=0)

    def test_transposed_is_torch_s(self):
        v = drawn(22, 10)
        local = Linearised(bent, start())
        _, expected = torch.autograd.functional.vjp(bent, start(), v)
        for ours, theirs in zip(local.transposed(v), expected, strict=True):
            torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=0)

    def test_the_two_are_each_other_s_transposes(self):
        d, v, local = (drawn(1, 2, 2), drawn(2, 3)), drawn(3, 10), Linearised(bent, start())
        assert float(local.times(d) @ v) == pytest.approx(
            float(inner(d, local.transposed(v))), abs=1e-12
        )

    def test_products_can_be_taken_again_and_leave_the_weights_alone(self):
        weights = start()
        before = [w.clone() for w in weights]
        local, d = Linearised(bent, weights), start(9)
        assert torch.equal(local.times(d), local.times(d))
        assert not any(w.requires_grad for w in weights)
        assert all(torch.equal(a, b) for a, b in zip(weights, before, strict=True))


class TestSmallAlgebra:
    """Directions of several tensors."""

    def test_inner_products_by_hand(self):
        a = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([5.0, 6.0])
        b = torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.tensor([1.0, -1.0])
        assert float(inner(a, b)) == 1 + 8 + 5 - 6
        assert inner(a, b, each=True).tolist() == [1 + 5, 8 - 6]

    def test_ahead_by_hand(self):
        a, d = (torch.tensor([[1.0, 2.0], [3.0, 4.0]]),), (torch.ones(2, 2),)
        assert ahead(a, 2.0, d)[0].tolist() == [[3, 4], [5, 6]]
        assert ahead(a, torch.tensor([1.0, -1.0]), d)[0].tolist() == [[2, 3], [2, 3]]


class TestConjugateGradients:
    """Linear problems."""

    def test_n_steps_solve_n_weights(self):
        residuals, A, b = linear()
        expected = torch.linalg.lstsq(A, b[:, None]).solution[:, 0]
        (found,) = gauss_newton(residuals, start(), rounds=1, steps=7)
        torch.testing.assert_close(flat(found), expected, atol=1e-6, rtol=0)
        (early,) = gauss_newton(residuals, start(), rounds=1, steps=5)
        assert float((flat(early) - expected).abs().max()) > 1e-3

    def test_with_a_preconditioner_too(self):
        residuals, A, b = linear(5)
        expected = torch.linalg.lstsq(A, b[:, None]).solution[:, 0]
        (found,) = gauss_newton(residuals, start(), 1, 7, divide_by(2.0, 0.3))
        torch.testing.assert_close(flat(found), expected, atol=1e-6, rtol=0)

    def test_the_loss_of_the_linear_part_falls_at_every_step(self):
        local = Linearised(bent, start())
        losses = [
            float((local.r.detach() + local.times(conjugate_gradients(local, k))).square().sum())
            for k in range(1, 7)
        ]
        assert losses == sorted(losses, reverse=True) and losses[0] < float(local.loss())

    def badly_scaled(self):
        """Data see both blocks weakly; their regularisation differs a thousandfold, as in ATOM."""
        A, b = 3e-3 * drawn(1, 9, 9), drawn(2, 9)

        def residuals(u: Tensor, v: Tensor) -> Tensor:
            data = A @ torch.cat([u, v]) - b
            return torch.cat([data, LAMBDA[0] ** 0.5 * u, LAMBDA[1] ** 0.5 * v])

        dense = torch.cat([A, torch.diag(torch.tensor([LAMBDA[0] ** 0.5] * 4 + [0.01] * 5))])
        target = torch.cat([b, torch.zeros(9)])
        return residuals, torch.linalg.lstsq(dense.double(), target[:, None]).solution[:, 0]

    def steps_needed(self, precondition) -> int:
        residuals, expected = self.badly_scaled()
        for k in range(1, 40):
            zero = torch.zeros(4, dtype=torch.float64), torch.zeros(5, dtype=torch.float64)
            (found,) = gauss_newton(residuals, zero, 1, k, precondition)
            if float((flat(found) - expected).norm() / expected.norm()) < 1e-3:
                return k
        return 40

    def test_the_preconditioner_saves_steps_where_scales_differ(self):
        plain, helped = self.steps_needed(None), self.steps_needed(divide_by(*LAMBDA))
        assert helped < plain, (helped, plain)

    def test_solved_problems_stay_solved(self):
        residuals, A, b = linear()
        expected = torch.linalg.lstsq(A, b[:, None]).solution[:, 0]
        solved = expected[:4].reshape(2, 2), expected[4:]
        (found,) = gauss_newton(residuals, solved, 1, 4)
        torch.testing.assert_close(flat(found), expected, atol=1e-9, rtol=0)
        nothing = (lambda w: w * 0.0, (torch.zeros(3),))
        assert [x.tolist() for x in next(gauss_newton(*nothing, 1, 3))] == [[0, 0, 0]]


class TestCarried:
    """What is kept from one call for the next."""

    def test_by_hand(self):
        c = Carried()
        z1, z2 = (torch.tensor([2.0, 0.0]),), (torch.tensor([1.0, 3.0]),)
        assert c.next(z1, z1, False)[0].tolist() == [2, 0]
        # β = (⟨z2, z2⟩ − ⟨z2, z1⟩) / ⟨z1, z1⟩ = (10 − 2) / 4
        assert c.next(z2, z2, False)[0].tolist() == [1 + 2 * 2, 3]

    def test_a_negative_beta_starts_anew(self):
        c = Carried()
        z1, z2 = (torch.tensor([2.0, 0.0]),), (torch.tensor([1.0, 0.5]),)
        c.next(z1, z1, False)  # β = (1.25 − 2) / 4
        assert c.next(z2, z2, False)[0].tolist() == [1, 0.5]

    def test_by_default_a_call_knows_nothing_of_the_last(self):
        local, c = Linearised(bent, start()), Carried()
        first = conjugate_gradients(local, 3, carried=c)
        again = conjugate_gradients(local, 3, carried=c)
        assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))

    def test_what_is_kept_is_a_part_of_beta(self):
        z1, z2 = (torch.tensor([2.0, 0.0]),), (torch.tensor([1.0, 3.0]),)
        c = Carried(keep=0.25)
        c.next(z1, z1, False)
        c.begin()
        assert c.next(z2, z2, False)[0].tolist() == [1 + 0.25 * 2 * 2, 3]

    def test_a_carried_direction_still_lowers_the_loss(self):
        c, weights = Carried(keep=0.5), start()
        losses = []
        for _ in range(5):
            local = Linearised(bent, weights)
            losses.append(float(local.loss()))
            (weights,) = gauss_newton(bent, weights, 1, 2, carried=c)
        assert losses == sorted(losses, reverse=True) and c.direction is not None


class TestGaussNewton:
    """Residuals that are not linear."""

    def test_the_loss_falls_in_every_round(self):
        path = [start(), *gauss_newton(bent, start(), rounds=6, steps=4)]
        losses = [float(bent(*w).square().sum()) for w in path]
        assert len(losses) == 7 and losses == sorted(losses, reverse=True)
        assert losses[-1] < 0.1 * losses[0]

    def test_one_round_is_the_dense_step(self):
        w = start()
        J = torch.cat(
            [j.flatten(1) for j in torch.autograd.functional.jacobian(bent, w)], 1
        )  # (10, 7)
        expected = flat(w) - torch.linalg.lstsq(J, bent(*w)[:, None]).solution[:, 0]
        (found,) = gauss_newton(bent, w, 1, 7)
        torch.testing.assert_close(flat(found), expected, atol=1e-6, rtol=0)

    def test_works_where_gradients_are_switched_off(self):
        with torch.no_grad():
            (found,) = gauss_newton(bent, start(), 1, 3)
        (expected,) = gauss_newton(bent, start(), 1, 3)
        assert torch.equal(flat(found), flat(expected)) and not flat(found).requires_grad


class TestSteepestDescent:
    """The same code with one direction a round."""

    def test_one_step_by_hand(self):
        # r = (w1 − 3, 2·w2 + 2), w = (1, 1): r = (−2, 4), g = Jᵀr = (−2, 8), J g = (−2, 16)
        def residuals(w: Tensor) -> Tensor:
            return torch.stack([w[0] - 3, 2 * w[1] + 2])

        alpha = 68 / 260  # (4 + 64) / (4 + 256)
        (found,) = steepest_descent(residuals, (torch.ones(2).double(),), 1)
        assert found[0].tolist() == pytest.approx([1 + 2 * alpha, 1 - 8 * alpha])
        (half,) = steepest_descent(residuals, (torch.ones(2).double(),), 1, length=0.5)
        assert half[0].tolist() == pytest.approx([1 + alpha, 1 - 4 * alpha])

    def test_no_other_length_lowers_a_quadratic_loss_more(self):
        residuals, *_ = linear()
        losses = []
        for length in (0.9, 1.0, 1.1):
            (found,) = steepest_descent(residuals, start(), 1, length)
            losses.append(float(residuals(*found).square().sum()))
        assert losses[1] < min(losses[0], losses[2])

    def test_several_problems_at_once_are_each_alone(self):
        A, b = drawn(1, 3, 6, 4), drawn(2, 3, 6)
        A[1] *= 10  # three problems that need other steps

        def together(w: Tensor) -> Tensor:
            return torch.einsum("bmn,bn->bm", A, w) - b

        path = list(steepest_descent(together, (drawn(3, 3, 4),), 3, each=True))
        for k in range(3):
            alone = list(steepest_descent(lambda w, k=k: A[k] @ w - b[k], (drawn(3, 3, 4)[k],), 3))
            for ours, theirs in zip(path, alone, strict=True):
                torch.testing.assert_close(ours[0][k], theirs[0], atol=1e-12, rtol=0)

    def test_can_be_differentiated_through(self):
        def learned(scale: Tensor, first: Tensor, length: Tensor) -> Tensor:
            def residuals(w: Tensor) -> Tensor:
                return torch.cat([torch.tanh(scale * w) - 0.5, 0.3 * w])

            *_, (w,) = steepest_descent(residuals, (first,), 3, length, keep_graph=True)
            return w

        given = [drawn(k, 3).requires_grad_() for k in (4, 5)]
        length = torch.tensor(0.9, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(learned, (*given, length))

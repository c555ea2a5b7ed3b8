"""Floor 4: what a class needs beyond nbgrader's own commands: looking submissions over, mending
them, surviving them."""

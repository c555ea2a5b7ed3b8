"""Grading (floor 4), beyond nbgrader's own commands: checking submissions, fixing them, surviving
them."""

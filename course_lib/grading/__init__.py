"""Grading (floor 4), beyond nbgrader's own commands: checking submissions, fixing them, and running
them to the end even if they crash."""

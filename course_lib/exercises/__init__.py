"""Exercises: a student's function is checked as soon as it is written, with feedback in words."""

from course_lib.exercises.core import Check, Wrong, award, check, examine, exercise, progress

__all__ = ["Check", "Wrong", "award", "check", "examine", "exercise", "progress"]

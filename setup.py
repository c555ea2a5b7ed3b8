"""What pyproject.toml cannot say: a wheel carries the folders of the top level that the library reads."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

SHARED = ("notebooks", "recipes", "results", "solutions", "weights")


class BuildWithShared(build_py):
    """As usual, and the shared folders in `course_lib/_share`, where `course_lib.places` looks for them."""

    def run(self) -> None:
        """Build; an editable installation reads the folders where they are."""
        super().run()
        if self.editable_mode:
            return
        for name in SHARED:
            target = Path(self.build_lib, "course_lib", "_share", name)
            shutil.rmtree(target, ignore_errors=True)  # of an earlier build
            shutil.copytree(name, target, ignore=shutil.ignore_patterns(".*"))


setup(cmdclass={"build_py": BuildWithShared})

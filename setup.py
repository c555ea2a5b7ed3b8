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
        if self.editable_mode:
            return super().run()
        package = Path(self.build_lib, "course_lib")
        shutil.rmtree(
            package, ignore_errors=True
        )  # else a file that is gone would stay from an earlier build
        super().run()
        for name in SHARED:
            shutil.copytree(name, package / "_share" / name, ignore=shutil.ignore_patterns(".*"))


setup(cmdclass={"build_py": BuildWithShared})

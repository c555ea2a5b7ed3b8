"""What pyproject.toml cannot say: a wheel carries the folders of the top level that the library reads."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SHARED = ("notebooks", "recipes", "results", "solutions", "weights")


class SharedFolders(BuildHookInterface):
    """The shared folders in `course_lib/_share`, where `course_lib.places` looks for them."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name the files; an editable installation reads them where they are."""
        if version == "editable":
            return
        root = Path(self.root)
        for path in (p for name in SHARED for p in (root / name).rglob("*") if p.is_file()):
            inside = path.relative_to(root)
            if not any(part.startswith(".") for part in inside.parts):
                build_data["force_include"][str(path)] = f"course_lib/_share/{inside.as_posix()}"

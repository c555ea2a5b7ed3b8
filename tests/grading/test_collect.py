"""Submissions as they arrive: a fault in one is named and the others are brought in; two students
stay two."""

from __future__ import annotations

import copy
import errno
import io
import json
import os
import re
import struct
import warnings
import zipfile

import nbformat
import pytest
import small_lesson as small
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.cli import main
from course_lib.errors import CourseError
from course_lib.grading import arrived as arrived_module
from course_lib.grading import submitted as submitted_module
from course_lib.grading.reading import parse_notebook, read_submission
from course_lib.grading.students import plain_student, safe_name
from course_lib.grading.submission import fix
from course_lib.grading.term import collect, new_term

NAME = f"{small.STEM}.ipynb"


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    path = tmp_path_factory.mktemp("lesson") / f"{small.STEM}.py"
    path.write_text(small.source(), encoding="utf-8")
    return small.build.for_students(small.build.solved(path))


@pytest.fixture(scope="module")
def text(release) -> str:
    return nbformat.writes(small.answered(release))


@pytest.fixture
def term(tmp_path, release):
    new_term(tmp_path / "term", [])
    path = tmp_path / "term" / "release" / small.STEM / NAME
    path.parent.mkdir(parents=True)
    nbformat.write(release, path)
    return tmp_path / "term"


def laid_out(folder, files: dict[str, str | bytes]):
    """The files, by name, in a new folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def zipped(path, files: dict[str, str | bytes]):
    """The files, by name, in a new zip file."""
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        warnings.simplefilter("ignore")
        for name, content in files.items():
            packed.writestr(name, content)
    return path


def changed(text: str, **fields) -> str:
    """The notebook with fields of its JSON replaced; cell_3_source=None stands for
    cells[3]["source"]."""
    data = json.loads(text)
    for name, value in fields.items():
        found = re.fullmatch(r"cell_(\d+)_(\w+)", name)
        if found:
            data["cells"][int(found[1])][found[2]] = value
        else:
            data[name] = value
    return json.dumps(data)


def old_format(release) -> str:
    return nbformat.writes(small.answered(release), version=3)


# what arrives, made from a notebook's text, and the words that name it when it is left out
LEFT = {
    "no json": (lambda text: "no json", "not a readable notebook"),
    "empty": (lambda text: "", "it is empty"),
    "half": (lambda text: text[: len(text) // 2], "not a readable notebook"),
    "a list": (lambda text: "[1, 2]", "not a notebook"),
    "null": (lambda text: "null", "not a notebook"),
    "no cells": (lambda text: '{"nbformat": 4}', "it has no cells"),
    "cells null": (lambda text: changed(text, cells=None), "its cells are a NoneType"),
    "cells text": (lambda text: changed(text, cells="abc"), "its cells are a str"),
    "nested": (lambda text: "[" * 100_000, "not a readable notebook"),
    "binary": (lambda text: bytes(range(256)), "not a readable notebook"),
    "another course's": (
        lambda text: nbformat.writes(nbformat.v4.new_notebook()),
        "none of the course's exercises",
    ),
}
# faults that are fixed: the notebook is graded
FIXED = {
    "byte order mark": (lambda text: b"\xef\xbb\xbf" + text.encode(), None),
    "utf-16": (lambda text: text.encode("utf-16"), None),
    "null source": (
        lambda text: changed(text, cell_2_source=None),
        "cell 3 has null instead of text",
    ),
    "number as source": (
        lambda text: changed(text, cell_2_source=3),
        "cell 3 has 3 instead of text",
    ),
    "list as source": (lambda text: changed(text, cell_2_source=["x = 1\n", "y = 2"]), None),
    "null metadata": (
        lambda text: changed(text, cell_5_metadata=None),
        "cell 6 has null instead of metadata",
    ),
    "null metadata of all": (lambda text: changed(text, metadata=None), "its metadata is damaged"),
    "kernel null": (
        lambda text: changed(text, metadata={"kernelspec": None}),
        "its metadata is damaged",
    ),
    "nbgrader null": (
        lambda text: changed(text, cell_5_metadata={"nbgrader": None}),
        "has lost its metadata",
    ),
    "nbgrader a list": (
        lambda text: changed(text, cell_5_metadata={"nbgrader": [1]}),
        "has lost its metadata",
    ),
    "grade_id a number": (
        lambda text: changed(text, cell_5_metadata={"nbgrader": {"grade_id": 3}}),
        "has lost its metadata",
    ),
    "outputs null": (lambda text: changed(text, cell_2_outputs=None), "cell 3 has invalid outputs"),
    "outputs a text": (
        lambda text: changed(text, cell_2_outputs="x"),
        "cell 3 has invalid outputs",
    ),
    "count a text": (
        lambda text: changed(text, cell_2_execution_count="x"),
        "cell 3 has invalid outputs",
    ),
    "ids alike": (lambda text: changed(text, cell_1_id="a", cell_2_id="a"), None),
    "id null": (lambda text: changed(text, cell_1_id=None), None),
    "unknown type": (lambda text: changed(text, cell_0_cell_type="heading9"), "unknown type"),
    "a cell that is none": (
        lambda text: json.dumps({**json.loads(text), "cells": [None, *json.loads(text)["cells"]]}),
        "cell 1 is null, not a cell",
    ),
    "format 5": (lambda text: changed(text, nbformat=5, nbformat_minor=0), "format 5"),
    "format missing": (
        lambda text: json.dumps({k: v for k, v in json.loads(text).items() if k != "nbformat"}),
        "format None",
    ),
    "format a text": (lambda text: changed(text, nbformat="4"), "format '4'"),
    "half a character": (
        lambda text: changed(
            text, cell_2_source=["# \ud800\n", *json.loads(text)["cells"][2]["source"]]
        ),
        None,
    ),
    "tagged to be skipped": (
        lambda text: changed(text, cell_2_metadata={"tags": ["skip-execution"]}),
        None,
    ),
}


@pytest.mark.parametrize("kind", LEFT)
def test_an_unusable_file_is_named_and_the_rest_is_brought_in(tmp_path, term, text, kind):
    make, words = LEFT[kind]
    found = {
        c.student: c
        for c in collect(
            term, laid_out(tmp_path / "in", {f"ada/{NAME}": make(text), f"zoe/{NAME}": text})
        )
    }
    assert found["ada"].lesson is None and words in found["ada"].problems[0].what
    assert found["ada"].problems[0].remedy and not found["ada"].problems[0].fixed
    assert found["zoe"].lesson == small.STEM and found["zoe"].problems == []
    assert sorted(p.name for p in (term / "submitted").iterdir()) == ["zoe"]


@pytest.mark.parametrize("kind", FIXED)
def test_a_submission_that_can_be_fixed_is_graded(tmp_path, term, text, kind):
    make, words = FIXED[kind]
    (found,) = collect(term, laid_out(tmp_path / "in", {f"ada/{NAME}": make(text)}))
    assert found.lesson == small.STEM, found.problems
    said = [p.what for p in found.problems]
    assert any(words in what for what in said) if words else said == []
    assert all(p.fixed for p in found.problems)
    whole = nbformat.read(term / "submitted" / "ada" / small.STEM / NAME, as_version=4)
    nbformat.validate(whole)
    sources = "\n".join(c.source for c in whole.cells)
    assert all(answer in sources for answer in small.ANSWERS.values())


def test_notebooks_of_the_old_format_are_read(release):
    notebook, problems = read_submission(old_format(release).encode(), "old.ipynb")
    assert "in notebook format 3" in problems[0].what
    whole, _ = fix(notebook, release, small.STEM, NAME)
    for name, answer in small.ANSWERS.items():
        assert answer in small.answer_cell(whole, name).source
    nbformat.validate(whole)


class TestChangedCells:
    """Answer cells that are no longer code cells, or not one cell each."""

    @pytest.mark.parametrize("kind", ["markdown", "raw"])
    @pytest.mark.parametrize("fence", ["{}", "```python\n{}\n```", "\n{}\n\n"])
    @pytest.mark.parametrize("bare", [False, True])
    def test_it_is_named_and_made_code_again(self, release, kind, fence, bare):
        notebook = small.answered(release)
        cell = small.answer_cell(notebook, "kcf.size")
        make = {"markdown": nbformat.v4.new_markdown_cell, "raw": nbformat.v4.new_raw_cell}[kind]
        metadata = {} if bare else cell.metadata
        place = notebook.cells.index(cell)
        notebook.cells[place] = make(fence.format(cell.source), metadata=metadata)
        whole, problems = fix(notebook, release, small.STEM, NAME)
        said = [p.what for p in problems]
        assert f"the cell for kcf.size was turned into {kind}, which is not run" in said
        assert not any("is gone" in what for what in said) and all(p.fixed for p in problems)
        graded = small.answer_cell(whole, "kcf.size")
        assert graded.cell_type == "code" and small.ANSWERS["kcf.size"] in graded.source
        assert graded.metadata.nbgrader.grade_id == "kcf-size" and len(whole.cells) == len(
            release.cells
        )
        nbformat.validate(whole)

    def test_a_note_about_an_exercise_is_not_an_answer(self, release):
        notebook = small.answered(release)
        note = 'I tried this:\n@exercise("kcf.size")\nand it failed'
        notebook.cells.insert(2, nbformat.v4.new_markdown_cell(note))
        whole, problems = fix(notebook, release, small.STEM, NAME)
        assert problems == [] and whole.cells[2].cell_type == "markdown"

    def test_two_answers_in_one_cell_are_split(self, release):
        notebook = small.answered(release)
        first, second = (small.answer_cell(notebook, n) for n in ("mosse.window", "mosse.target"))
        first.source += f"\n\n\n{second.source}"
        notebook.cells.remove(second)
        whole, problems = fix(notebook, release, small.STEM, NAME)
        assert "mosse.window and mosse.target are answered in one cell" in [
            p.what for p in problems
        ]
        for name in small.ANSWERS:
            assert small.answer_cell(whole, name).source.endswith(small.ANSWERS[name])
            assert "nbgrader" in small.answer_cell(whole, name).metadata

    @pytest.mark.parametrize(
        "line",
        [
            "@exercise('kcf.size')",
            '@exercise( "kcf.size" )',
            '@exercise(name="kcf.size")',
            '@exercises.exercise("kcf.size")',
        ],
    )
    def test_a_decorator_written_differently_is_recognised(self, release, line):
        notebook = small.answered(release)
        cell = small.answer_cell(notebook, "kcf.size")
        cell.source = f"{line}\n{small.ANSWERS['kcf.size']}"
        whole, problems = fix(notebook, release, small.STEM, NAME)
        assert problems == [] and sum(line in c.source for c in whole.cells) == 1


class TestArchives:
    """Zip files as platforms and students make them, and malicious ones."""

    def test_a_locked_and_a_damaged_member(self, tmp_path, term, text):
        archive = zipped(
            tmp_path / "all.zip", {f"{s}/{NAME}": text for s in ("ada", "bo", "cy", "dan")}
        )
        content = bytearray(archive.read_bytes())

        def spoil(student: str, local: int, central: int, value: int) -> None:
            name = f"{student}/{NAME}".encode()
            first = content.index(name) - 30
            second = content.index(name, first + 40) - 46
            struct.pack_into("<H", content, first + local, value)
            struct.pack_into("<H", content, second + central, value)

        spoil("ada", 6, 8, 1)  # the flag that says it has a password
        spoil("bo", 8, 10, 9)  # Deflate64
        place = content.index(f"cy/{NAME}".encode()) + len(f"cy/{NAME}") + 40
        content[place : place + 20] = bytes(20)
        archive.write_bytes(content)
        found = {c.student: c for c in collect(term, archive)}
        assert "ada/97_small.ipynb has a password" in found["ada"].problems[0].what
        assert "cannot be unpacked" in found["bo"].problems[0].what
        assert "cannot be unpacked" in found["cy"].problems[0].what
        assert all("password" in found[s].problems[0].remedy for s in ("ada", "bo", "cy"))
        assert found["dan"].lesson == small.STEM

    def test_an_invalid_archive_stops_with_a_sentence(self, tmp_path, term, capsys):
        (tmp_path / "all.zip").write_bytes(b"PK\x03\x04 and no more")
        assert main(["grading", "collect", str(term), str(tmp_path / "all.zip")]) == 2
        assert "damaged or not a zip file" in capsys.readouterr().err

    @pytest.mark.parametrize("as_folder", [False, True])
    def test_a_students_own_zip_is_opened_but_none_inside_it(self, tmp_path, term, text, as_folder):
        inner, outer = io.BytesIO(), io.BytesIO()
        zipped(inner, {f"mine/{NAME}": text})
        zipped(outer, {"inner.zip": inner.getvalue()})
        files = {"ada_1/hw.zip": inner.getvalue(), "bo_2/hw.zip": outer.getvalue()}
        files["cy_3/hw.zip"] = b"no zip"
        place = tmp_path / "all.zip"
        arrived = laid_out(tmp_path / "in", files) if as_folder else zipped(place, files)
        found = {c.student: c for c in collect(term, arrived)}
        assert (
            found["ada"].lesson == small.STEM and found["ada"].source == f"ada_1/hw.zip/mine/{NAME}"
        )
        assert "a zip file inside a student's own" in found["bo"].problems[0].what
        assert "cy_3/hw.zip is damaged" in found["cy"].problems[0].what

    def test_archives_beyond_the_limits_are_not_unpacked(self, tmp_path, term, text, monkeypatch):
        monkeypatch.setattr(arrived_module, "LARGEST", 2**20)
        bomb = "x" * (2**20 + 1)
        archive = zipped(tmp_path / "all.zip", {f"ada/{NAME}": bomb, f"zoe/{NAME}": text})
        found = {c.student: c for c in collect(term, archive)}
        assert "Clear its outputs" in found["ada"].problems[0].what
        assert found["zoe"].lesson == small.STEM
        monkeypatch.setattr(arrived_module, "MOST", 2)
        files = {f"{s}/{NAME}": text for s in ("bo", "cy", "dan")}
        found = {c.student: c for c in collect(term, zipped(tmp_path / "b.zip", files))}
        assert found["cy"].lesson and "exceeds the limit" in found["dan"].problems[0].what
        monkeypatch.setattr(arrived_module, "MOST", 100)
        monkeypatch.setattr(arrived_module, "LARGEST_SUM", int(2.5 * len(text.encode())))
        found = {c.student: c for c in collect(term, laid_out(tmp_path / "in", files))}
        assert found["cy"].lesson and "exceeds the limit" in found["dan"].problems[0].what

    def test_a_false_size(self, tmp_path, term, text):
        archive = zipped(tmp_path / "all.zip", {f"ada/{NAME}": text, f"zoe/{NAME}": text})
        content = bytearray(archive.read_bytes())
        first = content.index(f"ada/{NAME}".encode()) - 30
        second = content.index(f"ada/{NAME}".encode(), first + 40) - 46
        struct.pack_into("<I", content, first + 22, 10)
        struct.pack_into("<I", content, second + 24, 10)
        archive.write_bytes(content)
        found = {c.student: c for c in collect(term, archive)}
        assert found["ada"].lesson is None and found["zoe"].lesson == small.STEM

    @settings(max_examples=60, deadline=None, derandomize=True)
    @given(
        names=st.lists(
            st.text(st.sampled_from("ab./\\:_ é~+*=\n-"), min_size=1, max_size=12),
            min_size=1,
            max_size=5,
            unique=True,
        )
    )
    def test_no_name_leads_out_or_stops_the_others(self, tmp_path_factory, release, text, names):
        base = tmp_path_factory.mktemp("names")
        new_term(base / "term", [])
        path = base / "term" / "release" / small.STEM / NAME
        path.parent.mkdir(parents=True)
        nbformat.write(release, path)
        files = {f"{name}/{NAME}": text for name in names} | {f"honest student/{NAME}": text}
        found = collect(base / "term", zipped(base / "all.zip", files))
        assert any(c.student == "honest student" and c.lesson for c in found)
        brought = {c.student for c in found if c.lesson}
        there = {p.name for p in (base / "term" / "submitted").iterdir()}
        assert brought == there  # each in its own folder
        assert sorted(p.name for p in base.iterdir()) == ["all.zip", "term"]
        assert all(c.lesson or c.problems for c in found) and len(found) >= len(brought)


class TestFolders:
    """Files on a disk that are not what they seem."""

    def test_links_pipes_and_unreadable_files(self, tmp_path, term, text, monkeypatch):
        place = laid_out(tmp_path / "in", {f"zoe/{NAME}": text, f"yan/{NAME}": text})
        (tmp_path / "secret.ipynb").write_text(text)
        for name in ("dangling", "out", "loop", "folder", "pipe", "inside"):
            (place / name).mkdir()
        (place / "dangling" / NAME).symlink_to(place / "nowhere.ipynb")
        (place / "out" / NAME).symlink_to(tmp_path / "secret.ipynb")
        (place / "loop" / NAME).symlink_to(place / "loop" / NAME)
        (place / "folder" / "up").symlink_to(place)  # followed, it would never end
        (place / "inside" / "other.ipynb").write_text(text)
        (place / "inside" / NAME).symlink_to(place / "inside" / "other.ipynb")
        os.mkfifo(place / "pipe" / NAME)  # read, it would never end
        read = type(place).read_bytes

        def forbidden(path):
            if "yan" in path.parts:
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return read(path)

        monkeypatch.setattr(type(place), "read_bytes", forbidden)
        found = {c.who: c for c in collect(term, place)}
        assert found["zoe"].lesson == small.STEM
        for who, words in {
            "dangling": "does not exist",
            "out": "leads out of the folder",
            "loop": "oop",
            "folder": "not a file",
            "pipe": "not a file",
            "yan": "no permission",
        }.items():
            assert found[who].lesson is None and words in found[who].problems[0].what, who
        assert (term / "submitted" / "inside").is_dir()
        assert sorted(p.name for p in (term / "submitted").iterdir()) == ["inside", "zoe"]

    def test_a_student_without_a_notebook_is_named(self, tmp_path, term, text, capsys):
        files = {f"zoe/{NAME}": text, "zoe/image.png": b"", "ada_1/essay.pdf": b"%PDF"}
        place = laid_out(tmp_path / "in", files)
        assert main(["grading", "collect", str(term), str(place)]) == 1
        said = capsys.readouterr().out
        assert "no notebook is among what ada_1 handed in (essay.pdf)" in said
        assert "1 of 2 brought in; 1 still need attention" in said

    def test_a_full_disk_costs_one_and_is_reported(self, tmp_path, term, text, monkeypatch):
        write = submitted_module.write_whole

        def full(path, content):
            if "bo" in path.parts:
                raise OSError(errno.ENOSPC, "No space left on device", str(path))
            write(path, content)

        monkeypatch.setattr(submitted_module, "write_whole", full)
        files = {f"{s}/{NAME}": text for s in ("ada", "bo", "cy")}
        found = {c.student: c for c in collect(term, laid_out(tmp_path / "in", files))}
        assert found["ada"].lesson and found["cy"].lesson and found["bo"].lesson is None
        assert "no room left" in found["bo"].problems[0].what


class TestIdentity:
    """Two students stay two."""

    @pytest.fixture
    def other(self, release):
        return nbformat.writes(small.answered(release, "mosse.window"))

    def who(self, term, *arguments):
        return {c.source: c for c in collect(term, *arguments)}

    def test_one_name_for_two_stops_both_and_nobody_else(self, tmp_path, term, text, other):
        files = {f"Ada Smith_111_x/{NAME}": text, f"Ada Smith_222_x/{NAME}": other}
        place = laid_out(tmp_path / "in", files | {f"Bo_3/{NAME}": text})
        found = self.who(term, place)
        for source in files:
            assert found[source].lesson is None
            what = found[source].problems[0].what
            assert all(name in what for name in files) and "Ada Smith's 97_small" in what
            assert "--student" in found[source].problems[0].remedy
        assert found[f"Bo_3/{NAME}"].lesson == small.STEM
        found = collect(term, place, r"(?P<student>[^/_]+_[^/_]+)")  # as the remedy says
        assert [c.student for c in found if c.lesson] == ["Ada Smith_111", "Ada Smith_222", "Bo_3"]

    def test_equal_work_of_two_is_still_two(self, tmp_path, term, text):
        files = {f"Ada_1/{NAME}": text, f"Ada_2/{NAME}": text}
        assert not any(c.lesson for c in collect(term, laid_out(tmp_path / "in", files)))

    def test_one_name_for_two_students_lessons_is_reported(self, tmp_path, term, text, release):
        def second(whole: str) -> str:
            return re.sub(r"(kcf|mosse)([.-])", r"two\2", whole)

        released = second(nbformat.writes(release))
        laid_out(term / "release" / "98_other", {"98_other.ipynb": released})
        files = {f"Ada_1/{NAME}": text, "Ada_2/98_other.ipynb": second(text)}
        found = collect(term, laid_out(tmp_path / "in", files))
        assert [c.lesson for c in found] == [small.STEM, "98_other"]
        assert all("Ada stands for Ada_1 and Ada_2" in c.problems[-1].what for c in found)

    def test_one_file_twice_counts_once_but_two_versions_stop(self, tmp_path, term, text, other):
        place = laid_out(tmp_path / "in", {f"ada/{NAME}": text, f"ada/copy/{NAME}": text})
        found = collect(term, place)
        assert [c.lesson for c in found] == [small.STEM, None] and found[1].problems[0].fixed
        place = laid_out(tmp_path / "in2", {f"bo/{NAME}": text, f"bo/old/{NAME}": other})
        assert not any(c.lesson for c in collect(term, place))

    def test_one_name_in_two_spellings_is_refused(self, tmp_path, term, text):
        files = {f"Ada/{NAME}": text, f"ada/{NAME}": text, f"bo/{NAME}": text}
        found = self.who(term, zipped(tmp_path / "a.zip", files))
        assert [c.lesson for c in found.values()] == [None, None, small.STEM]
        assert "Ada and ada are one folder" in found[f"Ada/{NAME}"].problems[0].what
        (one,) = collect(term, zipped(tmp_path / "b.zip", {f"Bo/{NAME}": text}))
        assert one.lesson is None and "Bo and bo" in one.problems[0].what

    def test_composed_and_decomposed_letters_are_one_name(self, tmp_path, term, text):
        files = {f"Zoe\u0308/{NAME}": text}  # as a Mac writes it
        (one,) = collect(term, zipped(tmp_path / "a.zip", files))
        assert one.student == "Zoë"

    def test_nothing_is_replaced_by_another_students(self, tmp_path, term, text, other):
        first = laid_out(tmp_path / "in", {f"Ada_111_x/{NAME}": text})
        (one,) = collect(term, first)
        path = term / "submitted" / "Ada" / small.STEM / NAME
        before = path.read_bytes()
        (one,) = collect(term, laid_out(tmp_path / "in2", {f"Ada_222_x/{NAME}": other}))
        assert one.lesson is None and path.read_bytes() == before
        assert "came from Ada_111_x, this comes from Ada_222_x" in one.problems[0].what
        (one,) = collect(term, laid_out(tmp_path / "in3", {f"Ada_222_x/{NAME}": text}))
        assert one.lesson is None  # equal or not

    def test_a_later_one_of_the_same_student_replaces_and_the_earlier_is_kept(
        self, tmp_path, term, text, other
    ):
        place = laid_out(tmp_path / "in", {f"Ada_111_x/{NAME}": other})
        os.utime(place / "Ada_111_x" / NAME, (1_700_000_000, 1_700_000_000))
        collect(term, place)
        path = term / "submitted" / "Ada" / small.STEM / NAME
        before = path.read_bytes()
        (again,) = collect(term, place)
        assert again.lesson and again.problems == [] and len(list(path.parent.iterdir())) == 2
        (place / "Ada_111_x" / NAME).write_text(text)
        os.utime(place / "Ada_111_x" / NAME, (1_700_000_100, 1_700_000_100))
        (one,) = collect(term, place)
        kept = [p for p in path.parent.iterdir() if p.name.startswith(f"{NAME}.")]
        assert one.lesson and "replaces what was collected before" in one.problems[-1].what
        assert len(kept) == 1 and kept[0].read_bytes() == before and kept[0].suffix != ".ipynb"
        assert re.search(r"before-\d{8}T\d{6}$", kept[0].name)
        (place / "Ada_111_x" / NAME).write_text(other)
        os.utime(place / "Ada_111_x" / NAME, (1_600_000_000, 1_600_000_000))
        (one,) = collect(term, place)
        assert one.lesson is None and "it is older" in one.problems[0].what

    def test_the_instructors_pattern_says_who_is_who(self, tmp_path, term, text, other):
        pattern = r"(?P<student>[a-z]+)_"
        collect(term, laid_out(tmp_path / "in", {f"ada_1_{NAME}": other}), pattern)
        (one,) = collect(term, laid_out(tmp_path / "in2", {f"ada_2_{NAME}": text}), pattern)
        assert one.lesson and "replaces" in one.problems[-1].what

    def test_where_the_hub_left_them_folders_are_the_students(self, tmp_path, term, text, other):
        files = {"ada_lovelace": text, "ada_smith": other, "a+b": text}
        laid_out(term / "submitted", {f"{s}/{small.STEM}/{NAME}": t for s, t in files.items()})
        laid_out(
            term / "submitted", {f"{s}/{small.STEM}/timestamp.txt": "2026-11-25" for s in files}
        )
        damaged = changed(text, cell_5_metadata=None)
        (term / "submitted" / "ada_smith" / small.STEM / NAME).write_text(damaged)
        for _ in range(2):
            found = collect(term, term / "submitted")
            assert sorted(c.student for c in found if c.lesson) == sorted(files)
        assert sorted(p.name for p in (term / "submitted").iterdir()) == sorted(files)
        place = term / "submitted" / "ada_smith" / small.STEM
        assert (place / f"{NAME}.as-handed-in").read_text() == damaged
        assert len(list(place.iterdir())) == 3

    def test_a_file_with_another_name_where_the_hub_left_it(self, term, text):
        laid_out(term / "submitted", {f"ada/{small.STEM}/homework.ipynb": text})
        assert [c.lesson for c in collect(term, term / "submitted")] == [small.STEM]
        again = collect(term, term / "submitted")  # now both names are there
        assert all(p.fixed for c in again for p in c.problems)

    @pytest.mark.parametrize("damage", ["{", "[]", '{"who": 3}', None])
    def test_a_damaged_record_replaces_nothing(self, tmp_path, term, text, other, damage):
        place = laid_out(tmp_path / "in", {f"Ada/{NAME}": text})
        collect(term, place)
        record = term / "submitted" / "Ada" / small.STEM / "collected.json"
        record.write_text(damage) if damage else record.unlink()
        (place / "Ada" / NAME).write_text(other)
        (one,) = collect(term, place)
        assert one.lesson is None and "a source that is not known" in one.problems[0].what

    @pytest.mark.parametrize("pattern", ["(", "ada", "(?P<name>.*)", "(?P<student>"])
    def test_an_invalid_pattern_is_named(self, tmp_path, term, text, pattern):
        with pytest.raises(CourseError, match="expected one like"):
            collect(term, laid_out(tmp_path / "in", {f"ada/{NAME}": text}), pattern)

    def test_a_file_that_the_pattern_misses_stops_no_other(self, tmp_path, term, text):
        files = {f"ada1/{NAME}": text, f"nobody/{NAME}": text}
        found = self.who(term, laid_out(tmp_path / "in", files), r"(?P<student>[a-z]+\d)")
        assert found[f"ada1/{NAME}"].lesson
        assert "names no student" in found[f"nobody/{NAME}"].problems[0].what


class TestNames:
    """A student's name becomes the name of a folder that nbgrader finds."""

    @pytest.mark.parametrize(
        ("name", "safe"),
        [
            ("Ada Byron", "Ada Byron"),
            ("Zoë Ångström", "Zoë Ångström"),
            ("O'Brien", "O'Brien"),
            ("ada@example.org", "ada@example.org"),
            (".ada", "=2Eada"),
            (" ada ", "=20ada=20"),
            ("a+b", "a=2Bb"),
            ("a/b", "a=2Fb"),
            ("a*b?", "a=2Ab=3F"),
            ("a[1]", "a=5B1=5D"),
            ("a=2Bb", "a=3D2Bb"),
            ("con", "=63on"),
            ("a,b", "a=2Cb"),
            ("a\nb", "a=0Ab"),
            ("a\u202eb", "a=E2=80=AEb"),
        ],
    )
    def test_its_safe_form(self, name, safe):
        assert safe_name(name) == safe and plain_student(safe) == name

    @settings(max_examples=300, deadline=None, derandomize=True)
    @given(st.text(min_size=1, max_size=30), st.text(min_size=1, max_size=30))
    def test_it_can_be_read_back_and_two_stay_two(self, one, other):
        if one in (".", "..") or other in (".", ".."):
            return
        safe = safe_name(one)
        assert plain_student(safe) == one and (one == other) == (safe == safe_name(other))
        assert not set(safe) & set('/\\*?[]+,:<>|"') and not safe.startswith(".")

    def test_the_name_it_is_filed_under_is_reported(self, tmp_path, term, text):
        (one,) = collect(term, laid_out(tmp_path / "in", {f"a+b/{NAME}": text}))
        assert one.student == "a=2Bb" and "cannot use the name 'a+b'" in one.problems[0].what
        assert (term / "submitted" / "a=2Bb" / small.STEM / NAME).is_file()

    @pytest.mark.parametrize("name", ["", ".", "..", "x" * 200, "+" * 60])
    def test_an_invalid_name_is_refused(self, name):
        with pytest.raises(CourseError):
            safe_name(name)


class TestTerm:
    """A term's folder is made once, and nothing in it is replaced."""

    def test_an_edited_source_and_its_configuration_stay(self, tmp_path, capsys):
        term = tmp_path / "term"
        assert main(["grading", "new", str(term), "00"]) == 0
        source = term / "source" / "00_welcome" / "00_welcome.ipynb"
        course, config = source.read_bytes(), (term / "nbgrader_config.py").read_bytes()
        source.write_text("edited")
        capsys.readouterr()
        assert main(["grading", "new", str(term), "00", "--timeout", "9"]) == 0
        said = capsys.readouterr().out
        assert source.read_text() == "edited" and "--update" in said and "kept" in said
        assert (term / "nbgrader_config.py").read_bytes() == config and "c.Execute.timeout" in said
        assert main(["grading", "new", str(term), "00", "--update"]) == 0
        beside = term / "source_new" / "00_welcome" / "00_welcome.ipynb"
        assert source.read_text() == "edited" and beside.read_bytes() == course
        assert list(source.parent.iterdir()) == [source]  # else its answers would be released

    def test_folders_that_cannot_be_a_term(self, tmp_path, project, capsys):
        (tmp_path / "file").write_text("")
        foreign = laid_out(tmp_path / "foreign", {"nbgrader_config.py": "c = get_config()\n"})
        cases = {
            tmp_path / "file": "is a file",
            project / "term": "in the course's own folder",
            foreign: "was not made by this command",
        }
        for place, words in cases.items():
            assert main(["grading", "new", str(place), "00"]) == 2
            assert words in capsys.readouterr().err
        assert (foreign / "nbgrader_config.py").read_text() == "c = get_config()\n"
        assert not (foreign / "source").exists() and not (project / "term").exists()
        laid_out(tmp_path / "half", {"source": "a file"})
        assert main(["grading", "new", str(tmp_path / "half"), "00"]) == 2
        assert "Traceback" not in capsys.readouterr().err
        for seconds in ("0", "-5"):
            assert main(["grading", "new", str(tmp_path / "t"), "00", "--timeout", seconds]) == 2
            assert "expected a number of seconds" in capsys.readouterr().err
        assert not (tmp_path / "t").exists()


class TestCheck:
    """`grading check` writes where it may, and reads what it can."""

    @pytest.fixture
    def mine(self, tmp_path, project):
        path = tmp_path / "mine.ipynb"
        path.write_bytes(
            b"\xef\xbb\xbf" + (project / "notebooks" / "00_welcome.ipynb").read_bytes()
        )
        return path

    def test_the_fixed_copy_replaces_only_itself(self, tmp_path, mine, capsys):
        out = tmp_path / "whole.ipynb"
        command = ["grading", "check", str(mine), "--fixed"]
        assert main([*command, str(out)]) == 0 and main([*command, str(out)]) == 0
        edited = parse_notebook(out.read_bytes(), "x")
        edited.cells[0].source += "\nmy own work"
        nbformat.write(edited, out)
        before, original = out.read_bytes(), mine.read_bytes()
        link = tmp_path / "link.ipynb"
        link.symlink_to(mine)
        (tmp_path / "notes.ipynb").write_text("notes")
        capsys.readouterr()
        for name, words in {
            str(out): "exists already",
            str(mine): "is the submission itself",
            str(link): "is the submission itself",
            str(tmp_path / "notes.ipynb"): "exists already",
            str(tmp_path / "notes.txt"): "ends in .ipynb",
        }.items():
            assert main([*command, name]) == 2
            assert words in capsys.readouterr().err
        assert out.read_bytes() == before and mine.read_bytes() == original

    def test_an_invalid_notebook_is_named(self, tmp_path, capsys):
        (tmp_path / "a.ipynb").write_text("<html>")
        for name, words in {
            "a.ipynb": "not a readable notebook",
            "b.ipynb": "does not exist",
            ".": "is a folder",
        }.items():
            assert main(["grading", "check", str(tmp_path / name)]) == 2
            assert words in capsys.readouterr().err


def test_fixing_twice_changes_nothing(release):
    for file, notebook, _ in small.submissions(release).values():
        once, _ = fix(notebook, release, small.STEM, file)
        twice, _ = fix(copy.deepcopy(once), release, small.STEM, NAME)
        assert nbformat.writes(once) == nbformat.writes(twice)

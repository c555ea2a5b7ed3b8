"""An update of a student's copy loses nothing, whatever state the copy is in, and `start` makes a
whole copy or none."""

from __future__ import annotations

import copy
import errno
import shutil

import nbformat
import pytest
import small_lesson as small
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.cli import main
from course_lib.cli import start as start_command
from course_lib.grading.carry import carry_over
from course_lib.grading.reading import parse_notebook
from course_lib.grading.signature import signature

CLASS = (
    '@exercise("kcf.size")\nclass Best:\n    def init(self, frame):\n        self.frame = frame\n\n'
    "    def update(self, frame):\n        raise NotImplementedError"
)


def built(folder, text):
    path = folder / f"{small.STEM}.py"
    path.write_text(text, encoding="utf-8")
    return small.build.for_students(small.build.solved(path))


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    return built(tmp_path_factory.mktemp("old"), small.source())


@pytest.fixture(scope="module")
def newer(tmp_path_factory):
    """Another text, another docstring, another signature, one exercise fewer, one moved, a cell
    with more points."""
    text = small.source().replace("A small lesson", "A small lesson, second edition")
    text = text.replace("def window(height, width):", "def window(width, height):")
    text = text.replace('exercise="kcf.size" points=4', 'exercise="kcf.size" points=9')
    parts = text.split("# %% [markdown]\n# ### ")
    first, window, target, _, size = parts
    size, end = size.split("# %%\nprogress()")
    parts = [first, size, window, target]  # kcf.displacement is gone
    whole = "# %% [markdown]\n# ### ".join(parts) + "\n\n# %%\nprogress()" + end
    return built(tmp_path_factory.mktemp("newer"), whole)


def lines_of(notebook) -> list[str]:
    return [x.strip() for c in notebook.cells for x in c.source.splitlines() if x.strip()]


def lost(mine, fresh, *released) -> list[str]:
    """Lines that the student wrote, that are in no released notebook, and that an update loses."""
    notebook, _ = carry_over(mine, fresh)
    course = {line for release in released for line in lines_of(release)}
    course |= {"```", "```python"}  # around code in a text cell, and gone when it is code again
    there = lines_of(notebook)
    return [
        line for line in lines_of(mine) if line not in course and not any(line in x for x in there)
    ]


def require_complete(notebook, fresh):
    """The new notebook is valid and has every released cell, in order, unchanged except for
    answers."""
    nbformat.validate(notebook)
    by_id = {c.id: c for c in notebook.cells}
    assert len(by_id) == len(notebook.cells)
    assert [c.id for c in notebook.cells if c.id in {f.id for f in fresh.cells}] == [
        f.id for f in fresh.cells
    ]
    for released in fresh.cells:
        cell = by_id[released.id]
        assert cell.cell_type == released.cell_type and cell.metadata == released.metadata
        if not released.metadata.get("nbgrader", {}).get("solution"):
            assert cell.source == released.source
    named = [c.metadata.nbgrader.grade_id for c in notebook.cells if "nbgrader" in c.metadata]
    assert len(named) == len(set(named))


def update(mine, fresh, *older):
    before = copy.deepcopy(mine)
    notebook, report = carry_over(mine, fresh)
    assert mine == before
    require_complete(notebook, fresh)
    assert lost(mine, fresh, fresh, *older) == []
    return notebook, report


class TestNamed:
    """Each kind of work, where it is afterwards, and what the report says about it."""

    @pytest.mark.parametrize("text", [CLASS, CLASS + "(", "def f(:\n  oops", "%time x = 1\nhalf"])
    def test_half_written_answers_stay_as_they_are(self, old, text):
        mine = copy.deepcopy(old)
        cell = small.answer_cell(mine, "kcf.size")
        cell.source = text if text.startswith("@") else f'@exercise("kcf.size")\n{text}'
        notebook, report = update(mine, old)
        assert small.answer_cell(notebook, "kcf.size").source == cell.source
        assert report.kept == ["kcf.size"] and report.notes == []

    def test_half_written_ones_to_a_changed_exercise_become_comments(self, old, newer):
        mine = copy.deepcopy(old)
        small.answer_cell(mine, "mosse.window").source = '@exercise("mosse.window")\ndef window(h'
        notebook, report = update(mine, newer, old)
        cell = small.answer_cell(notebook, "mosse.window")
        assert cell.source == small.answer_cell(newer, "mosse.window").source
        below = notebook.cells[notebook.cells.index(cell) + 1].source
        assert "# def window(h" in below and report.changed == ["mosse.window"]

    @pytest.mark.parametrize(
        "line", ["@exercise('kcf.size')", "@exercise( 'kcf.size' )", '@exercise(name="kcf.size")']
    )
    def test_a_line_written_differently(self, old, line):
        mine = copy.deepcopy(old)
        small.answer_cell(mine, "kcf.size").source = f"{line}\n{small.ANSWERS['kcf.size']}"
        notebook, report = update(mine, old)
        assert report.kept == ["kcf.size"] and any(
            c.source.startswith(line) for c in notebook.cells
        )

    @pytest.mark.parametrize("magic", ["", "%%time\n"])
    def test_a_lost_line_is_put_back(self, old, magic):
        mine = copy.deepcopy(old)
        small.answer_cell(mine, "kcf.size").source = magic + small.ANSWERS["kcf.size"]
        notebook, report = update(mine, old)
        (cell,) = [c for c in notebook.cells if small.ANSWERS["kcf.size"] in c.source]
        assert cell.source == f'{magic}@exercise("kcf.size")\n{small.ANSWERS["kcf.size"]}'
        assert report.notes == [
            'your answer to kcf.size had lost its line @exercise("kcf.size"); it is back'
        ]

    def test_the_first_of_two_attempts_becomes_comments(self, old):
        mine = small.answered(old, "kcf.size")
        last = small.answer_cell(mine, "kcf.size")
        first = copy.deepcopy(last)
        first.source = (
            '@exercise("kcf.size")\ndef best_size(responses, weight):\n    return 7 # first'
        )
        mine.cells.insert(mine.cells.index(last), first)
        notebook, report = update(mine, old)
        cell = small.answer_cell(notebook, "kcf.size")
        assert cell.source == last.source and report.kept == ["kcf.size"]
        below = notebook.cells[notebook.cells.index(cell) + 1]
        assert "#     return 7 # first" in below.source and below.cell_type == "code"
        assert "another attempt of yours at kcf.size" in report.notes[0] and report.own == 0

    def test_an_answer_in_a_copied_cell(self, old):
        mine = copy.deepcopy(old)
        copied = copy.deepcopy(small.answer_cell(mine, "kcf.size"))
        copied.source = f'@exercise("kcf.size")\n{small.ANSWERS["kcf.size"]}'
        mine.cells.append(copied)
        notebook, report = update(mine, old)
        assert small.answer_cell(notebook, "kcf.size").source == copied.source
        assert report.kept == ["kcf.size"] and report.notes == []

    def test_the_students_text_cells_and_edited_ones(self, old):
        mine = copy.deepcopy(old)
        mine.cells[0].source += "\n\nNote to myself: **read again**"
        image = {"a.png": {"image/png": "iVBORw0KGgo="}}
        note = nbformat.v4.new_markdown_cell("![](attachment:a.png)", attachments=image)
        mine.cells.insert(5, note)
        notebook, report = update(mine, old)
        assert notebook.cells[1].source == mine.cells[0].source  # right below the lesson's own
        (kept,) = [c for c in notebook.cells if c.source == note.source]
        assert kept.attachments == image and kept.cell_type == "markdown" and report.own == 2

    def test_answers_that_became_text(self, old):
        mine = small.answered(old)
        cell = small.answer_cell(mine, "kcf.size")
        text = nbformat.v4.new_markdown_cell(f"```python\n{cell.source}\n```")
        mine.cells[mine.cells.index(cell)] = text
        notebook, report = update(mine, old)
        assert small.answer_cell(notebook, "kcf.size").source == cell.source
        assert "was markdown; it is code again" in report.notes[0]

    def test_two_answers_in_one_cell(self, old):
        mine = small.answered(old)
        one, other = (small.answer_cell(mine, n) for n in ("mosse.window", "mosse.target"))
        one.source += f"\n\n{other.source}"
        mine.cells.remove(other)
        _, report = update(mine, old)
        assert report.kept == list(small.ANSWERS)

    def test_a_helper_above_the_answer_does_not_change_its_signature(self, old, newer):
        mine = small.answered(old, "mosse.target")
        cell = small.answer_cell(mine, "mosse.target")
        cell.source = f"def square(x):\n    return x * x\n\n\n{cell.source}"
        _, report = update(mine, newer, old)
        assert report.kept == ["mosse.target"]

    def test_lines_in_a_points_cell(self, old, newer):
        mine = small.answered(old)
        small.award_cell(mine, "kcf.size").source += "\nprint(best_size)"
        notebook, report = update(mine, newer, old)
        assert "points cell of kcf.size" in report.notes[0]
        assert small.award_cell(notebook, "kcf.size").source.startswith(
            'award("kcf.size", points=9)'
        )
        untouched, report = update(copy.deepcopy(old), newer, old)
        assert len(untouched.cells) == len(newer.cells) and report.notes == []

    def test_moved_and_removed_exercises(self, old, newer):
        notebook, report = update(small.answered(old), newer, old)
        assert report.kept == ["kcf.size", "mosse.target"]
        assert report.changed == ["mosse.window"] and report.gone == ["kcf.displacement"]
        assert "# def displacement(response):" in notebook.cells[-1].source

    def test_a_renamed_exercise_has_its_old_answer_below_it(self, tmp_path, old):
        text = small.source().replace("kcf.size", "scale.choice")
        fresh = built(tmp_path, text.replace('"scale.choice" points', '"scale.choice" points'))
        notebook, report = update(small.answered(old, "kcf.size"), fresh, old)
        place = [c.source.startswith('award("scale.choice"') for c in notebook.cells].index(True)
        below = notebook.cells[place + 1].source
        assert (
            report.gone == ["kcf.size"] and "scale.choice asks for something of the same" in below
        )
        assert "#     peaks = responses.max((1, 2))" in below

    def test_an_untouched_stub_of_an_older_version_is_nobodys_work(self, tmp_path, old):
        text = small.source().replace(
            "def target(height, width, sigma):",
            'def target(height, width, sigma):\n    """Another docstring."""',
        )
        fresh = built(tmp_path, text)
        for mine, newest in ((old, fresh), (fresh, old)):
            notebook, report = update(copy.deepcopy(mine), newest, mine)
            assert [c.source for c in notebook.cells] == [c.source for c in newest.cells]
            assert report.changed == report.kept == report.notes == []

    def test_a_second_update_moves_nothing(self, old, newer):
        mine = small.answered(old, "mosse.window", "kcf.size", "kcf.displacement")
        mine.cells.insert(3, nbformat.v4.new_code_cell("mine = 1"))
        mine.cells.insert(3, nbformat.v4.new_code_cell("mine = 1"))
        once, _ = update(mine, newer, old)
        twice, _ = update(once, newer)
        assert [c.source for c in once.cells] == [c.source for c in twice.cells]


def test_signatures_of_what_notebooks_hold():
    plain = signature("def f(x):\n    return 1")
    assert signature("%time y = 1\ndef f(x):\n    return 2") == plain
    assert signature("\n%%time\ndef f(x):\n    return 2") == plain
    assert signature("!ls\n\ndef f(x): ...") == plain
    assert signature("def g(): ...\n\n@exercise('a.f')\ndef f(x): ...", "a.f") == plain
    assert signature("def f(x):\n    \x00") is None


# what a student, an editor or an accident does to a notebook
WORDS = st.text(st.sampled_from("abc =().#%@'\"\n\t:é\u2028\\"), min_size=1, max_size=40)
LINES = st.one_of(
    WORDS,
    st.sampled_from(
        [
            "x = 1",
            "def window(height, width):\n    return 1",
            '@exercise("kcf.size")\ndef best_size(responses, weight):\n    return 3',
            "@exercise('mosse.window')\nclass Half:\n    def f(self",
            '@exercise("no.such")\ndef other():\n    pass',
            'award("kcf.size", points=4)',
            'award("kcf.size", points=4); print(1)',
            "raise NotImplementedError",
            "### BEGIN SOLUTION",
            "%%time\n%matplotlib inline",
            "# your answer to kcf.size, which is no longer part of the lesson:",
            '```python\n@exercise("kcf.size")\ndef best_size(responses, weight):\n    return '
            "4\n```",
        ]
    ),
)
PLACE = st.integers(0, 200)
EDITS = st.lists(
    st.one_of(
        st.tuples(st.just("insert"), PLACE, st.sampled_from(["code", "markdown", "raw"]), LINES),
        st.tuples(st.just("delete"), PLACE),
        st.tuples(st.just("duplicate"), PLACE),
        st.tuples(st.just("retype"), PLACE, st.sampled_from(["code", "markdown", "raw"])),
        st.tuples(st.just("write"), PLACE, PLACE, LINES),
        st.tuples(st.just("replace"), PLACE, LINES),
        st.tuples(st.just("cut"), PLACE, PLACE),
        st.tuples(st.just("answer"), st.sampled_from(list(small.ANSWERS))),
        st.tuples(st.just("strip"), PLACE),
        st.tuples(st.just("move"), PLACE, PLACE),
        st.tuples(st.just("merge"), PLACE),
        st.tuples(st.just("rename"), PLACE, st.sampled_from(["x", "own-1", "kcf-size"])),
    ),
    max_size=12,
)


def new_cell(kind: str, source: str):
    make = {
        "code": nbformat.v4.new_code_cell,
        "markdown": nbformat.v4.new_markdown_cell,
        "raw": nbformat.v4.new_raw_cell,
    }
    return make[kind](source)


def edited(notebook, edits):
    """The notebook after the edits; positions wrap around."""
    mine = copy.deepcopy(notebook)
    for what, *more in edits:
        cells = mine.cells
        if not cells:
            break
        at = more[0] % len(cells) if isinstance(more[0], int) else 0
        cell = cells[at]
        if what == "insert":
            cells.insert(at, new_cell(more[1], more[2]))
        elif what == "delete":
            del cells[at]
        elif what == "duplicate":
            cells.insert(at + 1, copy.deepcopy(cell))
        elif what == "retype":
            cells[at] = new_cell(more[1], cell.source)
            cells[at].metadata, cells[at].id = copy.deepcopy(cell.metadata), cell.id
        elif what == "write":
            lines = cell.source.split("\n")
            lines.insert(more[1] % (len(lines) + 1), more[2])
            cell.source = "\n".join(lines)
        elif what == "replace":
            cell.source = more[1]
        elif what == "cut":
            cell.source = cell.source[: more[1]]
        elif what == "answer":
            for c in cells:
                if c.source.startswith(f'@exercise("{more[0]}")'):
                    c.source = f'@exercise("{more[0]}")\n{small.ANSWERS[more[0]]}'
        elif what == "strip":
            cell.metadata = nbformat.NotebookNode()
        elif what == "move":
            cells.insert(more[1] % len(cells), cells.pop(at))
        elif what == "merge" and at + 1 < len(cells):
            cell.source += "\n" + cells.pop(at + 1).source
        elif what == "rename":
            cell.id = more[1]
    return parse_notebook(nbformat.writes(mine).encode(), "mine.ipynb")  # as it is read from a file


@pytest.mark.filterwarnings("ignore")  # nbformat warns of duplicate ids, and reading fixes them
@settings(max_examples=400, deadline=None, derandomize=True)
@given(edits=EDITS, later=st.booleans())
def test_no_line_is_lost(old, newer, edits, later):
    mine = edited(old, edits)
    fresh = newer if later else old
    assert lost(mine, fresh, old, fresh) == []
    notebook, _ = carry_over(mine, fresh)
    require_complete(notebook, fresh)
    again, _ = carry_over(notebook, fresh)
    require_complete(again, fresh)
    assert lost(notebook, fresh, old, fresh) == []


class TestCommand:
    """`start` and `start --update` with all kinds of disks and files."""

    @pytest.fixture
    def home(self, tmp_path, monkeypatch, old):
        monkeypatch.setattr(start_command, "PROJECT", tmp_path)
        monkeypatch.setattr(start_command, "NOTEBOOKS", tmp_path / "notebooks")
        (tmp_path / "notebooks").mkdir()
        nbformat.write(old, tmp_path / "notebooks" / f"{small.STEM}.ipynb")
        return tmp_path

    def mine(self, home, old):
        (home / "my_work").mkdir()
        path = home / "my_work" / f"{small.STEM}.ipynb"
        nbformat.write(small.answered(old, "kcf.size"), path)
        return path

    def full(self, monkeypatch, after: int):
        """A disk on which `after` more files fit whole, and then half a file."""
        left = [after]

        def spend(path):
            left[0] -= 1
            if left[0] < 0:
                with open(path, "wb") as file:
                    file.write(b"half")
                raise OSError(errno.ENOSPC, "No space left on device", str(path))

        copyfile, open_file = shutil.copyfile, type(start_command.PROJECT).open

        def copied(source, target):
            spend(target)
            return copyfile(source, target)

        def opened(path, mode="r", *more, **options):
            if "w" in mode:
                spend(path)
            return open_file(path, mode, *more, **options)

        monkeypatch.setattr(start_command.shutil, "copyfile", copied)
        monkeypatch.setattr("course_lib.files.Path.open", opened)

    def test_a_full_disk_leaves_no_half_copy(self, home, monkeypatch, capsys):
        self.full(monkeypatch, 0)
        assert main(["start", "97"]) == 2
        assert "no room left" in capsys.readouterr().err
        assert list((home / "my_work").iterdir()) == []

    @pytest.mark.parametrize("after", [0, 1])
    def test_a_full_disk_leaves_the_copy_as_it_was(self, home, old, monkeypatch, capsys, after):
        path = self.mine(home, old)
        before = path.read_bytes()
        with monkeypatch.context() as patch:
            self.full(patch, after)
            assert main(["start", "97", "--update"]) == 2
        assert "no room left" in capsys.readouterr().err
        assert path.read_bytes() == before and list(path.parent.iterdir()) == [path]

    def test_an_obstacle_is_named(self, home, capsys):
        (home / "my_work").write_text("a file")
        for more in ([], ["--update"], ["--again"]):
            assert main(["start", "97", *more]) == 2
            assert "is a file" in capsys.readouterr().err
        (home / "my_work").unlink()
        assert main(["start", "97", "--update"]) == 2
        assert "`python -m course_lib start 97` makes it" in capsys.readouterr().err
        with pytest.raises(SystemExit):
            main(["start", "97", "--update", "--again"])

    def test_no_permission_is_a_sentence(self, home, monkeypatch, capsys):
        def forbidden(source, target):
            raise PermissionError(errno.EROFS, "Read-only file system", str(target))

        monkeypatch.setattr(start_command.shutil, "copyfile", forbidden)
        assert main(["start", "97"]) == 2
        assert "read-only" in capsys.readouterr().err

    @pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"cells": 3}', b"\xff\xfe\x00"])
    def test_a_damaged_copy_stays(self, home, old, content, capsys):
        path = self.mine(home, old)
        path.write_bytes(content)
        assert main(["start", "97", "--update"]) == 2
        said = capsys.readouterr().err
        assert "is unchanged" in said and "--again" in said
        assert path.read_bytes() == content and list(path.parent.iterdir()) == [path]

    def test_links_and_byte_order_marks(self, home, old, capsys):
        path = self.mine(home, old)
        elsewhere = home / "elsewhere.ipynb"
        elsewhere.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
        path.unlink()
        path.symlink_to(elsewhere)
        assert main(["start", "97", "--update"]) == 0
        assert path.is_symlink() and small.ANSWERS["kcf.size"] in "\n".join(
            c.source for c in nbformat.read(elsewhere, 4).cells
        )
        elsewhere.unlink()
        assert main(["start", "97"]) == 2 and main(["start", "97", "--update"]) == 2
        assert "broken link" in capsys.readouterr().err

    def test_what_could_not_be_placed_is_printed(self, home, old, capsys):
        path = self.mine(home, old)
        mine = nbformat.read(path, 4)
        small.answer_cell(mine, "mosse.window").source = "def window(height, width):\n    return 1"
        mine.cells.append(nbformat.v4.new_code_cell('@exercise("old.one")\ndef f(): return 5'))
        nbformat.write(mine, path)
        assert main(["start", "97", "--update"]) == 0
        said = capsys.readouterr().out
        assert "answers carried over: mosse.window, kcf.size; cells of your own: 0" in said
        assert "your answer to mosse.window had lost its line" in said
        assert "old.one is no longer part of the lesson" in said

"""The site as `make site` builds it, without running the lessons: links, search, nothing fetched
from elsewhere."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from test_lessons import build

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
WIDGET = "application/vnd.jupyter.widget-view+json"
anywhere = build.anywhere
LESSONS = sorted(path.stem for path in (ROOT / "lessons").glob("[0-9][0-9]_*.py"))


def executed(source: Path, target: Path) -> None:
    """A lesson with what a widget's cell and a figure's cell put into it."""
    notebook = nbformat.read(source, as_version=4)
    image = {
        "text/html": '<img src="data:image/png;base64,AAAA" alt="a still image">',
        "text/plain": "said",
    }
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    view = {WIDGET: {"version_major": 2, "version_minor": 1, "model_id": "abc"}}
    code[0].outputs = [nbformat.v4.new_output("display_data", data=image | view)]
    code[1].outputs = [nbformat.v4.new_output("stream", text="printed by the lesson\n")]
    model = {
        "model_name": "AnyModel",
        "model_module": "anywidget",
        "model_module_version": "0",
        "state": {},
    }
    state = {"state": {"abc": model}, "version_major": 2, "version_minor": 0}
    notebook.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": state}
    nbformat.write(notebook, target)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The folder of the pages."""
    root = tmp_path_factory.mktemp("site")
    (root / "source" / "notebooks").mkdir(parents=True)
    for path in (ROOT / "lessons" / "site").glob("*.*"):
        shutil.copy(path, root / "source")
    shutil.copy(ROOT / "CONTRIBUTING.md", root / "source" / "contributing.md")
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        shutil.copy(path, root / "source" / "notebooks")
    executed(
        ROOT / "notebooks" / f"{LESSONS[2]}.ipynb",
        root / "source" / "notebooks" / f"{LESSONS[2]}.ipynb",
    )
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-W",
        "--keep-going",
        "-q",
        "-j",
        "2",
        "-d",
        "doctrees",
        "source",
        "html",
    ]
    done = subprocess.run(
        command,
        cwd=root,
        env=os.environ | {"SITE_EXECUTION": "off", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return root / "html"


def page(site: Path, name: str) -> str:
    return (site / name).read_text(encoding="utf-8")


def test_the_first_page_leads_to_every_lesson_and_to_glossary_and_notation(site):
    first = page(site, "index.html")
    for name in [*LESSONS, "glossary", "notation"]:
        assert f'href="notebooks/{name}.html"' in first


def test_the_first_page_shows_what_the_course_is(site):
    first = page(site, "index.html")
    (image,) = re.findall(r'<img alt="Three frames [^"]+" src="([^"]+)"', first)
    assert (site / image).stat().st_size > 10_000
    minutes = [int(m) for m in re.findall(r">(\d+) minutes", first)]
    assert len(minutes) == len(LESSONS)
    assert f"{len(LESSONS)} lessons, about {sum(minutes) / 60:.0f} hours" in first
    assert 'href="install.html"' in first


@pytest.mark.parametrize("name", ["index", "terms", "library/reading", f"notebooks/{LESSONS[2]}"])
def test_every_page_leads_to_its_lesson_on_colab_and_binder(site, name):
    where = anywhere.repository()
    text = page(site, f"{name}.html")
    lesson = LESSONS[2] if name.startswith("notebooks/") else LESSONS[0]
    for address in (where.colab(lesson), where.binder(lesson), where.home):
        assert f'href="{address}"' in text
    article = text[text.index("<article") : text.index("</article>")]
    assert "mybinder.org" not in article  # in the bar above, and not below the title again
    assert "google.colab" in page(site, f"notebooks/{LESSONS[2]}.html")  # the set-up cell is shown


def test_every_file_of_the_library_has_a_page_with_what_it_says(site):
    text = page(site, "library/course_lib.evaluation.metrics.html")
    assert 'id="course_lib.evaluation.metrics.success_curve"' in text
    assert "Fraction of frames" in text and "lines" in text
    told = {path.stem for path in (site / "library").glob("course_lib*.html")}
    files = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in (ROOT / "course_lib").rglob("*.py")
        if "exercises" not in path.parts and path.name != "__init__.py"
    }
    assert len(files) > 120 and files <= told


def test_a_lesson_links_to_the_files_it_imports(site):
    text = page(site, "notebooks/02_mosse.html")
    assert 'href="../library/course_lib.evaluation.scores.html"' in text
    assert "course_lib.models.siamfc" not in text and 'href="../library/reading.html"' in text


def test_the_reading_path_names_a_file_once_where_it_is_first_needed(site):
    text = page(site, "library/reading.html")
    listed = re.findall(r'href="(course_lib[\w.]*)\.html"', text)
    assert len(listed) == len(set(listed)) > 60
    order = [listed.index(f"course_lib.{m}") for m in ("geometry.boxes", "trackers.mosse")]
    assert order == sorted(order) and order[1] < listed.index("course_lib.models.siamfc")


def test_links_to_words_lead_to_their_entries(site):
    anchors = set(re.findall(r'id="([^"]+)"', page(site, "notebooks/glossary.html")))
    linked = [
        word
        for name in LESSONS
        for word in re.findall(
            r'href="glossary\.html#([^"]+)"', page(site, f"notebooks/{name}.html")
        )
    ]
    assert len(linked) >= 60 and set(linked) <= anchors


def test_no_page_fetches_anything_from_elsewhere(site):
    for path in site.rglob("*.html"):
        for tag in re.findall(
            r"<(?:script|link|img|iframe)\b[^>]*>", path.read_text(encoding="utf-8")
        ):
            address = re.search(r'(?:src|href)="([^"]*)"', tag)
            assert not address or "://" not in address[1], f"{path.name}: {tag[:120]}"
    formulas = re.search(r'src="([^"]*tex-chtml\.js)', page(site, f"notebooks/{LESSONS[2]}.html"))
    assert (site / "notebooks" / formulas[1]).resolve().exists()


def test_a_widget_is_its_still_image(site):
    text = page(site, f"notebooks/{LESSONS[2]}.html")
    assert 'alt="a still image"' in text and "printed by the lesson" in text
    assert "jupyter-widgets" not in text and "widget-view" not in text


def test_the_search_knows_the_lessons_words(site):
    index = (site / "searchindex.js").read_text(encoding="utf-8")
    known = json.loads(re.match(r"Search\.setIndex\((.*)\)$", index, re.DOTALL)[1])
    pages = set()
    for kind in ("terms", "titleterms"):
        found = known[kind]["sidelob"]
        pages |= {known["docnames"][k] for k in (found if isinstance(found, list) else [found])}
    assert f"notebooks/{LESSONS[2]}" in pages and "notebooks/glossary" in pages
    for button in ("search-button", "theme-switch-button"):
        assert re.search(rf'<button[^>]*class="[^"]*{button}', page(site, "index.html"))


def test_without_figures_it_is_light(site):
    assert (
        sum(path.stat().st_size for path in site.rglob("*") if path.is_file()) < 20e6
    )  # figures have the rest of 40 MB


def test_every_page_says_under_which_licence_it_stands(site):
    for name in (*LESSONS, "glossary"):
        page = (site / "notebooks" / f"{name}.html").read_text(encoding="utf-8")
        assert 'rel="license">CC BY 4.0</a>' in page and "Apache-2.0" in page

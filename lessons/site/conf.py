"""How Sphinx makes the site from the executed notebooks; `make site` calls it.

Everything a page needs lies beside it: formulas, search and fonts work without a network.
"""

import importlib.util
import os
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "A course in visual object tracking"
author = "the course's authors"
copyright = ""

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "library",
    "open_in",
]
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autodoc_type_aliases = {"ArrayLike": "ArrayLike"}
add_module_names = False
python_use_unqualified_type_names = True
suppress_warnings = ["ref.python"]  # two classes may have an attribute of one name
autodoc_member_order = "bysource"
autodoc_default_options = {"show-inheritance": True}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = (
    True  # else what a docstring says of an attribute stands beside the attribute
)
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
# a module's function, by its name: a function of this file cannot be handed to parallel readers
myst_heading_slug_func = "anchors.slug"

# a notebook is run again when its cells have changed, or in another profile
nb_execution_mode = os.environ.get("SITE_EXECUTION", "cache")
nb_execution_cache_path = str(
    Path(__file__).parents[1] / f"cache-{os.environ.get('COURSE_PROFILE', 'laptop')}"
)
nb_execution_timeout = 900  # seconds a cell
nb_execution_raise_on_error = True
nb_merge_streams = True
# where no kernel runs a widget is its still image, which has alternative text
nb_mime_priority_overrides = [("html", "application/vnd.jupyter.widget-view+json", None)]
nb_ipywidgets_js = {}

mathjax_path = "mathjax/tex-chtml.js"


def copy_mathjax(app, error) -> None:
    """Lay MathJax beside the pages: of its 24 MB those parts that set formulas."""
    if error is not None:
        return
    package = Path(importlib.util.find_spec("sphinx-mathjax-offline").origin).parent
    source, target = package / "static" / "mathjax", Path(app.outdir) / "_static" / "mathjax"
    for folder in ("input", "output/chtml"):
        shutil.copytree(source / folder, target / folder, dirs_exist_ok=True)
    shutil.copy(source / "tex-chtml.js", target)


def drop_source_maps(app, error) -> None:
    """Remove the theme's source maps, 2 MB that only a debugger of the theme would load."""
    if error is None:
        for path in (Path(app.outdir) / "_static").rglob("*.map"):
            path.unlink()


def setup(app) -> None:
    """Called by Sphinx."""
    app.connect("build-finished", copy_mathjax)
    app.connect("build-finished", drop_source_maps)


html_theme = "pydata_sphinx_theme"
html_title = project
html_show_copyright = False
html_show_sphinx = False
html_show_sourcelink = False
html_copy_source = False
templates_path = ["."]  # license.html, the line below every page; open_in.html, links above it
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_theme_options = {
    "logo": {"text": "Visual object tracking"},
    "navbar_start": ["navbar-logo"],
    "navbar_center": [],
    "navbar_end": ["open_in.html", "theme-switcher"],
    "navbar_persistent": ["search-button"],
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["license.html"],
    "footer_end": [],
    "show_nav_level": 1,
    "navigation_with_keys": False,
}
html_sidebars = {"**": ["globaltoc"]}  # all lessons, on every page

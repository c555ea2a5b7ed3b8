"""Anchors of headings on the site."""


def slug(heading: str) -> str:
    """A heading's anchor by JupyterLab's rule, so that a link works in both."""
    return heading.replace(" ", "-")

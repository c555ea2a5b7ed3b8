"""One module per layout on disk; each reads a folder into sequences with 0-based boxes, NaN where
the target is absent."""

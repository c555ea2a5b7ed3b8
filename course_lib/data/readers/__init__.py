"""One module per layout on disk; each turns a folder into sequences with 0-based boxes, absent
targets as NaN."""

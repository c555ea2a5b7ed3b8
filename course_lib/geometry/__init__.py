"""Floor 1: boxes, masks and crop windows, arithmetic without pixels' meaning."""

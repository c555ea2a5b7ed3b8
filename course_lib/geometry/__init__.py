"""Floor 1: boxes and crop windows, arithmetic without pixels' meaning."""

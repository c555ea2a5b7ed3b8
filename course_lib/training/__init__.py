"""Floor 4: from data to weights."""

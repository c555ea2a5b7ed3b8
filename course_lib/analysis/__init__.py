"""Floor 3, what networks see: receptive fields, consistency, errors near the border, distortion."""

"""EMR's API as the embedded EMR serves it: one function for each operation, grouped by subject."""

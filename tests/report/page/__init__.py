"""The page of a run, and the pages of the embedded EMR."""

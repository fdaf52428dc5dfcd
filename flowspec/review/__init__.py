"""Revisions of a repository: which files differ between two of them (`git`). Nothing is fetched or run."""

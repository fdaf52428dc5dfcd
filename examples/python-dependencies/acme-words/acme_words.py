"""Words of ours: the package that the mapper imports."""

STOP_WORDS = frozenset({"a", "and", "of", "on", "the"})


def words(line):
    """The words of a line that are worth counting, in lower case."""
    return [word for word in line.lower().split() if word not in STOP_WORDS]

"""The path of the data: input splits -> records -> sorted map output -> merged reduce input -> part files."""

"""Hadoop's semantics: options, properties, classes, partitioners and comparators, as Hadoop 3.4 defines them."""

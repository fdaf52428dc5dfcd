"""The YAML of a spec: read strictly, as a tree of values that know their places, and written."""

"""The files that `flowspec init` writes: first specs with their programs, sample data and tests.

The files are under `files/`, a folder for each template, their names ending in `.in`; `word-count/` is what several
templates share. Placeholders such as `@NAME@` in them are replaced.
"""

"""Two revisions of a repository -> what changes for each flow: offline, from git's objects.

git        the repository, read by git's plumbing commands; nothing in it is run
trees      writes the files of a revision into a private folder
touched    the specs that the changed files may touch; `mentions` judges by a spec's text which files it names
compare    two requests of a flow -> the changes of it
review     the flows of both revisions, paired and compared
"""

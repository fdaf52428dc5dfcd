r"""Hadoop Streaming on one machine, with the semantics of Hadoop 3.4.1's LocalJobRunner.

    python -m flowspec.engines.streaming -D mapreduce.job.reduces=2 -files m.py,r.py \
        -mapper m.py -reducer r.py -input data -output counts

A job passes through these stages, each of which returns an immutable value:

    words ─arguments─→ Arguments ─jobspec─→ Job ─inputs─→ Splits ─runner─→ tasks ─committer─→ part files

`runner` forks one map worker per core (`worker`, `worker_pool`). A worker takes one split after the other,
largest first: `readers` opens it, `commands` runs the mapper between three pipes, and `collect` takes the
mapper's output block by block. Repeated lines are counted; all others are sorted chunk by chunk (`arrays`) and
kept in memory or in files (`runs`). Both are divided among the reducers. A reducer (`reducetask`)
reads one sorted stream, which `sort -m` makes of the chunks (`merge`). It writes below `_temporary`, and its file is
committed whole.

Python handles blocks instead of lines where it can (`lines`; numpy for large data), which makes it fast. Where a
separator, a comparator, a control character or a Java class needs it, slower code for single records is used, which
keeps it correct.

What is not supported is refused by name. The exit status, the files, the counters and the error lines
are Hadoop's.
"""

r"""Hadoop Streaming on one machine: the semantics of Hadoop 3.4.1's LocalJobRunner, on the kernel's own means.

    python -m flowspec.engines.streaming -D mapreduce.job.reduces=2 -files m.py,r.py \
        -mapper m.py -reducer r.py -input data -output counts

A job goes one way, and every stage hands on an immutable value:

    words ─arguments─→ Arguments ─jobspec─→ Job ─inputs─→ Splits ─runner─→ tasks ─committer─→ part files

`runner` forks one map worker per core (`worker`, `worker_pool`). A worker takes one split after the other,
largest first: `readers` opens it, `commands` runs the mapper between three pipes, and `collect` takes what
it writes block by block: lines that come again and again are counted, all others put in order chunk by
chunk (`arrays`) and kept in memory or in files (`runs`), and both divided among the reducers. Reducers (`reducetask`)
read one stream in order, which `sort -m` makes of the chunks (`merge`), write below `_temporary`, and are committed
whole.

Speed comes from never looking at a line in Python where a block will do (`lines`; numpy where there is much);
correctness from slower ways beside the fast one, taken when a separator, a comparator, a control
character or a Java class calls for it.

What is not supported is refused by name. The exit status, the files, the counters and the error lines
are Hadoop's.
"""

"""`python -m flowspec.engines.streaming`, in place of Hadoop's `hadoop-streaming`."""

import sys

from flowspec.engines.streaming.run.client import main

sys.exit(main(sys.argv[1:]))

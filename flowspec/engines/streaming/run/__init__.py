"""The processes of a job: the client, the runner, the worker pool, and the map and reduce tasks."""

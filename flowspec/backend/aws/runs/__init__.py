"""What a watcher does beside watching: timeouts and retries of steps, further launches, and hooks."""

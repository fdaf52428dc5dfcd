"""Acts on a run while it is watched: timeouts and retries of steps, further launches, hooks; finds what a run left."""

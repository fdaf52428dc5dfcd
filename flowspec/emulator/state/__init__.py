"""State of the embedded EMR: the store, the home folder, and the state machines of clusters, steps and instances."""

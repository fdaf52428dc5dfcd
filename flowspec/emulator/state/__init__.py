"""What the embedded EMR keeps: the store, its folders, and the state machines of clusters, steps and instances."""

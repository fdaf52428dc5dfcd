"""Document -> Document for one target: bases and overrides merged, variables and templates resolved."""

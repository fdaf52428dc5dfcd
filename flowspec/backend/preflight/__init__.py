"""The part of a preflight that both backends share: the data of a plan's steps, looked up in the backend's store."""

"""The part of a preflight that both backends share.

data     looks up the data of a plan's steps, in the store of a backend
threads  make calls side by side, for which an interrupt does not wait
"""

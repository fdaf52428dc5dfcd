"""x"""


def read(source, folder, cluster=""): ...
def is_module(f):
    return False

"""x"""


def read(source, folder, cluster=""): ...

"""Rebuild a modern training library from Python and PyTorch alone.

`from minifastai.all import *` gives all public names of the lessons."""

def __getattr__(name):
    "`__version__` is looked up when it is asked for: its one home is settings.ini"
    if name == '__version__':
        from importlib.metadata import version
        return version('minifastai')
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')

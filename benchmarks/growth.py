"""How costs grow: with callbacks that have nothing to do, with data; and an import

What an import costs is processor time of a process of its own."""
import gzip
import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from importlib.resources import files
from pathlib import Path

import torch
from common import arguments, finish, report, take_turns, versions
from loop import learner

from minifastai.data import get_data
from minifastai.runner import Callback, Runner

NAMES = ('train-images-idx3-ubyte', 'train-labels-idx1-ubyte',
         't10k-images-idx3-ubyte', 't10k-labels-idx1-ubyte')
TIMED = 's = time.process_time()\nimport {name}\nprint(time.process_time()-s)\n'


class Idle(Callback):
    "Handles no event of a batch"
    def begin_epoch(self): pass


def with_callbacks(count, n):
    "Seconds a batch with so many callbacks"
    learn, run = learner(n), Runner([Idle() for _ in range(count)])
    start = time.perf_counter()
    run.fit(1, learn)
    return (time.perf_counter()-start)/n


def idx_files(folder, n):
    "The first `n` training images of the shipped MNIST, and the test files"
    folder.mkdir()
    for name in NAMES:
        packed = (files('minifastai')/'mnist'/f'{name}.gz').read_bytes()
        raw = bytearray(gzip.decompress(packed))
        header, item = (16, 784) if 'images' in name else (8, 1)
        if name.startswith('train'):
            raw[4:8] = int(n).to_bytes(4, 'big')
            raw = raw[:header+n*item]
        (folder/name).write_bytes(raw)


def loading(folder):
    "Seconds"
    start = time.perf_counter()
    get_data(folder)
    return time.perf_counter()-start


def environment():
    "One thread, and compiled modules are kept, as for every user"
    kept = {k: v for k, v in os.environ.items() if k != 'PYTHONDONTWRITEBYTECODE'}
    return {**kept, 'OMP_NUM_THREADS': '1'}


def imports(*names):
    "{name: processor seconds} of imports, one after the other in one process"
    code = 'import time\n'+''.join(TIMED.format(name=name) for name in names)
    done = subprocess.run([sys.executable, '-c', code], check=True, env=environment(),
                          capture_output=True, text=True)
    return {f'import {name}': float(line)
            for name, line in zip(names, done.stdout.split())}


def command(*args):
    "Processor seconds of a process: what it does, not how long it waited for a core"
    before = os.times()
    subprocess.run([sys.executable, *args], check=True, stdout=subprocess.DEVNULL,
                   env=environment())
    after = os.times()
    user = after.children_user-before.children_user
    return user+after.children_system-before.children_system


def callbacks(quick):
    "The table of callbacks with nothing to do"
    n, rounds = (200, 5) if quick else (1000, 15)
    turns = {f'{count} callbacks': partial(with_callbacks, count, n)
             for count in (1, 10, 100)}
    times = take_turns(turns, rounds)
    return report('Callbacks that handle no event of a batch', times, 'µs a batch', 1e6,
                  {'100 callbacks': (1.1, 'ratio')})


def data(quick):
    "The table of files of growing size"
    sizes = (15000, 30000) if quick else (15000, 30000, 60000)
    with tempfile.TemporaryDirectory() as tmp:
        for size in sizes: idx_files(Path(tmp)/str(size), size)
        turns = {f'{size:,} images': partial(loading, Path(tmp)/str(size))
                 for size in sizes}
        times = take_turns(turns, 5 if quick else 15)
    late = report('Loading, uncompressed files (linear: twice the images take twice '
                  'the time)', times, 'ms', 1e3,
                  {f'{sizes[-1]:,} images': (1.5*sizes[-1]/sizes[0], 'ratio')})
    if not quick:
        print('\nFiles of more than 32 MiB, that is from about 42,000 images on, are '
              'read into memory that the allocator asks for anew each time: there an '
              'image may take more time, in steady proportion again.')
    return late


def starts(quick):
    "The tables of imports, and of the command"
    rounds = 1 if quick else 6
    # what is measured is not the compiler
    package = str(files('minifastai'))
    subprocess.run([sys.executable, '-m', 'compileall', '-q', package], check=True,
                   env=environment())
    runs = [imports('torch', 'minifastai', 'minifastai.all') for _ in range(rounds)]
    times = {name: [run[name] for run in runs] for name in runs[0]}
    bars = {name: (50, 'value') for name in ('import minifastai',
                                             'import minifastai.all')}
    late = report('Import, one after the other: CPU time', times, 'ms', 1e3, bars,
                  more=False)
    turns = {'python -c pass': partial(command, '-c', 'pass'),
             'minifastai --help': partial(command, '-m', 'minifastai', '--help')}
    return late+report('The command: CPU time of a process', take_turns(turns, rounds),
                       'ms', 1e3, {'minifastai --help': (500, 'value')})


def main():
    args = arguments(__doc__.splitlines()[0]).parse_args()
    torch.set_num_threads(1)
    print(f'\n## Growth, and the import\n\nOne thread, {versions()}.')
    late = callbacks(args.quick)+data(args.quick)+starts(args.quick)
    finish(late, args.quick)


if __name__ == '__main__': main()

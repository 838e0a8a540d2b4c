"How costs grow: with callbacks that have nothing to do, with data; and what an import costs"
import gzip,os,subprocess,sys,tempfile,time
from functools import partial
from importlib.resources import files
from pathlib import Path
import numpy as np,torch
from common import arguments,finish,report,take_turns,versions
from loop import learner
from minifastai.data import get_data
from minifastai.runner import Callback,Runner

class Idle(Callback):
    "Handles no event of a batch"
    def begin_epoch(self): pass

def with_callbacks(count, n):
    learn,run = learner(n),Runner([Idle() for _ in range(count)])
    start = time.perf_counter()
    run.fit(1, learn)
    return (time.perf_counter()-start)/n

def idx_files(folder, n):
    "The first `n` training images of the shipped MNIST, and as much of the test files as it needs"
    for name in ('train-images-idx3-ubyte', 'train-labels-idx1-ubyte', 't10k-images-idx3-ubyte', 't10k-labels-idx1-ubyte'):
        raw = bytearray(gzip.decompress((files('minifastai')/'mnist'/f'{name}.gz').read_bytes()))
        header,item = (16,784) if 'images' in name else (8,1)
        if name.startswith('train'): raw[4:8] = int(n).to_bytes(4, 'big'); raw = raw[:header+n*item]
        (folder/name).write_bytes(raw)

def loading(folder):
    start = time.perf_counter()
    get_data(folder)
    return time.perf_counter()-start

def environment():
    "One thread, and compiled modules are kept, as for every user"
    return {**{k: v for k,v in os.environ.items() if k!='PYTHONDONTWRITEBYTECODE'}, 'OMP_NUM_THREADS': '1'}

def imports(*names):
    "CPU seconds that each import takes, one after the other in one process: {name: seconds}"
    code = 'import time\n'+''.join(f's = time.process_time()\nimport {name}\nprint(time.process_time()-s)\n' for name in names)
    done = subprocess.run([sys.executable, '-c', code], check=True, capture_output=True, text=True, env=environment())
    return {f'import {name}': float(line) for name,line in zip(names, done.stdout.split())}

def command(*args):
    "CPU seconds of one process; they count what it does, not how long it waited for a busy core"
    before = os.times()
    subprocess.run([sys.executable, *args], check=True, stdout=subprocess.DEVNULL, env=environment())
    after = os.times()
    return after.children_user+after.children_system-before.children_user-before.children_system

def main():
    args = arguments(__doc__).parse_args()
    torch.set_num_threads(1)
    print(f'\n## Growth, and the import\n\nOne thread, {versions()}.')
    n,rounds = (200, 5) if args.quick else (1000, 15)
    late = report('Callbacks that handle no event of a batch', take_turns({f'{count} callbacks': partial(with_callbacks, count, n) for count in (1, 10, 100)}, rounds), 'µs a batch', 1e6,
                  {'100 callbacks': (1.1, 'ratio')})
    with tempfile.TemporaryDirectory() as tmp:
        sizes = (15000, 30000, *(() if args.quick else (60000,)))
        for size in sizes:
            (Path(tmp)/str(size)).mkdir()
            idx_files(Path(tmp)/str(size), size)
        late += report('Loading, uncompressed files (linear: twice the images take twice the time)', take_turns({f'{size:,} images': partial(loading, Path(tmp)/str(size)) for size in sizes}, rounds), 'ms', 1e3, {f'{sizes[-1]:,} images': (1.5*sizes[-1]/sizes[0], 'ratio')})
    if not args.quick: print('\nFiles of more than 32 MiB, that is from about 42,000 images on, are read into memory that the allocator asks for anew each time: there an image may take more time, in steady proportion again.')
    rounds = 1 if args.quick else 6
    subprocess.run([sys.executable, '-m', 'compileall', '-q', str(files('minifastai'))], check=True, env=environment())     # what is measured is not the compiler
    runs = [imports('torch', 'minifastai', 'minifastai.all') for _ in range(rounds)]
    late += report('Import, one after the other: CPU time', {name: [run[name] for run in runs] for name in runs[0]}, 'ms', 1e3, {'import minifastai': (50, 'value'), 'import minifastai.all': (50, 'value')}, more=False)
    late += report('The command: CPU time of a process', take_turns({'python -c pass': partial(command, '-c', 'pass'), 'minifastai --help': partial(command, '-m', 'minifastai', '--help')}, rounds), 'ms', 1e3,
                   {'minifastai --help': (500, 'value')})
    finish(late, args.quick)

if __name__=='__main__': main()

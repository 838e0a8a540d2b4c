"""An epoch of the lesson's CNN on MNIST: time with and without start-up, and memory

Batches of 512, validation included. Every run is a process of its own, so that start-up
and peak memory are its own. Candidates take turns."""
import json
import os
import resource
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from statistics import median

from common import arguments, finish, report, silence, take_turns

BARE, OURS = 'bare loop', 'minifastai'
OPTIONS = 'minifastai, channels-last and compiled'
PEERS = 'ignite', 'skorch', 'Lightning', 'fastai'


def peak(reset=False):
    "MiB that this process has held at most, on Linux since the last `reset`"
    process = Path('/proc/self')
    if not (process/'clear_refs').exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss/1024
    if reset: (process/'clear_refs').write_text('5')
    lines = (process/'status').read_text().splitlines()
    return next(int(line.split()[1])/1024 for line in lines if line.startswith('VmHWM'))


def bare(model, opt, data, epochs):
    "In-memory tensors, cut by hand; loss and accuracy on the validation set"
    import torch
    import torch.nn.functional as F
    x, y, bs = data.train_ds.x, data.train_ds.y, 512
    xv, yv = data.valid_ds.x, data.valid_ds.y
    for _ in range(epochs):
        model.train()
        order = torch.randperm(len(x))
        for i in range(0, len(x), bs):
            idx = order[i:i+bs]
            loss = F.cross_entropy(model(x[idx]), y[idx])
            loss.backward()
            opt.step()
            opt.zero_grad()
        model.eval()
        with torch.no_grad():
            preds = [model(xv[i:i+2*bs]) for i in range(0, len(xv), 2*bs)]
            F.cross_entropy(torch.cat(preds), yv)
            (torch.cat(preds).argmax(1) == yv).float().mean()


def some_of(data, images):
    "The first images of both sets; 0: all of them"
    from minifastai.data import DataBunch, Dataset, get_dls
    if not images: return data
    sets = (Dataset(*ds[:images]) for ds in (data.train_ds, data.valid_ds))
    return DataBunch(*get_dls(*sets, 512), data.c)


def training(name, data, epochs):
    "A function that trains for so many epochs; `epochs`: how many it will be asked for"
    import torch
    from torch import nn

    from minifastai.cnn import get_cnn_model, get_runner
    model = get_cnn_model(data, [8, 16, 32, 64], norm=nn.BatchNorm2d)
    if name in (OURS, OPTIONS):
        from minifastai.callbacks import (
            AvgStatsCallback, ProgressCallback, Recorder, accuracy)
        options = {'channels_last': True, 'compile': True} if name == OPTIONS else {}
        cbs = [Recorder, AvgStatsCallback(accuracy), ProgressCallback]
        learn, run = get_runner(model, data, lr=0.4, cbs=cbs, **options)
        return lambda n: run.fit(n, learn)
    opt = torch.optim.SGD(model.parameters(), lr=0.4)
    if name == BARE: return lambda n: bare(model, opt, data, n)
    import peers
    return lambda n: peers.PEERS[name](model, opt, data, epochs=n, lr=0.4)()


def child(name, epochs, images):
    "One run: prints what was measured as JSON"
    # about when the process began, imports of torch not yet counted
    start = time.perf_counter()-time.process_time()
    import torch
    torch.set_num_threads(1)
    torch.manual_seed(42)
    from minifastai.data import get_databunch
    data = some_of(get_databunch(512), images)
    with silence():
        train = training(name, data, epochs)
        # loading the data takes more than training on it: not what is asked here
        peak(reset=True)
        train(1)
        first = time.perf_counter()-start
        begun = time.process_time()
        train(epochs)
        steady = (time.process_time()-begun)/epochs
    measured = {'first': first, 'steady': steady, 'peak': peak()}
    sys.__stdout__.write(json.dumps(measured)+'\n')


def measured(name, epochs, found, images=0):
    "Seconds of an epoch in a process of its own; all that it measured goes to `found`"
    env = {**os.environ, 'OMP_NUM_THREADS': '1',
           'TORCHINDUCTOR_FORCE_DISABLE_CACHES': '1'}
    command = [sys.executable, __file__, '--child', name, '--n', str(epochs),
               '--images', str(images)]
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=900)
    if done.returncode: raise RuntimeError(f'{name}\n{done.stderr[-3000:]}')
    found[name].append(json.loads(done.stdout.strip().splitlines()[-1]))
    return found[name][-1]['steady']


def growth(rounds=3, images=2_000, bar=10):
    """Does a training of ten epochs take more memory at its peak than one of two?

    Beside the bare loop, whose peak moves too: the allocator settles in the first."""
    def peak_of(name, epochs):
        box = {name: []}
        measured(name, epochs-1, box, images)       # and one epoch before, the start
        return box[name][0]['peak']

    turns = {f'{name}, {words} epochs': partial(peak_of, name, n)
             for name in (BARE, OURS) for words, n in (('two', 2), ('ten', 10))}
    peaks = take_turns(turns, rounds)
    report(f'Ten epochs take no more memory than two: peak, {images:,} images', peaks,
           'MiB', 1, digits=0)

    def grown(name):
        pairs = zip(peaks[f'{name}, two epochs'], peaks[f'{name}, ten epochs'])
        return median(ten-two for two, ten in pairs)

    more = grown(OURS)-grown(BARE)
    verdict = 'met' if more <= bar else 'missed'
    print(f'\nFrom two epochs to ten (medians of the rounds) the peak of the bare loop '
          f'grows by {grown(BARE):+.0f} MiB, that of minifastai by {grown(OURS):+.0f}: '
          f'{more:+.0f} beside it, ≤ +{bar}: {verdict}.')
    return [('growth from two epochs to ten', more, bar)] if more > bar else []


def command_line():
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument('--child')
    parser.add_argument('--n', type=int, default=1)
    parser.add_argument('--images', type=int, default=0)
    return parser.parse_args()


def main():
    args = command_line()
    if args.child: return child(args.child, args.n, args.images)
    names = [BARE, OURS] if args.quick else [BARE, OURS, OPTIONS, *PEERS]
    rounds, images = (1, 5_000) if args.quick else (2, 50_000)
    found = {name: [] for name in names}
    words = ('one round' if args.quick
             else 'two rounds, and a third of those that have a bar,')
    print('\n## The epoch\n\nThe CNN of lesson 06a, [8, 16, 32, 64] filters with '
          f'nn.BatchNorm2d, MNIST ({images:,} and {min(images, 10_000):,} images), '
          f'batches of 512, one thread, {words} in turns, each run a process of its '
          'own.')
    turns = {name: partial(measured, name, 1, found, images) for name in names}
    steady = take_turns(turns, rounds)
    if not args.quick:
        again = {name: turns[name] for name in (BARE, OURS, OPTIONS)}
        for name, times in take_turns(again, 1).items(): steady[name] += times
    bars = {OURS: (1.03, 'ratio'), OPTIONS: (0.70, 'ratio')}
    late = report('An epoch, start-up excluded: processor time', steady, 'seconds', 1,
                  bars, digits=2)

    def all_of(key): return {name: [f[key] for f in found[name]] for name in names}

    report('Start-up and the first epoch: imports, data, compilation; by the clock',
           all_of('first'), 'seconds', 1, digits=2)
    late += report('Peak memory of the process', all_of('peak'), 'MiB', 1,
                   {OURS: (50, 'more')}, digits=0)
    if not args.quick: late += growth()
    finish(late, args.quick)


if __name__ == '__main__': main()

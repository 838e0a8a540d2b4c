"""What the runner and the loader add to a bare loop, in microseconds a batch

A batch of two, one linear layer, one thread."""
import time
from functools import partial

import torch
import torch.nn.functional as F
from common import Silent, arguments, finish, report, silence, take_turns, versions
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from minifastai.callbacks import AvgStatsCallback, ProgressCallback, Recorder, accuracy
from minifastai.data import DataBunch, Dataset, get_dls
from minifastai.runner import Learner, Runner


def learner(n):
    "One linear layer, and `n` batches of two"
    torch.manual_seed(0)
    ds = Dataset(torch.randn(2*n, 10), torch.randint(2, (2*n,)))
    model = nn.Linear(10, 2)
    opt = torch.optim.SGD(model.parameters(), lr=0.01)
    data = DataBunch(get_dls(ds, ds, 2)[0], None, 2)
    return Learner(model, opt, F.cross_entropy, data)


def bare(n):
    "The loop by hand, over batches cut by hand"
    learn = learner(n)
    ds, model, opt = learn.data.train_ds, learn.model, learn.opt
    x, y = ds.x, ds.y
    start = time.process_time()
    order = torch.randperm(len(x))
    for i in range(0, len(x), 2):
        idx = order[i:i+2]
        loss = F.cross_entropy(model(x[idx]), y[idx])
        loss.backward()
        opt.step()
        opt.zero_grad()
    return (time.process_time()-start)/n


def with_runner(cbs, n):
    "The same by the runner, with callbacks"
    learn, run = learner(n), Runner(cbs())
    start = time.process_time()
    run.fit(1, learn)
    return (time.process_time()-start)/n


def batches(make, n):
    "Batches alone, no training"
    source = make(learner(n).data.train_ds)
    start = time.process_time()
    for _ in source: pass
    return (time.process_time()-start)/n


def by_hand(ds):
    order = torch.randperm(len(ds))
    for i in range(0, len(ds), 2): yield ds.x[order[i:i+2]], ds.y[order[i:i+2]]


def ours(ds): return get_dls(ds, ds, 2)[0]


def pytorchs(ds): return DataLoader(TensorDataset(ds.x, ds.y), 2, shuffle=True)


def recorded(): return [Recorder, ProgressCallback(file=Silent())]


def with_statistics():
    return [*recorded(), AvgStatsCallback(accuracy, printer=lambda text: None)]


BARE, RECORDED = 'bare loop', 'Runner, Recorder, ProgressCallback'
STATS = 'the same, loss and accuracy'
LOOP = {BARE: bare, 'Runner': partial(with_runner, list),
        RECORDED: partial(with_runner, recorded),
        STATS: partial(with_runner, with_statistics)}
LOADER = {'x[idx], y[idx]': partial(batches, by_hand),
          'get_dls': partial(batches, ours),
          'DataLoader(TensorDataset)': partial(batches, pytorchs)}
BARS = {RECORDED: (30, 'more'), STATS: (60, 'more'), 'get_dls': (25, 'more')}


def main():
    args = arguments(__doc__.splitlines()[0]).parse_args()
    torch.set_num_threads(1)
    n, rounds = (400, 4) if args.quick else (800, 17)

    def table(title, functions):
        turns = {name: partial(func, n) for name, func in functions.items()}
        return report(title, take_turns(turns, rounds), 'µs a batch', 1e6, BARS)

    print(f'\n## The loop\n\nA batch of two through one linear layer, {n} batches, '
          f'{rounds} rounds in turns, processor time, one thread, {versions()}. First '
          'column of times: the tenth percentile, which the bars are for.')
    late = table('Training', LOOP)+table('Batches alone', LOADER)
    if not args.quick:
        from peers import LOOPS
        candidates = {name: partial(func, n//2) for name, func in LOOPS.items()}
        with silence():
            for func in candidates.values(): func()      # imports and first-time work
            times = take_turns(candidates, max(rounds//2, 10))
        report('The same with others: averaged loss, accuracy, progress bar, all over '
               'our loader', times, 'µs a batch', 1e6)
    finish(late, args.quick)


if __name__ == '__main__': main()

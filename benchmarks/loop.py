"What the runner and the loader add to a bare loop, in microseconds a batch: `python benchmarks/loop.py [--quick]`"
import argparse,platform,time
from functools import partial
from statistics import median,quantiles
import torch,torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader,TensorDataset
from minifastai.data import DataBunch,Dataset,get_dls
from minifastai.runner import AvgStatsCallback,Learner,ProgressCallback,Recorder,Runner,accuracy

def learner(n, loader=True):
    "One linear layer, and `n` batches of two"
    torch.manual_seed(0)
    ds,model = Dataset(torch.randn(2*n, 10), torch.randint(2, (2*n,))),nn.Linear(10, 2)
    return Learner(model, torch.optim.SGD(model.parameters(), lr=0.01), F.cross_entropy, DataBunch(get_dls(ds, ds, 2)[0], None, 2))

def bare(n):
    "The loop by hand, over batches cut by hand"
    learn = learner(n)
    x,y,model,opt = learn.data.train_ds.x,learn.data.train_ds.y,learn.model,learn.opt
    start = time.perf_counter()
    order = torch.randperm(len(x))
    for i in range(0, len(x), 2):
        idx = order[i:i+2]
        loss = F.cross_entropy(model(x[idx]), y[idx])
        loss.backward(); opt.step(); opt.zero_grad()
    return time.perf_counter()-start

def with_runner(cbs, n):
    learn,run = learner(n),Runner(cbs())
    start = time.perf_counter()
    run.fit(1, learn)
    return time.perf_counter()-start

def batches(make, n):
    "Batches alone, no training"
    ds = learner(n).data.train_ds
    source = make(ds)
    start = time.perf_counter()
    for _ in source: pass
    return time.perf_counter()-start

def by_hand(ds):
    order = torch.randperm(len(ds))
    for i in range(0, len(ds), 2): yield ds.x[order[i:i+2]],ds.y[order[i:i+2]]

class SilentFile:
    "A terminal that shows nothing: the bar does all its work"
    def write(self, text): return len(text)
    def flush(self): pass
    def isatty(self): return True

LOOP = {'bare loop': bare,
        'Runner': partial(with_runner, lambda: []),
        'Runner, Recorder, ProgressCallback': partial(with_runner, lambda: [Recorder, ProgressCallback(file=SilentFile())]),
        'the same, loss and accuracy': partial(with_runner, lambda: [Recorder, ProgressCallback(file=SilentFile()), AvgStatsCallback(accuracy, printer=lambda text: None)])}
LOADER = {'x[idx], y[idx]': partial(batches, by_hand), 'get_dls': partial(batches, lambda ds: get_dls(ds, ds, 2)[0]),
          'DataLoader(TensorDataset)': partial(batches, lambda ds: DataLoader(TensorDataset(ds.x, ds.y), 2, shuffle=True))}
BARS = {'Runner, Recorder, ProgressCallback': 30, 'the same, loss and accuracy': 60, 'get_dls': 25}

def measure(candidates, n, repeat):
    "Microseconds a batch for each candidate, which take turns"
    times = {name: [] for name in candidates}
    for _ in range(repeat):
        for name,func in candidates.items(): times[name].append(func(n)/n*1e6)
    return times

def report(title, times):
    "Print one table; returns the candidates that cost more than twice their bar"
    first = next(iter(times))
    print(f'\n{title}\n{"":36} {"ratio":>6} {"µs a batch":>10} {"middle half":>15} {"more":>6} {"bar":>4}')
    late = []
    for name,ts in times.items():
        more = median(a-b for a,b in zip(ts, times[first]))
        low,_,high = quantiles(ts, n=4)
        print(f'{name:36} {median(ts)/median(times[first]):6.2f} {median(ts):10.1f} {low:7.1f}–{high:<7.1f} {more:+6.1f} {BARS.get(name, ""):>4}')
        if name in BARS and more>2*BARS[name]: late.append(name)
    return late

def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--quick', action='store_true', help='fewer repetitions; fails where the cost is twice its bar')
    args = parser.parse_args()
    torch.set_num_threads(1)
    n,repeat = (300, 5) if args.quick else (2000, 15)
    print(f'one thread, batches of 2, one linear layer, {n} batches, {repeat} rounds; torch {torch.__version__}, Python {platform.python_version()}, {platform.machine()}')
    late = report('The loop', measure(LOOP, n, repeat)) + report('The loader', measure(LOADER, n, repeat))
    if args.quick and late: raise SystemExit(f'more than twice the bar: {", ".join(late)}')

if __name__=='__main__': main()

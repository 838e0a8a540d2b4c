"What looking inside costs: the lesson's CNN on MNIST with activation statistics beside the same training without: `python benchmarks/hooks.py [--quick]`"
import argparse,platform,time
from functools import partial
from statistics import median,quantiles
import torch
from minifastai.cnn import get_cnn_model,get_runner
from minifastai.data import DataBunch,get_databunch
from minifastai.hooks import ActivationStats

NFS = [8, 16, 32, 32]
BARS = {'every batch': 1.5, 'every tenth batch': 1.05}   # times the training without

def plain_stats(model):
    "For scale: the same four numbers written down without care, one PyTorch function each"
    def record(module, input, output):
        x = output.detach()
        kept.append((*reversed(torch.std_mean(x)), torch.histc(x, 40, -7, 7), (x.abs()<=0.05).float().mean()))
    kept = []
    for layer in model: layer.register_forward_hook(record)

def train(watch, batches):
    "Processor time, in seconds, of one pass over `batches`; `watch(layers)` looks at the layers"
    torch.manual_seed(0)
    model = get_cnn_model(batches, NFS)
    learn,run = get_runner(model, batches, lr=0.1, cbs=[])
    stats = watch(model[:len(NFS)])
    start = time.process_time()
    run.fit(1, learn)
    return time.process_time()-start

CANDIDATES = {'without': lambda layers: None, 'every batch': ActivationStats, 'every tenth batch': partial(ActivationStats, every=10),
              'histc, std_mean, a mask': plain_stats}

def ratios(batches, repeat):
    "Times the training without, for each candidate and round; the candidates take turns"
    found = {name: [] for name in CANDIDATES}
    for name,watch in CANDIDATES.items(): train(watch, DataBunch(batches.train_dl[:2], None, 10))   # warm up
    for _ in range(repeat):
        seconds = {name: train(watch, batches) for name,watch in CANDIDATES.items()}
        for name in CANDIDATES: found[name].append(seconds[name]/seconds['without'])
        found['without'][-1] = seconds['without']
    return found

def per_layer(n_layers, repeat):
    "Milliseconds that the statistics of a batch cost for so many layers of one size"
    torch.manual_seed(0)
    layers,x = torch.nn.Sequential(*(torch.nn.ReLU() for _ in range(n_layers))),torch.randn(64, 16, 14, 14)
    def once():
        start = time.process_time(); layers(x)
        return time.process_time()-start
    times = []
    for _ in range(repeat):
        without = min(once() for _ in range(5))
        with ActivationStats(layers): times.append((min(once() for _ in range(5))-without)*1e3)
    return median(times)

def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--quick', action='store_true', help='fewer batches and rounds; fails where a ratio exceeds 1 by more than twice what its bar allows')
    args = parser.parse_args()
    torch.set_num_threads(1)
    n,repeat = (10, 9) if args.quick else (40, 15)
    data = get_databunch(512)
    loader = iter(data.train_dl)
    batches = DataBunch([next(loader) for _ in range(n)], None, data.c)     # in memory: the loader's time is none of ours
    print(f'one thread, processor time, CNN {NFS} on MNIST, batches of 512, {n} batches, {repeat} rounds; torch {torch.__version__}, Python {platform.python_version()}, {platform.machine()}')
    found = ratios(batches, repeat)
    without = median(found.pop('without'))
    print(f'\nActivation statistics of {len(NFS)} layers ({without/n*1e3:.1f} ms a batch without)\n{"":26} {"ratio":>6} {"middle half":>13} {"bar":>5}')
    late = []
    for name,values in found.items():
        low,mid,high = quantiles(values, n=4)
        print(f'{name:26} {mid:6.2f} {low:6.2f}–{high:<6.2f} {BARS.get(name, ""):>5}')
        if name in BARS and mid-1>2*(BARS[name]-1): late.append(name)
    print(f'\nGrowth with the number of layers\n{"layers":>26} {"ms":>6} {"ms a layer":>13}')
    for n_layers in (1, 5, 25):
        ms = per_layer(n_layers, 3 if args.quick else 9)
        print(f'{n_layers:26} {ms:6.2f} {ms/n_layers:13.3f}')
    if args.quick and late: raise SystemExit(f'more than twice what the bar allows: {", ".join(late)}')

if __name__=='__main__': main()

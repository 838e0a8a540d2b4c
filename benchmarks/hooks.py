"""What looking inside costs

The lesson's CNN on MNIST with activation statistics beside the same without."""
import time
from functools import partial
from statistics import median

import torch
from common import arguments, finish, report, take_turns, versions

from minifastai.cnn import get_cnn_model, get_runner
from minifastai.data import DataBunch, get_databunch
from minifastai.hooks import ActivationStats

NFS = [8, 16, 32, 32]
BARS = {'every batch': (1.5, 'ratio'), 'every tenth batch': (1.05, 'ratio')}


def plain_stats(model):
    "For scale: the same four numbers without care, one PyTorch function each"
    kept = []

    def record(module, input, output):
        x = output.detach()
        std, mean = torch.std_mean(x)
        near_zero = (x.abs() <= 0.05).float().mean()
        kept.append((mean, std, torch.histc(x, 40, -7, 7), near_zero))

    for layer in model: layer.register_forward_hook(record)


def nothing(layers): return None


CANDIDATES = {'without': nothing, 'every batch': ActivationStats,
              'every tenth batch': partial(ActivationStats, every=10),
              'histc, std_mean, a mask': plain_stats}


def train(watch, batches):
    "Processor time, in seconds, of one pass; `watch(layers)` looks at the layers"
    torch.manual_seed(0)
    model = get_cnn_model(batches, NFS)
    learn, run = get_runner(model, batches, lr=0.1, cbs=[])
    watching = watch(model[:len(NFS)])     # hooks live as long as what holds them
    start = time.process_time()
    run.fit(1, learn)
    seconds = time.process_time()-start
    del watching
    return seconds


def per_layer(n_layers, repeat):
    "Milliseconds that the statistics of a batch cost for so many layers of one size"
    torch.manual_seed(0)
    layers = torch.nn.Sequential(*(torch.nn.ReLU() for _ in range(n_layers)))
    x = torch.randn(64, 16, 14, 14)

    def once():
        start = time.process_time()
        layers(x)
        return time.process_time()-start

    times = []
    for _ in range(repeat):
        without = min(once() for _ in range(5))
        with ActivationStats(layers): with_stats = min(once() for _ in range(5))
        times.append((with_stats-without)*1e3)
    return median(times)


def main():
    args = arguments(__doc__.splitlines()[0]).parse_args()
    torch.set_num_threads(1)
    n, rounds = (4, 3) if args.quick else (20, 11)
    data = get_databunch(512)
    loader = iter(data.train_dl)
    # in memory: the loader's time is none of ours
    batches = DataBunch([next(loader) for _ in range(n)], None, data.c)
    print(f'\n## Looking inside\n\nCNN {NFS} on MNIST, batches of 512, {n} batches, '
          f'{rounds} rounds in turns, processor time, one thread, {versions()}.')
    candidates = {name: watch for name, watch in CANDIDATES.items()
                  if watch is not plain_stats or not args.quick}
    few = DataBunch(batches.train_dl[:2], None, data.c)
    for watch in candidates.values(): train(watch, few)      # warm up
    turns = {name: partial(train, watch, batches) for name, watch in candidates.items()}
    times = take_turns(turns, rounds)
    title = 'Activation statistics of four layers'
    late = report(title, times, 'ms a batch', 1e3/n, BARS)
    print('\n### Growth with the number of layers\n\n| layers | ms | ms a layer |\n'
          '|---:|---:|---:|')
    for n_layers in (1, 5, 25):
        ms = per_layer(n_layers, 3 if args.quick else 9)
        print(f'| {n_layers} | {ms:.2f} | {ms/n_layers:.3f} |')
    finish(late, args.quick)


if __name__ == '__main__': main()

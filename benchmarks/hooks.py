"What looking inside costs: the lesson's CNN on MNIST with activation statistics beside the same training without"
import time
from functools import partial
from statistics import median
import torch
from common import arguments,finish,report,take_turns,versions
from minifastai.cnn import get_cnn_model,get_runner
from minifastai.data import DataBunch,get_databunch
from minifastai.hooks import ActivationStats

NFS = [8, 16, 32, 32]
BARS = {'every batch': (1.5, 'ratio'), 'every tenth batch': (1.05, 'ratio')}

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
    args = arguments(__doc__).parse_args()
    torch.set_num_threads(1)
    n,rounds = (4, 3) if args.quick else (20, 11)
    data = get_databunch(512)
    loader = iter(data.train_dl)
    batches = DataBunch([next(loader) for _ in range(n)], None, data.c)     # in memory: the loader's time is none of ours
    print(f'\n## Looking inside\n\nCNN {NFS} on MNIST, batches of 512, {n} batches, {rounds} rounds in turns, processor time, one thread, {versions()}.')
    candidates = {name: watch for name,watch in CANDIDATES.items() if watch is not plain_stats or not args.quick}
    for watch in candidates.values(): train(watch, DataBunch(batches.train_dl[:2], None, data.c))   # warm up
    times = take_turns({name: partial(train, watch, batches) for name,watch in candidates.items()}, rounds)
    late = report('Activation statistics of four layers', times, 'ms a batch', 1e3/n, BARS)
    print('\n### Growth with the number of layers\n\n| layers | ms | ms a layer |\n|---:|---:|---:|')
    for n_layers in (1, 5, 25):
        ms = per_layer(n_layers, 3 if args.quick else 9)
        print(f'| {n_layers} | {ms:.2f} | {ms/n_layers:.3f} |')
    finish(late, args.quick)

if __name__=='__main__': main()

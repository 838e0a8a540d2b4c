"""Our norms, forward plus backward, beside PyTorch's and the formulations of 2019

The bars are for one thread."""
import time

import torch
from common import arguments, finish, report, versions
from torch import nn

from minifastai.norms import BatchNorm, RunningBatchNorm

SHAPES = (512, 8, 14, 14), (512, 32, 4, 4), (64, 64, 32, 32)
# The most times nn.BatchNorm2d's time that each may take, with one thread.
BARS = {'BatchNorm': (2.5, 'ratio'), 'BatchNorm, compiled': (0.85, 'ratio'),
        'RunningBatchNorm': (3.0, 'ratio'),
        'RunningBatchNorm, compiled': (1.0, 'ratio')}
COMPILED = 'nn.BatchNorm2d', 'BatchNorm', 'RunningBatchNorm'
DIMS = 0, 2, 3


class BatchNorm2019(nn.Module):
    "As usually written by hand in 2019: `mean` and `var`, without gradient"
    def __init__(self, nf, mom=0.1, eps=1e-5):
        super().__init__()
        self.mom, self.eps = mom, eps
        self.mults = nn.Parameter(torch.ones(nf, 1, 1))
        self.adds = nn.Parameter(torch.zeros(nf, 1, 1))
        self.register_buffer('vars', torch.ones(1, nf, 1, 1))
        self.register_buffer('means', torch.zeros(1, nf, 1, 1))

    def forward(self, x):
        mean, var = self.means, self.vars
        if self.training:
            with torch.no_grad():
                mean, var = x.mean(DIMS, keepdim=True), x.var(DIMS, keepdim=True)
                self.means.lerp_(mean, self.mom)
                self.vars.lerp_(var, self.mom)
        return (x-mean)/(var+self.eps).sqrt()*self.mults + self.adds


class RunningBatchNorm2019(nn.Module):
    """Running sums, squares and count as described in 2019

    One debiasing factor for all three, and two questions to tensors in every step."""
    def __init__(self, nf, mom=0.1, eps=1e-5):
        super().__init__()
        self.mom, self.eps = mom, eps
        self.mults = nn.Parameter(torch.ones(nf, 1, 1))
        self.adds = nn.Parameter(torch.zeros(nf, 1, 1))
        for name in ('sums', 'squares'):
            self.register_buffer(name, torch.zeros(1, nf, 1, 1))
        for name in ('count', 'factor', 'seen'):
            self.register_buffer(name, torch.tensor(0.))

    def forward(self, x):
        if self.training:
            self.sums.detach_()
            self.squares.detach_()
            m = 1 - (1-self.mom)/max(len(x)-1, 1)**0.5
            news = ((self.sums, x.sum(DIMS, keepdim=True)),
                    (self.squares, (x*x).sum(DIMS, keepdim=True)),
                    (self.count, x.new_tensor(x.numel()/x.shape[1])))
            for buffer, new in news: buffer.mul_(1-m).add_(new*m)
            self.factor.mul_(1-m).add_(m)
            self.seen += len(x)
        sums, squares = self.sums/self.factor, self.squares/self.factor
        count = self.count/self.factor
        mean = sums/count
        var = squares/count - mean*mean
        if bool(self.seen < 20): var = var.clamp_min(0.01)
        if bool((count < 2).any()): var = var.clamp_min(0.1)
        return (x-mean)/(var+self.eps).sqrt()*self.mults + self.adds


def candidates(nf, compiled):
    "{name: layer}"
    made = {'nn.BatchNorm2d': nn.BatchNorm2d(nf), 'BatchNorm': BatchNorm(nf),
            'batch norm of 2019': BatchNorm2019(nf),
            'RunningBatchNorm': RunningBatchNorm(nf),
            'running batch norm of 2019': RunningBatchNorm2019(nf)}
    for name in COMPILED if compiled else ():
        layer = type(made[name])(nf)
        made[f'{name}, compiled'] = torch.compile(layer, fullgraph=True)
    return made


def step(layer, x, dy):
    "Forward and backward"
    x.grad = None
    for p in layer.parameters(): p.grad = None
    layer(x).backward(dy)


def measure(layers, shape, rounds, inner):
    "Seconds of every candidate in every round"
    torch.manual_seed(0)
    x, dy = torch.randn(shape, requires_grad=True), torch.randn(shape)
    for layer in layers.values():
        for _ in range(3): step(layer, x, dy)
    times = {name: [] for name in layers}
    for i in range(rounds):
        for name in list(layers) if i%2 == 0 else list(layers)[::-1]:
            start = time.perf_counter()
            for _ in range(inner): step(layers[name], x, dy)
            times[name].append((time.perf_counter()-start)/inner)
    return times


def tables(threads, quick):
    "(number of threads, shape) of each table: to compile takes longer than to measure"
    if quick: return [(threads[0], SHAPES[0])]
    first = [(threads[0], shape) for shape in SHAPES]
    return [*first, *((n, SHAPES[-1]) for n in threads[1:])]


def main():
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument('--threads', type=int, nargs='+', default=[1, 2])
    args = parser.parse_args()
    late, (rounds, inner) = [], (7, 2) if args.quick else (15, 3)
    print('\n## The norms\n\nForward plus backward, float32, '
          f'{rounds} rounds in turns, by the clock, {versions()}. Ratios to eager '
          'nn.BatchNorm2d.')
    for threads, shape in tables(args.threads, args.quick):
        torch.set_num_threads(threads)
        torch._dynamo.reset()
        layers = candidates(shape[1], compiled=not args.quick)
        times = measure(layers, shape, rounds, inner)
        title = f'{shape}, {threads} thread{"s"*(threads > 1)}'
        bars = BARS if threads == 1 else ()
        late += report(title, times, 'ms', 1e3, bars, more=False, digits=2)
    finish(late, args.quick)


if __name__ == '__main__': main()

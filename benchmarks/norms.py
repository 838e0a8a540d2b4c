"""How fast our norms are, forward plus backward, beside PyTorch's and beside the 2019 formulation.

Each candidate is timed in turn within one round, and every round gives one ratio to PyTorch's eager layer, so that a machine that slows
down in between slows all of them. Printed: the median ratio first, its spread (first to third quartile), then milliseconds.

    python benchmarks/norms.py [--quick] [--threads 1 2]
"""
import argparse,statistics,time
import torch
from torch import nn
from minifastai.norms import BatchNorm,RunningBatchNorm

SHAPES = (512,8,14,14),(512,32,4,4),(64,64,32,32)
# The most times nn.BatchNorm2d's time that each may take, with one thread.
BARS = {'BatchNorm': 2.5, 'BatchNorm, compiled': 0.85, 'RunningBatchNorm': 3.0, 'RunningBatchNorm, compiled': 1.0}

class BatchNorm2019(nn.Module):
    "The usual hand-written batch norm of 2019: `mean` and `var` over the batch, without gradient, and the formula as it stands"
    def __init__(self, nf, mom=0.1, eps=1e-5):
        super().__init__()
        self.mom,self.eps = mom,eps
        self.mults,self.adds = nn.Parameter(torch.ones(nf,1,1)),nn.Parameter(torch.zeros(nf,1,1))
        self.register_buffer('vars', torch.ones(1,nf,1,1))
        self.register_buffer('means', torch.zeros(1,nf,1,1))

    def forward(self, x):
        mean,var = self.means,self.vars
        if self.training:
            with torch.no_grad():
                mean,var = x.mean((0,2,3), keepdim=True),x.var((0,2,3), keepdim=True)
                self.means.lerp_(mean, self.mom)
                self.vars.lerp_(var, self.mom)
        return (x-mean)/(var+self.eps).sqrt()*self.mults + self.adds

class RunningBatchNorm2019(nn.Module):
    "Running sums, squares and count as described in 2019: one debiasing factor for all three, and two questions to tensors in every step"
    def __init__(self, nf, mom=0.1, eps=1e-5):
        super().__init__()
        self.mom,self.eps = mom,eps
        self.mults,self.adds = nn.Parameter(torch.ones(nf,1,1)),nn.Parameter(torch.zeros(nf,1,1))
        for name in ('sums','squares'): self.register_buffer(name, torch.zeros(1,nf,1,1))
        for name in ('count','factor','seen'): self.register_buffer(name, torch.tensor(0.))

    def forward(self, x):
        if self.training:
            self.sums.detach_()
            self.squares.detach_()
            m = 1 - (1-self.mom)/max(len(x)-1, 1)**0.5
            for buffer,new in ((self.sums, x.sum((0,2,3), keepdim=True)), (self.squares, (x*x).sum((0,2,3), keepdim=True)), (self.count, x.new_tensor(x.numel()/x.shape[1]))):
                buffer.mul_(1-m).add_(new*m)
            self.factor.mul_(1-m).add_(m)
            self.seen += len(x)
        sums,squares,count = self.sums/self.factor,self.squares/self.factor,self.count/self.factor
        mean = sums/count
        var = squares/count - mean*mean
        if bool(self.seen<20): var = var.clamp_min(0.01)
        if bool((count<2).any()): var = var.clamp_min(0.1)
        return (x-mean)/(var+self.eps).sqrt()*self.mults + self.adds

def candidates(nf, compiled):
    made = {'nn.BatchNorm2d': nn.BatchNorm2d(nf), 'BatchNorm': BatchNorm(nf), 'batch norm of 2019': BatchNorm2019(nf),
            'RunningBatchNorm': RunningBatchNorm(nf), 'running batch norm of 2019': RunningBatchNorm2019(nf)}
    if compiled:
        for name in ('nn.BatchNorm2d','BatchNorm','RunningBatchNorm'): made[f'{name}, compiled'] = torch.compile(type(made[name])(nf), fullgraph=True)
    return made

def step(layer, x, dy):
    x.grad = None
    for p in layer.parameters(): p.grad = None
    layer(x).backward(dy)

def measure(layers, shape, rounds, inner):
    "Milliseconds of every candidate in every round"
    torch.manual_seed(0)
    x,dy = torch.randn(shape, requires_grad=True),torch.randn(shape)
    for layer in layers.values():
        for _ in range(3): step(layer, x, dy)
    times = {name: [] for name in layers}
    for _ in range(rounds):
        for name,layer in layers.items():
            start = time.perf_counter()
            for _ in range(inner): step(layer, x, dy)
            times[name].append((time.perf_counter()-start)/inner*1e3)
    return times

def table(shape, threads, times):
    print(f'\n{shape}, {threads} thread{"s"*(threads>1)}, float32, forward + backward, {len(times["BatchNorm"])} rounds')
    print(f'{"":28}{"ratio":>7}{"quartiles":>14}{"ms":>9}   bar for one thread')
    results = {}
    for name,ms in times.items():
        ratios = [mine/theirs for mine,theirs in zip(ms, times['nn.BatchNorm2d'])]
        low,mid,high = statistics.quantiles(ratios, n=4)
        results[name] = mid
        bar = BARS.get(name)
        verdict = '' if bar is None else f'   at most {bar}' if threads>1 else f'   at most {bar}: {"met" if mid<=bar else "MISSED"}'
        print(f'{name:28}{mid:7.2f}{f"{low:.2f}-{high:.2f}":>14}{statistics.median(ms):9.2f}{verdict}')
    return results

def run(quick=False, threads=(1,2)):
    "Print the tables; gives {(shape, threads, name): ratio}"
    found,before = {},torch.get_num_threads()
    print(f'norms, PyTorch {torch.__version__}; ratios to eager nn.BatchNorm2d in the same run')
    try:
        for count in threads:
            torch.set_num_threads(count)
            for shape in SHAPES[:2] if quick else SHAPES:
                torch._dynamo.reset()
                times = measure(candidates(shape[1], compiled=True), shape, 7 if quick else 15, 2 if quick else 4)
                found.update({(shape, count, name): ratio for name,ratio in table(shape, count, times).items()})
    finally: torch.set_num_threads(before)
    return found

if __name__=='__main__':
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--quick', action='store_true', help='two shapes, fewer rounds')
    parser.add_argument('--threads', type=int, nargs='+', default=[1,2])
    args = parser.parse_args()
    run(args.quick, args.threads)

"""A step of our optimizers beside PyTorch's forms, timm's LAMB and the scheme of 2019

The bars are for one thread. timm is a guest here alone: the checkout of nobody else
needs it, and without it its rows are left out. Its LAMB must take our steps."""
import importlib.util
import time
from functools import partial

import torch
from common import arguments, finish, report, take_turns, versions
from torch import nn

from minifastai.cnn import get_cnn_model
from minifastai.data import DataBunch
from minifastai.optimizers import LAMB, AdamW, Momentum

HAS_TIMM = importlib.util.find_spec('timm') is not None


class OneByOne(AdamW):
    "The form that the lesson shows"
    many = None


class Scheme2019:
    """AdamW as a list of small functions and of statistics, all in dictionaries

    After the design of 2019's notebooks, in our words: each step merges the options of
    a group, asks each statistic for its new state, and calls each stepper."""
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8,
                 weight_decay=1e-2):
        self.groups, self.state = [list(params)], {}
        self.hypers = [dict(lr=lr, mom=betas[0], sqr_mom=betas[1], eps=eps,
                            wd=weight_decay)]
        self.stats = [self.averaged, self.squared, self.counted]
        self.steppers = [self.adam_step, self.decay]

    def averaged(self, state, p, mom, **kw):
        old = state.get('avg')
        old = torch.zeros_like(p.grad) if old is None else old
        return {'avg': old.mul_(mom).add_(p.grad, alpha=1-mom)}

    def squared(self, state, p, sqr_mom, **kw):
        old = state.get('sqr')
        old = torch.zeros_like(p.grad) if old is None else old
        return {'sqr': old.mul_(sqr_mom).addcmul_(p.grad, p.grad, value=1-sqr_mom)}

    def counted(self, state, p, **kw): return {'step': state.get('step', 0)+1}

    def adam_step(self, p, lr, mom, sqr_mom, step, avg, sqr, eps, **kw):
        one, two = 1-mom**step, 1-sqr_mom**step
        p.data.addcdiv_(avg, (sqr/two).sqrt()+eps, value=-lr/one)

    def decay(self, p, lr, wd, **kw): p.data.mul_(1-lr*wd)

    def step(self):
        pairs = [(p, o) for group, o in zip(self.groups, self.hypers) for p in group
                 if p.grad is not None]
        for p, options in pairs:
            state = self.state.get(p, {})
            for stat in self.stats: state = {**state, **stat(state, p, **options)}
            self.state[p] = state
            for stepper in self.steppers: stepper(p, **{**state, **options})


def lesson_cnn():
    "The CNN of the lessons, 25,000 parameters in 18 tensors"
    return get_cnn_model(DataBunch([], None, 10), [8, 16, 32, 64], ni=1,
                         norm=nn.BatchNorm2d)


def large():
    "A ResNet of 18 layers: eleven million parameters in 62 tensors"
    from torchvision.models import resnet18
    return resnet18(num_classes=10)


def timm_lamb(params, lr):
    "timm's LAMB as in the paper: nothing clipped, the ratio everywhere"
    from timm.optim import Lamb
    return Lamb(params, lr=lr, weight_decay=0.01, max_grad_norm=None, always_adapt=True)


def candidates():
    "{name: what makes the optimizer of parameters and a rate}"
    theirs, sgd = torch.optim.AdamW, partial(torch.optim.SGD, momentum=0.9)
    found = {
        "PyTorch's AdamW": theirs, 'AdamW': AdamW, 'AdamW, one by one': OneByOne,
        "PyTorch's, foreach": partial(theirs, foreach=True),
        "PyTorch's, fused": partial(theirs, fused=True),
        'AdamW of 2019': Scheme2019, 'LAMB': LAMB,
        "PyTorch's SGD with momentum": sgd, 'Momentum': Momentum,
        "PyTorch's SGD, foreach": partial(sgd, foreach=True)}
    return found | ({"timm's LAMB": timm_lamb} if HAS_TIMM else {})


def same_steps():
    "timm's LAMB and ours, as a share of the way: how far apart after 30 steps"
    places = []
    for kind in timm_lamb, LAMB:
        torch.manual_seed(0)
        ps = [nn.Parameter(torch.randn(32, 20)), nn.Parameter(torch.zeros(20))]
        opt, start = kind(ps, lr=0.01), torch.cat([p.detach().flatten() for p in ps])
        for _ in range(30):
            for p in ps: p.grad = torch.randn_like(p)
            opt.step()
        places.append(torch.cat([p.detach().flatten() for p in ps]))
    return ((places[0]-places[1]).norm()/(places[1]-start).norm()).item()


def timer(make_model, kind, inner):
    "A function that gives the seconds of one step, in processor time"
    torch.manual_seed(0)
    model = make_model()
    for p in model.parameters(): p.grad = torch.randn_like(p)
    opt = kind(model.parameters(), lr=1e-3)

    def run():
        start = time.process_time()
        for _ in range(inner): opt.step()
        return (time.process_time()-start)/inner
    for _ in range(2): run()
    return run


def measure(make_model, rounds, inner):
    "Seconds of every candidate in every round"
    timers = {name: timer(make_model, kind, inner)
              for name, kind in candidates().items()}
    return take_turns(timers, rounds)


def main():
    args = arguments(__doc__.splitlines()[0]).parse_args()
    torch.set_num_threads(1)
    rounds = (10, 10) if args.quick else (40, 15)
    print('\n## The steps of optimizers\n\nOne step, float32, processor time, '
          f'{rounds[0]} and {rounds[1]} rounds in turns, one thread, {versions()}.')
    times = measure(lesson_cnn, rounds[0], 10)
    late = report("The lesson's CNN, 25,000 parameters in 18 tensors", times, 'µs', 1e6,
                  {'AdamW': (0.55, 'ratio')}, more=False, digits=0)
    times = measure(large, rounds[1], 1)
    late += report('A ResNet of 18 layers, 11 million in 62', times, 'ms', 1e3,
                   {'AdamW': (1.1, 'ratio')}, base="PyTorch's, foreach", more=False)
    if HAS_TIMM:
        apart = same_steps()
        print(f"\ntimm's LAMB and ours after 30 steps: {apart:.0e} of the way apart")
        assert apart < 1e-5, 'the two have parted'
    finish(late, args.quick)


if __name__ == '__main__': main()

"""Every shipped callback with every other one, and with every norm, for three steps.

Each part has tests of its own; here two or more of them meet. What holds for all:
the order in which callbacks are given does not matter; callbacks that only watch
change no bit of the weights; a copy of the runner, made by pickle, trains the same;
a training that is stopped and resumed ends like one that was not; and nothing is left
behind when the work ends."""
import importlib
import io
import itertools
import pkgutil
import pickle
import warnings
from collections.abc import Callable
from functools import cache, partial

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import minifastai
from minifastai import norms
from minifastai.callbacks import (
    AvgStatsCallback, EarlyStoppingCallback, ProgressCallback, Recorder, accuracy)
from minifastai.checkpoint import (
    CheckpointCallback, GradientAccumulation, GradientClip, MixedPrecision,
    TerminateOnNaNCallback)
from minifastai.cnn import BatchTransformXCallback, CudaCallback, view_tfm
from minifastai.data import DataBunch, Dataset, get_dls
from minifastai.distributed import DistributedCallback
from minifastai.hooks import ActivationStats, UpdateRatios
from minifastai.runner import (
    Callback, CancelTrainException, Learner, Runner, TrainEvalCallback)
from minifastai.schedule import LRFinder, ParamScheduler, sched_cos


def quiet(text): "Prints nothing"


# how each is made, and whether it changes what is trained or only watches
ACTS: dict[str, Callable] = {
    'ParamScheduler': lambda: ParamScheduler('lr', sched_cos(0.1, 0.01)),
    'LRFinder': lambda: LRFinder(max_iter=3, max_lr=1.),
    'GradientClip': lambda: GradientClip(0.1),
    'GradientAccumulation': lambda: GradientAccumulation(2),
    'MixedPrecision': lambda: MixedPrecision(),
    'MixedPrecision, float16': lambda: MixedPrecision(torch.float16),
}
WATCHES: dict[str, Callable] = {
    'TrainEvalCallback': TrainEvalCallback,
    'AvgStatsCallback': lambda: AvgStatsCallback(accuracy, quiet),
    'Recorder': Recorder,
    'ProgressCallback': lambda: ProgressCallback(file=io.StringIO()),
    'EarlyStoppingCallback': lambda: EarlyStoppingCallback(patience=9),
    'CudaCallback': lambda: CudaCallback('cpu'),
    'BatchTransformXCallback': lambda: BatchTransformXCallback(view_tfm(1, 6, 6)),
    'CheckpointCallback': lambda: CheckpointCallback('run.pt'),
    'TerminateOnNaNCallback': TerminateOnNaNCallback,
    'DistributedCallback': DistributedCallback,
    'UpdateRatios': UpdateRatios,
}
CALLBACKS = ACTS | WATCHES
# who reads the statistics gets them too
NEEDS = {'EarlyStoppingCallback': ['AvgStatsCallback']}
NORMS: dict[str, Callable | None] = {
    'none': None, 'BatchNorm': norms.BatchNorm, 'LayerNorm': norms.LayerNorm,
    'InstanceNorm': norms.InstanceNorm, 'GroupNorm': partial(norms.GroupNorm, 2),
    'RunningBatchNorm': norms.RunningBatchNorm, 'nn.BatchNorm2d': nn.BatchNorm2d}


def shipped(kind: type) -> set[str]:
    "The names of all public classes of this kind in the lessons' modules"
    found = set()
    for module in pkgutil.walk_packages(minifastai.__path__, 'minifastai.'):
        if module.name.endswith(('checks', 'testing', '__main__')): continue
        if '.exercises' in module.name: continue
        here = importlib.import_module(module.name)
        found |= {name for name in getattr(here, '__all__', ())
                  if isinstance(cls := getattr(here, name), type)
                  and issubclass(cls, kind) and cls.__module__ == module.name}
    return found-{kind.__name__}


def learner(norm: str) -> Learner:
    "A small CNN, three batches to train on and one to validate; always the same"
    torch.manual_seed(0)
    x, y = torch.randn(22, 1, 6, 6), torch.arange(22)%3
    make = NORMS[norm]
    middle = [] if make is None else [make(4)]
    model = nn.Sequential(nn.Conv2d(1, 4, 3), *middle, nn.ReLU(),
                          nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    dls = get_dls(Dataset(x[:11], y[:11]), Dataset(x[11:], y[11:]), 4)
    opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    return Learner(model, opt, F.cross_entropy, DataBunch(*dls, 3))


def callbacks(names) -> list[Callback]:
    needed = [other for name in names for other in NEEDS.get(name, [])]
    return [CALLBACKS[name]() for name in dict.fromkeys([*names, *needed])]


def trained(cbs, norm: str, epochs: int = 1) -> tuple[Learner, Runner]:
    "A training that must neither fail nor warn"
    learn, run = learner(norm), Runner(cbs)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        run.fit(epochs, learn)
    return learn, run


def state(learn: Learner) -> dict[str, torch.Tensor]:
    "Weights and buffers, and what the optimizer keeps"
    momenta = {f'momentum {i}': value for i, kept in enumerate(learn.opt.state.values())
               for value in kept.values()}
    return {name: t.detach().clone()
            for name, t in (learn.model.state_dict() | momenta).items()}


def same(one: dict, two: dict) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[k], two[k]) for k in one)


@cache
def wanted(names: frozenset, norm: str) -> dict[str, torch.Tensor]:
    "What a training with nobody who watches comes to"
    learn, _ = trained(callbacks(sorted(names)), norm)
    return state(learn)


def check(names, norm: str) -> None:
    "All that must hold for callbacks that work together"
    learn, run = trained(callbacks(names), norm)
    assert all(t.isfinite().all() for t in state(learn).values())
    acting = frozenset(names) & frozenset(ACTS)
    assert same(state(learn), wanted(acting, norm)), 'somebody who watches changed it'
    copied = pickle.loads(pickle.dumps(Runner(callbacks(names)[::-1])))
    other, _ = trained(copied.cbs, norm)
    assert same(state(learn), state(other)), 'it depends on the order, or on the copy'
    # nothing is left behind
    assert not run.busy and not torch.is_autocast_enabled('cpu')
    assert all(p.grad is None for p in learn.model.parameters())
    assert not any(m._forward_hooks for m in learn.model.modules())
    # and it goes on
    before = state(learn)
    preds, targs = run.get_preds(learn)
    plain, _ = Runner().get_preds(learn)
    mixed = any(name.startswith('Mixed') for name in names)
    assert preds.dtype == torch.float32 and targs.shape == (11,)
    assert torch.allclose(preds, plain, atol=0.05 if mixed else 0)
    assert same(before, state(learn)), 'predictions changed something'


@pytest.fixture(autouse=True)
def one_thread(tmp_path, monkeypatch):
    "Bit for bit needs one thread; checkpoints go into a folder of the test's own"
    monkeypatch.chdir(tmp_path)
    n = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n)


def test_nobody_is_forgotten():
    made = [type(make()) for make in CALLBACKS.values()]
    halves = {cls.__name__ for kind in made for cls in kind.__mro__[1:]}
    assert shipped(Callback)-halves == {kind.__name__ for kind in made}
    own = {name for name in shipped(nn.Module) if 'Norm' in name}
    assert own-{'Norm'} <= NORMS.keys()     # what all norms share is none itself


@pytest.mark.parametrize('first', CALLBACKS)
def test_every_callback_with_every_other(first):
    for second in CALLBACKS:
        kinds = {name.split(',')[0] for name in (first, second)}
        if second > first and len(kinds) == 2: check([first, second], 'BatchNorm')


@pytest.mark.parametrize('norm', NORMS)
def test_every_norm_with_every_callback(norm):
    for name in CALLBACKS: check([name], norm)


def test_several_at_once():
    @settings(max_examples=20, deadline=None)
    @given(st.lists(st.sampled_from(sorted(CALLBACKS)), min_size=3, max_size=6,
                    unique_by=lambda name: name.split(',')[0]),
           st.sampled_from(sorted(NORMS)))
    def check_them(names, norm): check(names, norm)
    check_them()


class Stop(Callback):
    "Ends the training after so many batches, as Ctrl-C would"
    _order = 2000
    def __init__(self, after: int): self.after = after
    def after_batch(self):
        if self.run.n_iter == self.after: raise CancelTrainException()


RESUMED = sorted(CALLBACKS.keys()-{'CheckpointCallback', 'LRFinder'})


@pytest.mark.parametrize('name', RESUMED)
def test_every_callback_survives_an_interruption(name):
    def fit(path, *cbs):
        saving = CheckpointCallback(path, resume=True, every=1)
        return trained([saving, *callbacks([name]), *cbs], 'RunningBatchNorm', 2)
    whole, _ = fit('whole.pt')
    for after in 1, 3, 5:
        fit(f'{after}.pt', Stop(after))
        resumed, run = fit(f'{after}.pt')
        assert run.n_iter == 6
        assert same(state(whole), state(resumed)), f'stopped after batch {after}'


@pytest.mark.parametrize('norm', NORMS)
def test_looking_inside_changes_nothing(norm):
    for first, second in itertools.combinations(sorted(ACTS), 2):
        if first.startswith('Mixed') and second.startswith('Mixed'): continue
        learn, run = learner(norm), Runner(callbacks([first, second]))
        with ActivationStats(learn.model) as stats: run.fit(1, learn)
        assert same(state(learn), wanted(frozenset([first, second]), norm))
        assert len(stats.means[0]) == 3 or 'LRFinder' in (first, second)


class Nested(nn.Module):
    "Takes {'x': [pictures, names]}, gives two outputs"
    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model
    def forward(self, xb):
        out = self.model(xb['x'][0])
        return {'out': out, 'sure': out.amax(1)}


def nested_loss(pred, yb): return F.cross_entropy(pred['out'], yb[0])
def nested_accuracy(pred, yb): return accuracy(pred['out'], yb[0])
def as_it_is(xb): return xb


def nested_batches(dl) -> list:
    return [({'x': [x, ['a name']*len(x)]}, (y, {'number': 3})) for x, y in dl]


@pytest.mark.parametrize('name', CALLBACKS)
def test_every_callback_takes_any_batch_and_any_loader(name):
    def make(metric):
        "The callback, and what it needs; statistics have this metric"
        for cb in callbacks([name]):
            if isinstance(cb, AvgStatsCallback): cb = AvgStatsCallback(metric, quiet)
            if isinstance(cb, BatchTransformXCallback): cb.tfm = as_it_is
            yield cb
    plain = learner('RunningBatchNorm')
    loaders = [list(dl) for dl in (plain.data.train_dl, plain.data.valid_dl)]
    plain.data = DataBunch(*loaders, 3)                         # lists, not DataLoaders
    Runner(list(make(accuracy))).fit(2, plain)
    nested = learner('RunningBatchNorm')
    nested.model, nested.loss_func = Nested(nested.model), nested_loss
    nested.data = DataBunch(*map(nested_batches, loaders), 3)
    run = Runner(list(make(nested_accuracy)))
    run.fit(2, nested)
    one, two = state(plain), state(nested)
    assert all(torch.equal(t, two[k if k in two else f'model.{k}'])
               for k, t in one.items())
    preds, targs = run.get_preds(nested)
    assert preds['out'].shape == (11, 3) and targs[0].shape == preds['sure'].shape
    if name == 'EarlyStoppingCallback': return     # it wants validation data
    nested.data.valid_dl = None
    run.fit(1, nested)

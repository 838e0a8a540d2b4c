"Training on several processes: real torchrun, gloo on the loopback address."
import os
import re
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
LOOPBACK = 'lo' if sys.platform.startswith('linux') else 'lo0'
ENV = {**os.environ, 'GLOO_SOCKET_IFNAME': LOOPBACK, 'OMP_NUM_THREADS': '1',
       'MPLBACKEND': 'Agg'}
TORCHRUN = [sys.executable, '-m', 'torch.distributed.run', '--standalone',
            '--local-addr', '127.0.0.1', '--nproc-per-node']


def torchrun(*args, n=2, cwd, timeout=400):
    """Exit code, output, error output and seconds

    A run that takes longer than `timeout` is ended, and the test fails."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [*TORCHRUN, str(n), *map(str, args)], cwd=cwd, env=ENV, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    try: out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        pytest.fail(f'torchrun did not end within {timeout} s')
    return process.returncode, out, err, time.perf_counter()-start


# One script with all trainings that one and two processes must agree on. float64 shows
# that the sharing is exact; float32 with a smooth activation, that it is as near as
# rounding allows.
STEPS = '''
import os,sys,torch
from torch import nn
from torch.utils.data import DataLoader
from minifastai.activations import get_learn_run
from minifastai.callbacks import AvgStatsCallback,ProgressCallback,Recorder,accuracy
from minifastai.checkpoint import GradientAccumulation
from minifastai.data import DataBunch,Dataset,get_databunch,get_dls
from minifastai.distributed import DistributedCallback
from minifastai.losses import cross_entropy
from minifastai.norms import BatchNorm,RunningBatchNorm
from minifastai.optimizers import LAMB,SGD,Adam,AdamW,Momentum,Muon,RMSProp
from minifastai.runner import Callback,CancelBatchException
from minifastai.schedule import lr_find
whole,results = get_databunch(66),{}

def part(ds, n, dtype): return Dataset(ds.x[:n].to(dtype), ds.y[:n])

def learner(dtype, norm=None, n=635, bs=66, act=nn.ReLU, items=False, cbs=(),
            lr=0.1, opt_func=None):
    # other weights and another order in process 1: those of process 0 must count
    torch.manual_seed(42 if int(os.environ.get('RANK', 0))==0 else 7)
    train_ds,valid_ds = part(whole.train_ds, n, dtype),part(whole.valid_ds, 301, dtype)
    dls = get_dls(train_ds, valid_ds, bs)
    if items:
        dls = (DataLoader(train_ds, bs, shuffle=True, num_workers=1),
               DataLoader(valid_ds, 2*bs))
    together = DistributedCallback(sync_norms=True)
    cbs = [together, Recorder, AvgStatsCallback(accuracy),
           ProgressCallback(file=sys.stdout), *cbs]
    learn,run = get_learn_run([8, 16, 32], DataBunch(*dls, 10), lr=lr, norm=norm,
                              norm_first=True, act=act, cbs=cbs, opt_func=opt_func)
    learn.model.to(dtype)
    return learn,run,together

def state_of(model):
    "Its parameters and what the norms work with, but not the sums that this comes from"
    sums = '.sums','.squares','.shift','.count'
    state = {k: v for k,v in model.state_dict().items() if not k.endswith(sums)}
    for name,m in model.named_modules():
        if isinstance(m, RunningBatchNorm):
            state |= {f'{name}.means': m.means, f'{name}.vars': m.vars}
    return state

def keep(name, learn, run, **more):
    n_iter,stats = run.n_iter,run.validate(learn)
    if run.distributed.rank: return
    rows = run.avg_stats.history
    history = [{k: v for k,v in row.items() if k!='seconds'} for row in rows]
    results[name] = dict(
        state=state_of(learn.model), names=list(learn.model.state_dict()),
        history=history, losses=run.recorder.losses, validate=stats, n_iter=n_iter,
        **more)

for norm in (None, BatchNorm, RunningBatchNorm):
    for dtype,act in ((torch.float64, nn.ReLU), (torch.float32, nn.GELU)):
        learn,run,_ = learner(dtype, norm, act=act)
        run.fit(5, learn)
        keep(f'{norm and norm.__name__} {dtype}', learn, run)

# the last batch holds one picture: process 0 gets none
learn,run,_ = learner(torch.float64, RunningBatchNorm, n=67, bs=22)
learn.loss_func = cross_entropy      # ours, which looks at what it is given
run.fit(2, learn)
keep('a share of nothing', learn, run)

# a loader that gives item by item, with a worker
learn,run,_ = learner(torch.float64, n=101, bs=20, items=True)
run.fit(2, learn)
keep('item by item', learn, run)

for kind in (SGD, Momentum, RMSProp, Adam, AdamW, LAMB, Muon):
    learn,run,_ = learner(torch.float64, n=132, act=nn.GELU, lr=0.01, opt_func=kind)
    run.fit(1, learn)
    keep(kind.__name__, learn, run)

class LeaveOutLast(Callback):
    "Cancels the last batch of a pass, in one process alone: the others must follow"
    _order = 20
    def after_loss(self):
        ranks = {key: int(os.environ.get(key, 0)) for key in ('RANK', 'WORLD_SIZE')}
        last = self.run.in_train and self.run.batch+1==self.run.iters
        if last and ranks['RANK']+1>=ranks['WORLD_SIZE']: raise CancelBatchException()

# shares of 20 and 21 in the last batch; 0 and 1 in all; a last group of one batch
for name,n,bs,batches,more in (('accumulated', 635, 66, 2, []),
                               ('accumulated, shares of nothing', 8, 1, 3, []),
                               ('accumulated, cut short', 635, 66, 4, [LeaveOutLast])):
    cbs = [GradientAccumulation(batches), *more]
    learn,run,_ = learner(torch.float64, n=n, bs=bs, cbs=cbs)
    run.fit(2, learn)
    keep(name, learn, run)
    path = f'{sys.argv[1]}.{name}.{run.distributed.rank}'
    torch.save(learn.model.state_dict(), path)

learn,run,together = learner(torch.float64, BatchNorm)
finder = lr_find(learn, cbs=[together], max_iter=30, max_lr=100.)
run.fit(1, learn)
keep('lr_find', learn, run, lrs=finder.lrs, found=finder.losses,
     stopped=len(finder.lrs))
if run.distributed.rank==0: torch.save(results, sys.argv[1])
'''
ACCUMULATED = ['accumulated', 'accumulated, shares of nothing',
               'accumulated, cut short']
OPTIMIZERS = ['SGD', 'Momentum', 'RMSProp', 'Adam', 'AdamW', 'LAMB', 'Muon']


@pytest.fixture(scope='module')
def one_and_two(tmp_path_factory):
    "(results, results, output, output) of one and of two processes; their folder"
    folder = tmp_path_factory.mktemp('steps')
    (folder/'steps.py').write_text(STEPS)
    done = subprocess.run([sys.executable, 'steps.py', 'one.pt'], cwd=folder, env=ENV,
                          capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr
    code, out, err, _ = torchrun('steps.py', 'two.pt', cwd=folder)
    assert code == 0, err
    results = [torch.load(folder/f'{name}.pt') for name in ('one', 'two')]
    return *results, done.stdout, out, folder


def difference(a, b): return max((x-b[k]).abs().max().item() for k, x in a.items())


@pytest.mark.parametrize('norm', ['None', 'BatchNorm', 'RunningBatchNorm'])
def test_two_processes_take_the_steps_of_one(one_and_two, norm):
    one, two = one_and_two[:2]
    for dtype, bound in (('torch.float64', 1e-10), ('torch.float32', 1e-5)):
        a, b = one[f'{norm} {dtype}'], two[f'{norm} {dtype}']
        assert a['n_iter'] == b['n_iter'] == 50 and a['names'] == b['names']
        assert difference(a['state'], b['state']) < bound, dtype


def test_metrics_and_losses_are_those_of_one_process(one_and_two):
    one, two = one_and_two[:2]
    for name, a in one.items():
        b = two[name]
        assert len(a['history']) == len(b['history'])
        assert len(a['losses']) == len(b['losses'])
        for row, row2 in zip(a['history'], b['history']):
            assert list(row) == list(row2)
            for k, v in row.items():
                bound = 2e-5 if 'loss' in k else 1e-6
                assert row2[k] == pytest.approx(v, abs=bound), (name, k)
        assert b['losses'] == pytest.approx(a['losses'], abs=2e-5)
        assert b['validate'] == pytest.approx(a['validate'], abs=2e-5)
        # shared out, and all of it in one process
        last, whole = b['history'][-1]['valid_accuracy'], b['validate']['accuracy']
        assert last == pytest.approx(whole, abs=1e-6)


@pytest.mark.parametrize('name', ['a share of nothing', 'item by item', 'lr_find',
                                  *ACCUMULATED])
def test_also(one_and_two, name):
    one, two = one_and_two[:2]
    assert difference(one[name]['state'], two[name]['state']) < 1e-10


@pytest.mark.parametrize('name', ACCUMULATED)
def test_accumulated_gradients_do_not_drift_apart(one_and_two, name):
    first, second = (torch.load(one_and_two[4]/f'two.pt.{name}.{rank}')
                     for rank in range(2))
    for key, value in first.items():
        assert value.isfinite().all() and torch.equal(value, second[key])


@pytest.mark.parametrize('kind', OPTIMIZERS)
def test_each_optimizer_takes_the_steps_of_one(one_and_two, kind):
    one, two = one_and_two[:2]
    assert one[kind]['n_iter'] == two[kind]['n_iter'] == 2
    # a share's rounding, divided by a small gradient's size
    assert difference(one[kind]['state'], two[kind]['state']) < 1e-6


def test_lr_find_stops_at_the_same_batch(one_and_two):
    a, b = (part['lr_find'] for part in one_and_two[:2])
    assert a['stopped'] == b['stopped'] and a['lrs'] == b['lrs']
    assert b['found'][:5] == pytest.approx(a['found'][:5], rel=1e-6)


def test_only_process_0_prints(one_and_two):
    alone, together = one_and_two[2:4]
    for text in (alone, together):
        lines = text.splitlines()
        heads = [line for line in lines if line.startswith('epoch  train_loss')]
        assert len(heads) == 12+len(OPTIMIZERS)
    # bars of one process, however often they are drawn
    assert together.count('epoch 1/5') <= 1.5*alone.count('epoch 1/5')+50


# Every kind of cancellation, in every event, raised in process 0 only, in process 1
# only, or in both: all end in one state, none hangs.
CANCELS = '''
import os,sys,torch,torch.distributed as dist
from minifastai.callbacks import AvgStatsCallback,Recorder,accuracy
from minifastai.cnn import get_cnn_model,get_runner
from minifastai.data import DataBunch,Dataset,get_dls
from minifastai.distributed import DistributedCallback
from minifastai.norms import BatchNorm
from minifastai.runner import (Callback,CancelBatchException,CancelEpochException,
                               CancelTrainException)
rank,rows = int(os.environ['RANK']),[]

class Raise(Callback):
    _order = 12        # after the statistics
    def __init__(self, event, exception, at, ranks, training=True):
        self.exception,self.at,self.ranks = exception,at,ranks
        self.training,self.count = training,0
        setattr(self, event, self.go)
    def go(self):
        if self.training is not None and self.run.in_train!=self.training: return
        self.count += 1
        if self.count in self.at and rank in self.ranks: raise self.exception()

def trained(cbs):
    torch.manual_seed(1)
    ds = Dataset(torch.randn(29, 1, 8, 8), torch.arange(29)%3)
    model = get_cnn_model(DataBunch(None, None, 3), [4], ni=1, norm=BatchNorm)
    cbs = [DistributedCallback(sync_norms=True, timeout=90), Recorder,
           AvgStatsCallback(accuracy, printer=lambda line: None), *cbs]
    learn,run = get_runner(model, DataBunch(*get_dls(ds, ds, 7), 3), lr=0.1, cbs=cbs)
    run.fit(2, learn)
    state = [v.tolist() for v in learn.model.state_dict().values()]
    # not the number of recorded losses: a batch that one process cancels before its
    # loss has none there
    rows = run.avg_stats.history
    history = [{k: v for k,v in row.items() if k!='seconds'} for row in rows]
    return repr((state, run.n_iter, history)),run.n_iter

batch,epoch,train = CancelBatchException,CancelEpochException,CancelTrainException
in_batch = 'begin_batch','after_pred','after_loss','after_backward','after_step'
cases  = [(event, e, (2, 3), True) for event in in_batch for e in (batch, epoch, train)]
cases += [(event, e, (2,), False) for event in in_batch[:3]
          for e in (batch, epoch, train)]
cases += [('after_batch', e, (2,), training) for e in (epoch, train)
          for training in (True, False)]
cases += [(event, e, (1,), None) for event in ('begin_epoch', 'begin_validate')
          for e in (epoch, train)]
cases += [(event, train, (1,), None) for event in ('begin_fit', 'after_epoch')]
undisturbed = trained([])[0]
for event,exception,at,training in cases:
    for ranks in ((0,), (1,), (0, 1)):
        answer,n_iter = trained([Raise(event, exception, at, ranks, training)])
        answers = [None, None]
        dist.all_gather_object(answers, answer)
        rows.append((event, exception.__name__, training, ranks,
                     answers[0]==answers[1], answer!=undisturbed, n_iter))
dist.barrier()
if rank==0: torch.save(rows, sys.argv[1])
'''


def test_all_cancel_or_none(tmp_path):
    (tmp_path/'cancels.py').write_text(CANCELS)
    code, _, err, _ = torchrun('cancels.py', 'rows.pt', cwd=tmp_path)
    assert code == 0, err
    rows = torch.load(tmp_path/'rows.pt')
    assert len(rows) == 3*(15+9+4+4+2)
    batches = {}
    for row in rows:
        event, kind, training, ranks, agree, cancelled, n_iter = row
        assert agree, f'the processes parted: {row}'
        # after its step a batch has nothing left to cancel
        if training is True and (event, kind) != ('after_step', 'CancelBatchException'):
            assert cancelled, f'nothing was cancelled: {row}'
        batches.setdefault((event, kind, training), set()).add(n_iter)
    # where it was raised makes no difference
    assert all(len(found) == 1 for found in batches.values()), batches


# The first training is cancelled by both, so both have heard of a cancellation of level
# 3; the second by one process, before anything else: the other must hear of it.
AGAIN = '''
import os,torch
from minifastai.cnn import get_cnn_model,get_runner
from minifastai.data import DataBunch,Dataset,get_dls
from minifastai.distributed import DistributedCallback
from minifastai.runner import Callback,CancelTrainException

class Stop(Callback):
    fits = 0
    def begin_fit(self):
        self.fits += 1
        if self.fits==2 and os.environ['RANK']=='0': raise CancelTrainException()
    def after_step(self):
        if self.fits==1 and self.run.n_iter==2: raise CancelTrainException()

torch.manual_seed(1)
ds = Dataset(torch.randn(29, 1, 8, 8), torch.arange(29)%3)
model = get_cnn_model(DataBunch(None, None, 3), [4], ni=1)
learn,run = get_runner(model, DataBunch(*get_dls(ds, ds, 7), 3), lr=0.1,
                       cbs=[DistributedCallback(timeout=90), Stop])
n_iters = [(run.fit(1, learn), run.n_iter)[1] for _ in range(3)]
print(f'batches {n_iters}')
'''


def test_a_second_training_can_be_cancelled_before_it_begins(tmp_path):
    (tmp_path/'again.py').write_text(AGAIN)
    code, out, err, _ = torchrun('again.py', cwd=tmp_path)
    assert code == 0, err
    assert out.count('batches [3, 0, 5]') == 2


LOST = '''
import os,signal,sys,time
from minifastai.activations import get_learn_run
from minifastai.data import get_databunch
from minifastai.distributed import DistributedCallback
from minifastai.runner import Callback
def die(): os.kill(os.getpid(), signal.SIGKILL)
def fail(): raise ValueError('a bug in process 1')
def hang(): time.sleep(1000)

class Lost(Callback):
    def begin_batch(self):
        if self.run.n_iter==5 and os.environ['RANK']=='1': globals()[sys.argv[1]]()

learn,run = get_learn_run([8, 16], get_databunch(64), lr=0.1,
                          cbs=[DistributedCallback(timeout=15), Lost])
run.fit(1, learn)
print('went on')
'''


@pytest.mark.parametrize('how', ['die', 'fail', 'hang'])
def test_a_lost_process_ends_the_run(tmp_path, how):
    (tmp_path/'lost.py').write_text(LOST)
    code, out, err, _ = torchrun('lost.py', how, cwd=tmp_path, timeout=200)
    assert code != 0 and 'went on' not in out
    if how == 'fail': assert 'a bug in process 1' in err


RESUME = '''
import os,sys,torch
from functools import partial
from minifastai.activations import get_learn_run
from minifastai.callbacks import Recorder
from minifastai.checkpoint import CheckpointCallback
from minifastai.data import DataBunch,Dataset,get_dls
from minifastai.distributed import DistributedCallback
from minifastai.norms import RunningBatchNorm
from minifastai.runner import Callback

class Stop(Callback):
    _order = 2000
    def after_batch(self):
        if self.run.in_train and self.run.n_iter==int(sys.argv[2]): os._exit(3)

path = sys.argv[1]
if 'alone' in path: path += os.environ['RANK']    # as on machines that share no folder
torch.manual_seed(5 if os.path.exists(path) else 0)
generator = torch.Generator().manual_seed(1)
ds = Dataset(torch.randn(83, 1, 12, 12, generator=generator), torch.arange(83)%10)
together = DistributedCallback(sync_norms=True, timeout=90)
saving = CheckpointCallback(path, resume=True, every=3)
learn,run = get_learn_run(
    [4, 8], DataBunch(*get_dls(ds, ds, 20), 10), lr=0.1, norm=RunningBatchNorm,
    norm_first=True, opt_func=partial(torch.optim.SGD, momentum=0.9),
    cbs=[together, Recorder, saving, Stop])
run.fit(2, learn)
result = learn.model.state_dict(),run.recorder.losses
torch.save(result, f'{path}.{together.rank}')
'''


def test_a_training_on_two_processes_is_resumed_bit_for_bit(tmp_path):
    (tmp_path/'resume.py').write_text(RESUME)
    runs = ('undisturbed', 0, 0), ('stopped', 8, 1), ('stopped', 0, 0)
    for path, stop, wanted in runs:
        code, _, err, _ = torchrun('resume.py', path, stop, cwd=tmp_path)
        assert code == wanted, err
    undisturbed = torch.load(tmp_path/'undisturbed.0')
    for rank in range(2):
        state, losses = torch.load(tmp_path/f'stopped.{rank}')
        assert losses == undisturbed[1] and len(losses) == 10
        for name, value in state.items():
            assert torch.equal(value, undisturbed[0][name])


def test_a_checkpoint_that_only_one_machine_has_is_refused(tmp_path):
    (tmp_path/'resume.py').write_text(RESUME)
    assert torchrun('resume.py', 'alone', 8, cwd=tmp_path)[0] == 1
    assert (tmp_path/'alone0').exists() and not (tmp_path/'alone1').exists()
    code, _, err, _ = torchrun('resume.py', 'alone', 0, cwd=tmp_path)
    assert code != 0
    said = ('ValueError: the processes begin at different places: process 0 at epoch 1 '
            'after 6 training batches, process 1 at epoch 0 after 0 training batches')
    assert re.search(f'{said}.*share', err), err


def write_mnist(folder: Path) -> None:
    "Random pictures in the files of MNIST"
    folder.mkdir()
    torch.manual_seed(0)
    for name, n in (('train', 1200), ('t10k', 100)):
        images = bytes(torch.randint(256, (n*784,)).tolist())
        labels = bytes(torch.randint(10, (n,)).tolist())
        head = b'\0\0\x08\x03' + struct.pack('>3I', n, 28, 28)
        (folder/f'{name}-images-idx3-ubyte').write_bytes(head+images)
        head = b'\0\0\x08\x01' + struct.pack('>I', n)
        (folder/f'{name}-labels-idx1-ubyte').write_bytes(head+labels)


def test_the_command_runs_unchanged(tmp_path):
    data = tmp_path/'data'
    write_mnist(data)
    code, out, err, _ = torchrun(
        '-m', 'minifastai', 'train', '--data', data, '--out', 'report', '--lr', '0.1',
        '--bs', '64', cwd=tmp_path)
    assert code == 0, err
    assert out.count('valid_accuracy') == 1 and out.count('report: ') == 1
    assert (tmp_path/'report'/'index.html').exists()
    assert not (tmp_path/'report-2').exists()


FEWER = '''get_databunch(bs=512)
from minifastai.data import Dataset,get_dls
few = Dataset(*data.train_ds[:2048]),Dataset(*data.valid_ds[:512])
data.train_dl,data.valid_dl = get_dls(*few, 512)
'''


def test_the_example(tmp_path):
    example = (ROOT/'examples'/'train_ddp.py').read_text(encoding='utf-8')
    assert 'get_databunch(bs=512)\n' in example
    example = example.replace('get_databunch(bs=512)\n', FEWER)
    (tmp_path/'train_ddp.py').write_text(example)
    code, out, err, _ = torchrun('train_ddp.py', cwd=tmp_path)
    assert code == 0, err
    assert out.count('valid_loss') == 1
    assert '0.1.mults' in torch.load(tmp_path/'model.pt')

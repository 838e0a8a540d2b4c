"""A training that is killed and resumed ten times ends with the undisturbed weights.

It is killed with SIGKILL, at random moments and while it writes."""
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

SCRIPT = '''
import random,sys
import numpy as np,torch,torch.nn.functional as F
from torch import nn
from minifastai.callbacks import AvgStatsCallback,Recorder,accuracy
from minifastai.checkpoint import CheckpointCallback
from minifastai.cnn import get_cnn_layers
from minifastai.data import DataBunch,Dataset,get_databunch,get_dls
from minifastai.norms import RunningBatchNorm
from minifastai.runner import Callback,Learner,Runner
from minifastai.schedule import ParamScheduler,combine_scheds,cos_1cycle_anneal

class Shift(Callback):
    "Moves the pictures at random; draws from NumPy and from Python on purpose"
    def begin_batch(self):
        if not self.in_train: return
        by = int(np.random.randint(-2, 3)),random.randint(-2, 2)
        self.run.xb = torch.roll(self.xb, by, (2, 3))

class Report(Callback):
    _order = 2000
    def begin_batch(self):
        if self.in_train: print(self.n_iter, flush=True)

torch.set_num_threads(1)
for seeded in (torch.manual_seed, np.random.seed, random.seed): seeded(0)
data = get_databunch(64)
# 94 batches an epoch, the last one smaller
few = Dataset(*data.train_ds[:6000]),Dataset(*data.valid_ds[:1000])
data = DataBunch(*get_dls(*few, 64), data.c)
layers = get_cnn_layers(data, [8, 16, 32], norm=RunningBatchNorm)[:-1]
model = nn.Sequential(*layers, nn.Dropout(0.2), nn.Linear(32, 10))
opt = torch.optim.Adam(model.parameters(), lr=0.01)
learn = Learner(model, opt, F.cross_entropy, data)
anneal = combine_scheds([0.3, 0.7], cos_1cycle_anneal(0.002, 0.02, 0.001))
run = Runner([Shift, Report, Recorder,
              AvgStatsCallback(accuracy, printer=lambda line: None),
              ParamScheduler('lr', anneal),
              CheckpointCallback(sys.argv[1], resume=True, every=3)])
run.fit(2, learn)
'''
N_KILLS, N_BATCHES = 10, 188


def run_until(script, path, batch=None, wait=0., in_writing=False):
    """Start or resume the training; the batches it did, and its return code

    At `batch` wait, for some seconds or until a file is being written, and kill."""
    process = subprocess.Popen([sys.executable, script, path], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    seen = []
    for line in process.stdout:
        seen.append(int(line))
        if batch is not None and seen[-1] >= batch:
            part = Path(f'{path}.part')
            while in_writing and process.poll() is None and not part.exists(): pass
            time.sleep(wait)
            process.kill()
            batch = None         # and read what it said before that
    errors = process.communicate()[1]
    assert process.returncode in (0, -signal.SIGKILL), errors
    assert 'Warning' not in errors, errors                     # no bad file was met
    return seen, process.returncode


def same(a, b) -> bool:
    "Are two parts of checkpoints equal, but for the time that they took?"
    if isinstance(a, torch.Tensor): return torch.equal(a, b)
    if isinstance(a, (list, tuple)): return len(a) == len(b) and all(map(same, a, b))
    if not isinstance(a, dict): return a == b
    return a.keys() == b.keys() and all(
        same(value, b[key]) for key, value in a.items() if key != 'seconds')


@pytest.mark.skipif(not hasattr(signal, 'SIGKILL'), reason='there is no SIGKILL here')
def test_killed_ten_times_and_resumed(tmp_path):
    from minifastai.checkpoint import read_checkpoint
    script, plain = tmp_path/'train.py', tmp_path/'plain.pt'
    killed = tmp_path/'killed'/'run.pt'
    script.write_text(SCRIPT)
    seen, code = run_until(script, plain)
    assert code == 0 and seen == list(range(N_BATCHES))
    rng, torn, last = random.Random(7), 0, 0
    moments = sorted(rng.sample(range(4, N_BATCHES-6), N_KILLS))
    for i, moment in enumerate(moments):
        wait = rng.random()*(0.03 if i%2 else 0.002)
        seen, code = run_until(script, killed, moment, wait, in_writing=i%2 == 0)
        assert code == -signal.SIGKILL
        # at most three batches are done again
        assert last-3 <= seen[0] <= last+1 or i == 0, f'from {last} to {seen[0]}'
        torn += Path(f'{killed}.part').exists()
        last = seen[-1]
        # readable without a word, and recent
        if killed.exists(): assert read_checkpoint(killed)['n_iter'] >= last-3
        if Path(f'{killed}.prev').exists(): read_checkpoint(f'{killed}.prev')
    assert killed.exists() and torn, 'no kill met a file that was being written'
    seen, code = run_until(script, killed)
    assert code == 0 and seen[-1] == N_BATCHES-1

    one, two = read_checkpoint(plain), read_checkpoint(killed)
    different = [part for part in one if not same(one[part], two[part])]
    assert not different, f'not as in the undisturbed training: {different}'
    learned = one['callbacks']['avg_stats']['history'][-1]['valid_accuracy']
    assert one['epoch'] == 2 and learned > 0.8, 'the training did not learn anything'
    # nothing is left behind
    assert {f.name for f in killed.parent.iterdir()} == {'run.pt', 'run.pt.prev'}

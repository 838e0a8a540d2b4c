"A training that is killed with SIGKILL ten times, at random moments and while it writes, and resumed each time, ends with the weights of the undisturbed one."
import random,signal,subprocess,sys,time
from pathlib import Path
import pytest,torch

SCRIPT = '''
import os,random,sys
import numpy as np,torch,torch.nn.functional as F
from torch import nn
from minifastai.checkpoint import CheckpointCallback
from minifastai.cnn import get_cnn_layers
from minifastai.data import DataBunch,Dataset,get_databunch,get_dls
from minifastai.norms import RunningBatchNorm
from minifastai.runner import Callback,Learner,Runner
from minifastai.callbacks import AvgStatsCallback,Recorder,accuracy
from minifastai.schedule import ParamScheduler,combine_scheds,cos_1cycle_anneal

class Shift(Callback):
    "Moves the pictures at random; draws from NumPy and from Python on purpose"
    def begin_batch(self):
        if self.in_train: self.run.xb = torch.roll(self.xb, (int(np.random.randint(-2, 3)), random.randint(-2, 2)), (2, 3))

class Report(Callback):
    _order = 2000
    def begin_batch(self):
        if self.in_train: print(self.n_iter, flush=True)

torch.set_num_threads(1)
for seeded in (torch.manual_seed, np.random.seed, random.seed): seeded(0)
data = get_databunch(64)
data = DataBunch(*get_dls(Dataset(*data.train_ds[:6000]), Dataset(*data.valid_ds[:1000]), 64), data.c)     # 94 batches an epoch, the last one smaller
model = nn.Sequential(*get_cnn_layers(data, [8, 16, 32], norm=RunningBatchNorm)[:-1], nn.Dropout(0.2), nn.Linear(32, 10))
learn = Learner(model, torch.optim.Adam(model.parameters(), lr=0.01), F.cross_entropy, data)
cycle = ParamScheduler('lr', combine_scheds([0.3, 0.7], cos_1cycle_anneal(0.002, 0.02, 0.001)))
run = Runner([Shift, Report, Recorder, AvgStatsCallback(accuracy, printer=lambda line: None), cycle, CheckpointCallback(sys.argv[1], resume=True, every=3)])
run.fit(2, learn)
'''
N_KILLS,N_BATCHES = 10,188

def run_until(script, path, batch=None, wait=0., in_writing=False):
    "Start or resume the training; at `batch` wait, for some seconds or until a file is being written, and kill. The batches it did, and its return code"
    process,seen = subprocess.Popen([sys.executable, script, path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True),[]
    for line in process.stdout:
        seen.append(int(line))
        if batch is not None and seen[-1]>=batch:
            part = Path(f'{path}.part')
            while in_writing and process.poll() is None and not part.exists(): pass
            time.sleep(wait)
            process.kill()
            break
    errors = process.communicate()[1]
    assert process.returncode in (0, -signal.SIGKILL), errors
    assert 'Warning' not in errors, errors                     # no bad file was met
    return seen,process.returncode

@pytest.mark.skipif(not hasattr(signal, 'SIGKILL'), reason='there is no SIGKILL here')
def test_killed_ten_times_and_resumed(tmp_path):
    from minifastai.checkpoint import read_checkpoint
    script,plain,killed = tmp_path/'train.py',tmp_path/'plain.pt',tmp_path/'killed'/'run.pt'
    script.write_text(SCRIPT)
    seen,code = run_until(script, plain)
    assert code==0 and seen==list(range(N_BATCHES))
    rng,torn,last = random.Random(7),0,0
    moments = sorted(rng.sample(range(4, N_BATCHES-6), N_KILLS))
    for i,moment in enumerate(moments):
        seen,code = run_until(script, killed, moment, wait=rng.random()*0.03 if i%2 else rng.random()*0.002, in_writing=i%2==0)
        assert code==-signal.SIGKILL
        assert last-3<=seen[0]<=last+1 or i==0, f'killed after batch {last}, but went on with {seen[0]}'     # at most three batches are done again
        torn += Path(f'{killed}.part').exists()
        last = seen[-1]
        if killed.exists(): assert read_checkpoint(killed)['n_iter']>=last-3          # readable without a word, and recent
        if Path(f'{killed}.prev').exists(): read_checkpoint(f'{killed}.prev')
    assert killed.exists() and torn, 'no kill met a file that was being written'
    seen,code = run_until(script, killed)
    assert code==0 and seen[-1]==N_BATCHES-1

    one,two = read_checkpoint(plain),read_checkpoint(killed)
    def same(a, b):
        if isinstance(a, torch.Tensor): return torch.equal(a, b)
        if isinstance(a, dict): return a.keys()==b.keys() and all(same(v, b[k]) for k,v in a.items() if k!='seconds')
        if isinstance(a, (list, tuple)): return len(a)==len(b) and all(map(same, a, b))
        return a==b
    different = [part for part in one if not same(one[part], two[part])]
    assert not different, f'these parts of the checkpoint differ from those of the undisturbed training: {different}'
    assert one['epoch']==2 and one['callbacks']['avg_stats']['history'][-1]['valid_accuracy']>0.8, 'the training did not learn anything'
    assert sorted(f.name for f in killed.parent.iterdir())==['run.pt', 'run.pt.prev']       # nothing is left behind

"""The same script for one process and for many

python train_ddp.py
torchrun --standalone --nproc-per-node 2 train_ddp.py"""
import torch

from minifastai.all import (
    AvgStatsCallback, DistributedCallback, ProgressCallback, Recorder, RunningBatchNorm,
    accuracy, get_databunch, get_learn_run)

torch.manual_seed(42)
data = get_databunch(bs=512)
cbs = [DistributedCallback(sync_norms=True), Recorder, AvgStatsCallback(accuracy),
       ProgressCallback]
learn, run = get_learn_run([8, 16, 32, 64], data, lr=0.5, norm=RunningBatchNorm,
                           norm_first=True, cbs=cbs)
run.fit(1, learn)
if run.distributed.rank == 0: torch.save(learn.model.state_dict(), 'model.pt')

"""A script as a user of the package writes it; `make lint` checks its types.

`python tests/typed/normal.py` trains for one epoch."""
import torch
from torch import nn
from minifastai.all import (
    AvgStatsCallback, Callback, CancelTrainException, CudaCallback, DataBunch, Learner,
    ParamScheduler, Recorder, Runner, accuracy, get_cnn_model, get_databunch, lr_find,
    sched_cos)


class Noise(Callback):
    "Adds noise to the pictures that are trained on"
    _order = 2

    def __init__(self, scale: float): self.scale = scale

    def begin_batch(self) -> None:
        if self.run.in_train:
            self.run.xb = self.run.xb+self.scale*torch.randn_like(self.run.xb)


class StopAt(Callback):
    "Ends the training after so many batches"
    def __init__(self, n: int): self.n = n

    def after_batch(self) -> None:
        if self.run.in_train and self.run.n_iter >= self.n: raise CancelTrainException()


def train(data: DataBunch, n: int) -> list[float]:
    "The losses of a training of `n` batches"
    model: nn.Module = get_cnn_model(data, [8, 16])
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    learn = Learner(model, opt, nn.functional.cross_entropy, data)
    rate = lr_find(learn, cb_funcs=[CudaCallback]).suggestion
    schedule = ParamScheduler('lr', sched_cos(rate or 0.5, 0.01))
    run = Runner([Noise(0.1), StopAt(n), AvgStatsCallback([accuracy])],
                 cb_funcs=[CudaCallback, Recorder, lambda: schedule])
    run.fit(1, learn)
    preds, targs = run.get_preds(learn)
    print(accuracy(preds, targs).item(), run.recorder.lrs[-1])
    return run.recorder.losses


if __name__ == '__main__':
    data = get_databunch(512, None)
    print(train(data, 50)[-1])

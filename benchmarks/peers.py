"""The same training with other libraries, each as its documentation shows it.

All have an averaged loss, the accuracy, a progress bar. The libraries live in an
environment of their own (`make bench` builds it); each is imported where it is used.
All take our loader, so that what is compared is the loop."""
import logging
import os
import time
import warnings
from functools import partial

import torch
import torch.nn.functional as F

warnings.filterwarnings('ignore')
os.environ.setdefault('TQDM_MININTERVAL', '0.1')


class Stamped:
    """A loader that notes when each batch is asked for

    The time from the second to the last is the loop's, without what is around it."""
    def __init__(self, dl):
        self.dl, self.dataset, self.batch_size = dl, dl.dataset, dl.sampler.bs
        self.stamps = []

    def __len__(self): return len(self.dl)

    def __iter__(self):
        self.stamps = []
        for batch in self.dl:
            self.stamps.append(time.process_time())
            yield batch

    @property
    def seconds_a_batch(self):
        return (self.stamps[-1]-self.stamps[1])/(len(self.stamps)-2)


def fastai(model, opt, data, epochs=1, lr=0.01):
    from fastai.basics import SGD, DataLoaders, Learner, accuracy
    from fastai.callback.progress import ProgressCallback
    dls = DataLoaders(data.train_dl, data.valid_dl)
    learn = Learner(dls, model, loss_func=F.cross_entropy, opt_func=SGD, lr=lr,
                    metrics=accuracy)
    assert any(isinstance(cb, ProgressCallback) for cb in learn.cbs)
    return lambda: learn.fit(epochs)


def lightning(model, opt, data, epochs=1, lr=0.01):
    import lightning as L
    from lightning.pytorch.callbacks import TQDMProgressBar
    logging.getLogger('lightning.pytorch').setLevel(logging.ERROR)

    class Module(L.LightningModule):
        def __init__(self):
            super().__init__()
            self.model = model

        def _losses(self, batch, part):
            xb, yb = batch
            pred = self.model(xb)
            loss = F.cross_entropy(pred, yb)
            right = (pred.argmax(dim=1) == yb).float().mean()
            self.log_dict({f'{part}_loss': loss, f'{part}_accuracy': right},
                          on_step=False, on_epoch=True, prog_bar=True)
            return loss

        def training_step(self, batch, _): return self._losses(batch, 'train')
        def validation_step(self, batch, _): return self._losses(batch, 'valid')
        def configure_optimizers(self): return opt

    trainer = L.Trainer(
        max_epochs=epochs, accelerator='cpu', devices=1, logger=False,
        enable_checkpointing=False, enable_model_summary=False,
        num_sanity_val_steps=0, callbacks=[TQDMProgressBar()])
    module = Module()
    return lambda: trainer.fit(module, data.train_dl, data.valid_dl)


def ignite(model, opt, data, epochs=1, lr=0.01):
    from ignite.contrib.handlers import ProgressBar
    from ignite.engine import (
        Events, create_supervised_evaluator, create_supervised_trainer)
    from ignite.metrics import Accuracy, Loss

    def kept(x, y, y_pred, loss):
        return {'y_pred': y_pred, 'y': y, 'loss': loss.detach()}

    def out(o): return o['y_pred'], o['y']

    trainer = create_supervised_trainer(model, opt, F.cross_entropy,
                                        output_transform=kept)
    Accuracy(output_transform=out).attach(trainer, 'accuracy')
    Loss(F.cross_entropy, output_transform=out).attach(trainer, 'loss')
    ProgressBar().attach(trainer, output_transform=lambda o: {'loss': o['loss']})
    if data.valid_dl is not None:
        metrics = {'accuracy': Accuracy(), 'loss': Loss(F.cross_entropy)}
        evaluator = create_supervised_evaluator(model, metrics=metrics)
        trainer.add_event_handler(Events.EPOCH_COMPLETED,
                                  lambda: evaluator.run(data.valid_dl))
    return lambda: trainer.run(data.train_dl, max_epochs=epochs)


def skorch(model, opt, data, epochs=1, lr=0.01):
    from skorch import NeuralNetClassifier
    from skorch.callbacks import EpochScoring, ProgressBar
    from skorch.helper import predefined_split
    from torch.utils.data import TensorDataset
    train, split = data.train_ds, None
    if data.valid_dl is not None:
        valid = data.valid_ds
        split = predefined_split(TensorDataset(valid.x, valid.y))

    def loader(dataset, **kwargs):
        return data.train_dl if len(dataset) == len(train) else data.valid_dl

    scoring = EpochScoring('accuracy', on_train=True, name='train_accuracy',
                           lower_is_better=False)
    batch_size = data.train_dl.batch_size or data.train_dl.sampler.bs
    net = NeuralNetClassifier(
        model, criterion=torch.nn.CrossEntropyLoss, optimizer=torch.optim.SGD, lr=lr,
        max_epochs=epochs, batch_size=batch_size,
        iterator_train=loader, iterator_valid=loader, train_split=split, verbose=0,
        callbacks=[('train_accuracy', scoring), ('bar', ProgressBar())])
    net.initialize()
    return lambda: net.partial_fit(train.x, train.y, epochs=epochs)


PEERS = {'ignite': ignite, 'skorch': skorch, 'Lightning': lightning, 'fastai': fastai}


def bare(model, opt, data, epochs=1, lr=0.01):
    "The loop by hand, over our loader"
    def work():
        for xb, yb in data.train_dl:
            loss = F.cross_entropy(model(xb), yb)
            loss.backward()
            opt.step()
            opt.zero_grad()
    return work


def minifastai(model, opt, data, epochs=1, lr=0.01):
    from common import Silent

    from minifastai.callbacks import (
        AvgStatsCallback, ProgressCallback, Recorder, accuracy)
    from minifastai.runner import Learner, Runner
    run = Runner([Recorder, ProgressCallback(file=Silent()),
                  AvgStatsCallback(accuracy, printer=lambda text: None)])
    return lambda: run.fit(epochs, Learner(model, opt, F.cross_entropy, data))


def measured(make, n):
    "Seconds a batch of a training with a batch of two through one linear layer"
    from loop import learner

    from minifastai.data import DataBunch, Dataset, get_dls
    learn = learner(n)
    few = Dataset(torch.randn(4, 10), torch.randint(2, (4,)))
    train = Stamped(learn.data.train_dl)
    make(learn.model, learn.opt, DataBunch(train, get_dls(few, few, 2)[1], 2))()
    return train.seconds_a_batch


MAKERS = {'bare loop': bare, 'minifastai': minifastai, **PEERS}
LOOPS = {name: partial(measured, make) for name, make in MAKERS.items()}

"""Early stopping on the validation error."""

import pytorch_lightning as pl
from pytorch_lightning.callbacks import EarlyStopping


class StopWithoutProgress(EarlyStopping):
    """Stops after `patience` validations without a lower `val/nme`; a run that has stopped is not resumed further."""

    def __init__(self, patience: int):
        super().__init__("val/nme", patience=patience, mode="min", check_on_train_epoch_end=False)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.wait_count >= self.patience:
            trainer.should_stop = True

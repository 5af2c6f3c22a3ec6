"""Search for the options of a training with Optuna: many trials, several at a time, resumable."""

"""What a submission package holds besides the model: run_model.py, copied as it is."""

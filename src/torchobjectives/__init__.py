"""torchobjectives: the objective toolkit for PyTorch."""

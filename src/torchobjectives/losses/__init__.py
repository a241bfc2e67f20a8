"""The losses: one file per family, each loss its function and then its class."""

"""Feature selection on 30 measurements of 569 biopsies: a path of coefficients, and stability; draws both.

Run: python feature_selection.py [--out folder]. Needs matplotlib and scikit-learn (the ``workbench`` extra).
"""

import argparse
from pathlib import Path

import torch
from sklearn.datasets import load_breast_cancer
from torch import nn

from torchobjectives import L1, BinaryCrossEntropyLoss, Objective, regularization_path, select_features


def main(folder: Path, resamples: int) -> None:
    data = load_breast_cancer()
    names = list(data.feature_names)
    x = torch.as_tensor(data.data)
    x = (x - x.mean(0)) / x.std(0, correction=0)
    y_true = torch.as_tensor(data.target, dtype=torch.float64).unsqueeze(1)
    train, held = [(x[::2], y_true[::2])], [(x[1::2], y_true[1::2])]

    objective = Objective(BinaryCrossEntropyLoss(), penalties=[L1(0.0)])
    path = regularization_path(objective, nn.Linear(30, 1).double(), train, ratio=0.003, validation=held)
    print(path)
    path.plot(folder / "regularization-path.svg", names=names)

    found = select_features(data.data, data.target, BinaryCrossEntropyLoss(), names=names, resamples=resamples)
    print(found)
    print(f"at most {found.expected_false_:.2f} of them by mistake, in expectation")
    found.plot(folder / "selected-features.svg")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Draw a regularization path and the frequencies of features.")
    parser.add_argument("--out", type=Path, default=Path(), help="the folder for the pictures")
    parser.add_argument("--resamples", type=int, default=100, help="an even number of random halves")
    arguments = parser.parse_args()
    main(arguments.out, arguments.resamples)

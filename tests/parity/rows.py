"""Our losses and those of other libraries, call by call: what docs/parity.md shows is what the tests run.

The calls are Python, with ``p`` the prediction, ``y`` the truth (arrays of the library that is called) and what
:mod:`tests.parity.inputs` says besides. A row without ``why`` is equal: in value, and in the gradient of ``p`` where
the library has gradients. A row with ``why`` is not, and the tests demand that it is not.
"""

from __future__ import annotations

from typing import NamedTuple

PEERS = {
    "kornia": "kornia",
    "MONAI": "monai",
    "optax": "optax",
    "keras": "keras",
    "scikit-learn": "scikit-learn",
    "neuralforecast": "neuralforecast",
    "entmax": "entmax",
}


class Row(NamedTuple):
    peer: str
    theirs: str
    ours: str
    inputs: str = "reals"
    note: str = ""
    why: str = ""
    # The gradient, where the library gives it by a function of its own.
    slope: str = ""
    rtol: float = 1e-9


ARGUMENT = "takes (y_true, y_pred)"
LAST = "the classes lie in the last axis"
SUM_OF_CLASSES = "one-hot labels; " + LAST
KERAS_FLOOR = "clips p at 1e-7"

ROWS = (
    # kornia
    Row("kornia", "kornia.losses.charbonnier_loss(p, y, reduction='mean')", "barron_loss(p, y, alpha=1.0)"),
    Row(
        "kornia",
        "kornia.losses.charbonnier_loss(p, y, reduction='mean') + 1",
        "charbonnier_loss(p, y, eps=1.0)",
        note="theirs is √(d² + 1) − 1",
    ),
    Row("kornia", "kornia.losses.cauchy_loss(p, y, reduction='mean')", "cauchy_loss(p, y)"),
    Row("kornia", "kornia.losses.geman_mcclure_loss(p, y, reduction='mean')", "geman_mcclure_loss(p, y)"),
    Row("kornia", "kornia.losses.welsch_loss(p, y, reduction='mean')", "welsch_loss(p, y)"),
    Row(
        "kornia",
        "kornia.losses.binary_focal_loss_with_logits(p, y, alpha=0.25, gamma=2.0, reduction='mean')",
        "focal_loss(p, y, gamma=2.0, alpha=0.25)",
        "binary",
        note="their class has no default for alpha, their function 0.25",
    ),
    Row(
        "kornia",
        "kornia.losses.binary_focal_loss_with_logits(p, y, alpha=0.25, gamma=2.0, reduction='mean')",
        "focal_loss(p, y, gamma=2.0, alpha=0.25)",
        "soft_binary",
        note="soft labels, too",
    ),
    Row(
        "kornia",
        "kornia.losses.focal_loss(p, y, alpha=None, gamma=2.0, reduction='mean') * C",
        "softmax_focal_loss(p, y, gamma=2.0)",
        "pixels",
        note="their mean divides by the number of classes C, too",
    ),
    Row(
        "kornia",
        "kornia.losses.focal_loss(p, y, alpha=0.25, gamma=2.0, reduction='sum')",
        "softmax_focal_loss(p, y, gamma=2.0, class_weight=[0.75, 0.25, 0.25], reduction='sum')",
        "pixels",
        note="a scalar alpha is the class weights 1 − α, α, α, …",
    ),
    Row(
        "kornia",
        "kornia.losses.dice_loss(p, y, average='macro', eps=0.0)",
        "dice_loss(p, y, sum_over='sample', absent='skip')",
        "one_image",
        note="for one image: theirs averages classes per image, then images; ours all (image, class) pairs at once",
    ),
    Row(
        "kornia",
        "kornia.losses.dice_loss(p, y, average='micro', eps=0.0)",
        "dice_loss(p, y)",
        "pixels",
        why="their default sums over the classes, too, which makes it 1 − mean(p_true)",
    ),
    Row(
        "kornia",
        "kornia.losses.dice_loss(p, y, average='micro', eps=0.0)",
        "mae_classification_loss(p, y) / 2",
        "pixels",
        note="that 1 − mean(p_true)",
    ),
    # MONAI
    Row(
        "MONAI",
        "monai.losses.DiceLoss(sigmoid=True, smooth_nr=0.0, smooth_dr=0.0)(p, y)",
        "dice_loss(p, y, sum_over='sample', absent='count')",
        "one_channel",
    ),
    Row(
        "MONAI",
        "monai.losses.DiceLoss(softmax=True, to_onehot_y=True)(p, y.unsqueeze(1))",
        "dice_loss(p, y, sum_over='sample', absent='count', smooth=1e-5)",
        "pixels",
        note="the defaults of theirs; y has an axis of classes",
    ),
    Row(
        "MONAI",
        "monai.losses.DiceLoss(softmax=True, to_onehot_y=True, batch=True)(p, y.unsqueeze(1))",
        "dice_loss(p, y, sum_over='batch', absent='count', smooth=1e-5)",
        "pixels",
    ),
    Row(
        "MONAI",
        "monai.losses.DiceLoss(softmax=True, to_onehot_y=True, squared_pred=True, batch=True)(p, y.unsqueeze(1))",
        "dice_loss(p, y, squared=True, absent='count', smooth=1e-5)",
        "pixels",
        note="takes the norm of the labels in float32",
        rtol=1e-7,
    ),
    Row(
        "MONAI",
        "monai.losses.DiceLoss(sigmoid=True, batch=True, smooth_nr=0.0, smooth_dr=0.0)(p, y)",
        "soft_fbeta_loss(p.flatten(), y.flatten(), beta=1.0)",
        "one_channel",
    ),
    Row(
        "MONAI",
        "monai.losses.FocalLoss(gamma=2.0, alpha=0.25)(p, y)",
        "focal_loss(p, y, gamma=2.0, alpha=0.25)",
        "one_channel",
        note="computes in float32",
        rtol=1e-5,
    ),
    Row(
        "MONAI",
        "monai.losses.FocalLoss(use_softmax=True, to_onehot_y=True, gamma=2.0)(p, y.unsqueeze(1)) * C",
        "softmax_focal_loss(p, y, gamma=2.0)",
        "pixels",
        note="their mean divides by the number of classes C, too; computes in float32",
        rtol=1e-5,
    ),
    Row(
        "MONAI",
        "monai.losses.FocalLoss(to_onehot_y=True, gamma=2.0)(p, y.unsqueeze(1)) * C",
        "softmax_focal_loss(p, y, gamma=2.0)",
        "pixels",
        why="without use_softmax=True theirs is C sigmoid losses",
    ),
    Row(
        "MONAI",
        "monai.losses.MCCLoss(sigmoid=True, batch=True, smooth_dr=0.0)(p, y)",
        "mcc_loss(p, y)",
        "one_channel",
        note="their default adds 1e-5 under the root and takes each image alone",
    ),
    # optax
    Row("optax", "optax.squared_error(p, y).mean()", "mse_loss(p, y)"),
    Row("optax", "2 * optax.l2_loss(p, y).mean()", "mse_loss(p, y)", note="theirs is half the square"),
    Row("optax", "optax.huber_loss(p, y, delta=0.5).mean()", "huber_loss(p, y, delta=0.5)"),
    Row("optax", "optax.log_cosh(p, y).mean()", "log_cosh_loss(p, y)"),
    Row(
        "optax",
        "optax.log_cosh(p, y).mean()",
        "log_cosh_loss(p, y)",
        "near",
        why="subtracts log 2 from log 2: in float32 0 at d = 1e-4, 5e-9 here",
    ),
    Row("optax", "optax.cosine_distance(p, y).mean()", "cosine_similarity_loss(p, y)"),
    Row(
        "optax",
        "optax.cosine_distance(p, y).mean()",
        "cosine_similarity_loss(p, y)",
        "zero_vector",
        why="NaN for a vector of zeros with their default epsilon of 0",
    ),
    Row("optax", "optax.sigmoid_binary_cross_entropy(p, y).mean()", "binary_cross_entropy_loss(p, y)", "binary"),
    Row("optax", "optax.sigmoid_binary_cross_entropy(p, y).mean()", "soft_margin_loss(p, y)", "binary"),
    Row(
        "optax",
        "optax.sigmoid_binary_cross_entropy(p, y * 0.9 + 0.05).mean()",
        "binary_cross_entropy_loss(p, y, label_smoothing=0.1)",
        "binary",
    ),
    Row(
        "optax",
        "optax.sigmoid_focal_loss(p, y, alpha=0.25, gamma=2.0).mean()",
        "focal_loss(p, y, gamma=2.0, alpha=0.25)",
        "binary",
    ),
    Row(
        "optax",
        "optax.sigmoid_focal_loss(p, y, gamma=2.0).mean()",
        "focal_loss(p, y, gamma=2.0)",
        "soft_binary",
        why="soft labels: theirs mixes the probabilities before the power",
    ),
    Row("optax", "optax.hinge_loss(p, 2 * y - 1).mean()", "hinge_loss(p, y)", "binary", note="labels −1 and 1"),
    Row(
        "optax",
        "optax.softmax_cross_entropy_with_integer_labels(p, y).mean()",
        "cross_entropy_loss(p, y)",
        "classes",
        note=LAST,
    ),
    Row(
        "optax",
        "optax.softmax_cross_entropy_with_integer_labels(p, y, axis=1).mean()",
        "cross_entropy_loss(p, y)",
        "pixels",
    ),
    Row("optax", "optax.softmax_cross_entropy(p, y).mean()", "cross_entropy_loss(p, y)", "soft_classes", note=LAST),
    Row(
        "optax",
        "optax.softmax_cross_entropy(p, optax.smooth_labels(one_hot(y, C), 0.1)).mean()",
        "cross_entropy_loss(p, y, label_smoothing=0.1)",
        "classes",
    ),
    Row(
        "optax",
        "optax.losses.poly_loss_cross_entropy(p, one_hot(y, C), epsilon=1.0).mean()",
        "poly1_loss(p, y, epsilon=1.0)",
        "classes",
        note="their default is ε = 2; " + SUM_OF_CLASSES,
    ),
    Row("optax", "optax.losses.multiclass_hinge_loss(p, y).mean()", "crammer_singer_loss(p, y)", "classes"),
    Row(
        "optax",
        "optax.losses.multiclass_perceptron_loss(p, y).mean()",
        "crammer_singer_loss(p, y, margin=0.0)",
        "classes",
    ),
    Row(
        "optax",
        "optax.losses.sparsemax_loss(p, y).mean()",
        "sparsemax_loss(stack((0 * p, p), 1), y.long())",
        "binary_line",
        note="of one logit, the difference of two scores",
    ),
    Row("optax", "optax.losses.perceptron_loss(p, 2 * y - 1).mean()", "hinge_loss(p, y, margin=0.0)", "binary"),
    Row("optax", "optax.safe_softmax_cross_entropy(p, y).mean()", "cross_entropy_loss(p, y)", "soft_classes"),
    Row("optax", "optax.losses.multiclass_sparsemax_loss(p, y).mean()", "sparsemax_loss(p, y)", "classes"),
    Row(
        "optax",
        "optax.losses.make_fenchel_young_loss(logsumexp)(p, one_hot(y, C)).mean()",
        "cross_entropy_loss(p, y)",
        "classes",
        note="of log-sum-exp",
    ),
    Row(
        "optax",
        "optax.losses.dice_loss(last(p), one_hot(y, C), smooth=1e-5).mean()",
        "dice_loss(p, y, sum_over='sample', absent='count', smooth=2e-5)",
        "pixels",
        note="their smooth is half of ours, above and below, and 1 unless given; " + LAST,
    ),
    Row(
        "optax",
        "optax.losses.binary_dice_loss(last(p), last(y), smooth=1e-5).mean()",
        "dice_loss(p, y, sum_over='sample', absent='count', smooth=2e-5)",
        "one_channel",
    ),
    # keras, on torch
    Row("keras", "keras.losses.mean_squared_error(y, p).mean()", "mse_loss(p, y)", note=ARGUMENT),
    Row("keras", "keras.losses.mean_absolute_error(y, p).mean()", "l1_loss(p, y)"),
    Row("keras", "keras.losses.huber(y, p, delta=0.5).mean()", "huber_loss(p, y, delta=0.5)"),
    Row("keras", "keras.losses.log_cosh(y, p).mean()", "log_cosh_loss(p, y)"),
    Row(
        "keras",
        "keras.losses.log_cosh(y, p).mean()",
        "log_cosh_loss(p, y)",
        "near",
        why="subtracts log 2, too: in float32 0 at d = 1e-4, 5e-9 here",
    ),
    Row(
        "keras",
        "1 + keras.losses.cosine_similarity(y, p).mean()",
        "cosine_similarity_loss(p, y)",
        note="theirs is −cos",
    ),
    Row("keras", "keras.losses.mean_squared_logarithmic_error(y, p).mean()", "msle_loss(p, y)", "positive"),
    Row(
        "keras",
        "keras.losses.mean_squared_logarithmic_error(y, p).mean()",
        "msle_loss(p, y)",
        "above_minus_one",
        why="clips both to at least 1e-7",
    ),
    Row(
        "keras",
        "keras.losses.mean_absolute_percentage_error(y, p).mean() / 100",
        "mape_loss(p, y, eps=1e-7)",
        note="theirs is in per cent",
    ),
    Row(
        "keras",
        "keras.losses.poisson(y, ops.exp(p)).mean()",
        "poisson_nll_loss(p, y)",
        "counts",
        note="takes rates, and adds 1e-7 under the logarithm",
        rtol=1e-5,
    ),
    Row(
        "keras",
        "keras.losses.binary_crossentropy(y, p, from_logits=True, label_smoothing=0.1).mean()",
        "binary_cross_entropy_loss(p, y, label_smoothing=0.1)",
        "binary",
    ),
    Row(
        "keras",
        "keras.losses.binary_focal_crossentropy("
        "y, p, from_logits=True, gamma=2.0, alpha=0.25, apply_class_balancing=True).mean()",
        "focal_loss(p, y, gamma=2.0, alpha=0.25)",
        "binary",
        note=KERAS_FLOOR,
        rtol=1e-6,
    ),
    Row(
        "keras",
        "keras.losses.hinge(y, p).mean()",
        "hinge_loss(p, y)",
        "binary",
        note="labels of 0 and 1 alone become −1 and 1",
    ),
    Row("keras", "keras.losses.squared_hinge(y, p).mean()", "hinge_loss(p, y, squared=True)", "binary"),
    Row(
        "keras",
        "keras.losses.categorical_hinge(one_hot(y, C), p).mean()",
        "crammer_singer_loss(p, y)",
        "negative_scores",
        why="counts a 0 among the wrong scores: a number added to all scores changes it",
    ),
    Row(
        "keras",
        "keras.losses.sparse_categorical_crossentropy(y, p, from_logits=True).mean()",
        "cross_entropy_loss(p, y)",
        "classes",
        note=LAST,
    ),
    Row(
        "keras",
        "keras.losses.categorical_crossentropy(y, p, from_logits=True, label_smoothing=0.1).mean()",
        "cross_entropy_loss(p, y, label_smoothing=0.1)",
        "soft_classes",
    ),
    Row(
        "keras",
        "keras.losses.categorical_focal_crossentropy(one_hot(y, C), p, from_logits=True, alpha=0.25).mean() / 0.25",
        "softmax_focal_loss(p, y, gamma=2.0)",
        "classes",
        note="their alpha multiplies all; " + KERAS_FLOOR,
        rtol=1e-6,
    ),
    Row(
        "keras",
        "keras.losses.categorical_generalized_cross_entropy(y, ops.softmax(p), q=0.7).mean()",
        "gce_loss(p, y, q=0.7)",
        "classes",
        note="takes probabilities; their class has q = 0.5",
    ),
    Row(
        "keras",
        "keras.losses.dice(y, ops.sigmoid(p))",
        "dice_loss(p, y)",
        "one_channel",
        note="takes probabilities, and sums over all axes; adds 1e-7 below",
        rtol=1e-6,
    ),
    # scikit-learn
    Row("scikit-learn", "metrics.mean_squared_error(y, p)", "mse_loss(p, y)", note=ARGUMENT),
    Row("scikit-learn", "metrics.root_mean_squared_error(y, p)", "rmse_loss(p, y)", "line"),
    Row("scikit-learn", "metrics.mean_absolute_error(y, p)", "l1_loss(p, y)"),
    Row("scikit-learn", "metrics.mean_squared_log_error(y, p)", "msle_loss(p, y)", "above_minus_one"),
    Row("scikit-learn", "metrics.root_mean_squared_log_error(y, p)", "msle_loss(p, y).sqrt()", "above_minus_one_line"),
    Row(
        "scikit-learn",
        "metrics.mean_absolute_percentage_error(y, p)",
        "mape_loss(p, y, eps=2.220446049250313e-16)",
        note="their eps is that of float64",
    ),
    Row("scikit-learn", "metrics.mean_pinball_loss(y, p, alpha=0.9)", "quantile_loss(p, y, quantiles=0.9)"),
    Row(
        "scikit-learn",
        "_loss.PinballLoss(quantile=0.9).loss(y, p).mean()",
        "quantile_loss(p, y, quantiles=0.9)",
        "line",
        slope="_loss.PinballLoss(quantile=0.9).gradient(y, p) / N",
    ),
    Row(
        "scikit-learn",
        "2 * _loss.HalfSquaredError().loss(y, p).mean()",
        "mse_loss(p, y)",
        "line",
        slope="2 * _loss.HalfSquaredError().gradient(y, p) / N",
    ),
    Row(
        "scikit-learn",
        "_loss.AbsoluteError().loss(y, p).mean()",
        "l1_loss(p, y)",
        "line",
        slope="_loss.AbsoluteError().gradient(y, p) / N",
    ),
    Row(
        "scikit-learn",
        "_loss.HalfPoissonLoss().loss(y, p).mean()",
        "poisson_nll_loss(p, y)",
        "counts_line",
        slope="_loss.HalfPoissonLoss().gradient(y, p) / N",
    ),
    Row(
        "scikit-learn",
        "metrics.mean_poisson_deviance(y, np.exp(p)) / 2",
        "poisson_nll_loss(p, y) - poisson_nll_loss(y.log(), y)",
        "positive_line",
        note="half of theirs is the distance from the least value, at means e^p",
    ),
    Row(
        "scikit-learn",
        "_loss.HalfGammaLoss().loss(y, p).mean()",
        "gamma_nll_loss(p, y)",
        "positive_line",
        slope="_loss.HalfGammaLoss().gradient(y, p) / N",
    ),
    Row(
        "scikit-learn",
        "metrics.mean_gamma_deviance(y, np.exp(p)) / 2",
        "gamma_nll_loss(p, y) - gamma_nll_loss(y.log(), y)",
        "positive_line",
        note="half of theirs is the distance from the least value, at means e^p",
    ),
    Row(
        "scikit-learn",
        "_loss.HalfTweedieLoss(power=1.5).loss(y, p).mean()",
        "tweedie_loss(p, y, power=1.5)",
        "counts_line",
        slope="_loss.HalfTweedieLoss(power=1.5).gradient(y, p) / N",
    ),
    Row(
        "scikit-learn",
        "metrics.mean_tweedie_deviance(y, np.exp(p), power=1.5) / 2",
        "tweedie_loss(p, y, power=1.5) - tweedie_loss(y.log(), y, power=1.5)",
        "positive_line",
        note="half of theirs is the distance from the least value, at means e^p",
    ),
    Row(
        "scikit-learn",
        "_loss.HalfBinomialLoss().loss(y, p).mean()",
        "binary_cross_entropy_loss(p, y)",
        "binary_line",
        slope="_loss.HalfBinomialLoss().gradient(y, p) / N",
    ),
    Row(
        "scikit-learn",
        "metrics.log_loss(y, softmax(p, 1), labels=range(C))",
        "cross_entropy_loss(p, y)",
        "classes",
        note="takes probabilities",
    ),
    Row(
        "scikit-learn",
        "metrics.log_loss(y, softmax(p, 1), labels=range(C), sample_weight=w)",
        "cross_entropy_loss(p, y, weight=w)",
        "classes",
        note="sample_weight divides by Σw, as here",
    ),
    Row(
        "scikit-learn",
        "_loss.HalfMultinomialLoss(n_classes=C).loss(y.astype(float), p).mean()",
        "cross_entropy_loss(p, y)",
        "classes",
        slope="_loss.HalfMultinomialLoss(n_classes=C).gradient(y.astype(float), p) / N",
    ),
    Row(
        "scikit-learn",
        "metrics.brier_score_loss(y, softmax(p, 1), labels=range(C), scale_by_half=False)",
        "brier_loss(p, y)",
        "classes",
        note="takes probabilities",
    ),
    Row("scikit-learn", "metrics.hinge_loss(2 * y - 1, p)", "hinge_loss(p, y)", "binary_line", note="labels −1 and 1"),
    Row("scikit-learn", "metrics.hinge_loss(y, p, labels=range(C))", "crammer_singer_loss(p, y)", "classes"),
    Row(
        "scikit-learn",
        "1 - metrics.fbeta_score(y, p > 0.5, beta=2.0)",
        "soft_fbeta_loss(p, y, beta=2.0, from_logits=False)",
        "decided",
        note="at predictions of 0 and 1; 0/0 is a score of 0 there, a loss of 0 here",
    ),
    Row(
        "scikit-learn",
        "1 - metrics.matthews_corrcoef(y, p)",
        "mcc_loss(p, y, from_logits=False)",
        "decided",
        note="at predictions of 0 and 1",
    ),
    Row(
        "scikit-learn",
        "1 - metrics.matthews_corrcoef(y, p)",
        "mcc_loss(p, y, from_logits=False)",
        "decided_one",
        note="0/0 is a coefficient of 0 in both",
    ),
    # neuralforecast
    Row("neuralforecast", "nf.MSE()(y, p)", "mse_loss(p, y)", note="takes (y, y_hat)"),
    Row("neuralforecast", "nf.RMSE()(y, p)", "rmse_loss(p, y)"),
    Row("neuralforecast", "nf.MAE()(y, p)", "l1_loss(p, y)"),
    Row("neuralforecast", "nf.HuberLoss(delta=0.5)(y, p)", "huber_loss(p, y, delta=0.5)"),
    Row("neuralforecast", "nf.MAPE()(y, p)", "mape_loss(p, y)", note="without a target of 0"),
    Row(
        "neuralforecast",
        "nf.MAPE()(y, p)",
        "mape_loss(p, y, mask=y != 0)",
        "some_zero",
        why="a target of 0 counts 0 in the mean there; the mask leaves it out of the mean",
    ),
    Row("neuralforecast", "nf.SMAPE()(y, p)", "smape_loss(p, y)"),
    Row("neuralforecast", "nf.QuantileLoss(0.9)(y, p)", "quantile_loss(p, y, quantiles=0.9)"),
    Row(
        "neuralforecast",
        "nf.QuantileLoss(0.9)(p, y)",
        "quantile_loss(p, y, quantiles=0.1)",
        note="swapped, their q is 1 − q",
    ),
    Row(
        "neuralforecast",
        "nf.MQLoss(quantiles=[0.1, 0.5, 0.9])(y, p) / 3",
        "quantile_loss(p, y, quantiles=[0.1, 0.5, 0.9])",
        "three_quantiles",
        note="theirs adds the quantiles up (their division is by the length of another axis); holds them in float32",
        rtol=1e-6,
    ),
    Row(
        "neuralforecast",
        "nf.DistributionLoss('Tweedie', rho=1.5)(y, (p, 1.5))",
        "tweedie_loss(p, y, power=1.5)",
        "counts",
        note="before their softplus of the output",
    ),
    Row(
        "neuralforecast",
        "nf.TukeyLoss(normalize=False)(y, p)",
        "tukey_loss(p, y)",
        why="theirs is c²/6·(1 − (d/c)²)³ inside: greatest at d = 0, least at d = c",
    ),
    Row(
        "neuralforecast",
        "4.685**2 / 6 - nf.TukeyLoss(normalize=False)(y, p)",
        "tukey_loss(p, y)",
        note="where all |d| ≤ c: theirs is what Tukey's is short of c²/6",
    ),
    # entmax
    Row("entmax", "entmax.sparsemax_loss(p, y).mean()", "sparsemax_loss(p, y)", "classes", note=LAST),
    Row("entmax", "entmax.sparsemax_bisect_loss(p, y).mean()", "sparsemax_loss(p, y)", "classes", rtol=1e-6),
    Row("entmax", "entmax.entmax15_loss(p, y).mean()", "entmax_loss(p, y)", "classes", note=LAST),
    Row(
        "entmax",
        "entmax.entmax_bisect_loss(p, y, alpha=1.3).mean()",
        "entmax_loss(p, y, alpha=1.3)",
        "classes",
        rtol=1e-5,
        note="its bisection leaves about 1e-6",
    ),
)

# What a docstring says of a library that no call can show: (our loss, library) → what is checked instead, a pattern
# that no public name of the library's losses matches; or a reason.
ABSENT: dict[tuple[str, str], str] = {
    ("log_cosh_loss", "scikit-learn"): "log_?cosh",
    ("smape_loss", "scikit-learn"): "symmetric|smape",
    ("silog_loss", "kornia"): "silog|scale_?invariant",
    **{("ccc_loss", peer): "concordance|ccc" for peer in ("kornia", "optax", "scikit-learn")},
    **{("pearson_loss", peer): "pearson|correlation" for peer in ("kornia", "optax", "scikit-learn")},
    **{("zlpr_loss", peer): "zlpr" for peer in ("kornia", "MONAI", "optax", "scikit-learn")},
    **{("soft_fbeta_loss", peer): "fbeta|f1" for peer in ("kornia", "optax")},
    **{("mcc_loss", peer): "mcc(?!lure)|matthews" for peer in ("kornia", "optax")},
    **{("pairwise_auc_loss", peer): "pairwise_(auc|rank)" for peer in ("kornia", "MONAI", "optax", "scikit-learn")},
    **{("nnpu_loss", peer): "nnpu|unlabell?ed" for peer in ("kornia", "MONAI", "optax", "scikit-learn")},
    **{("confidence_penalty_loss", peer): "penalty" for peer in ("optax", "keras")},
    ("ldam_loss", "optax"): "ldam",
    **{("normalized_cross_entropy_loss", peer): "normalized_cross" for peer in ("optax", "keras")},
    **{("active_passive_loss", peer): "passive" for peer in ("optax", "keras")},
    **{("bootstrap_loss", peer): "bootstrap" for peer in ("optax", "keras")},
    **{("forward_correction_loss", peer): "forward_corr|transition" for peer in ("optax", "keras")},
    **{("generalized_jsd_loss", peer): "jsd|jensen" for peer in ("optax", "keras")},
}
REASONS: dict[tuple[str, str], str] = {
    (
        "epsilon_insensitive_loss",
        "scikit-learn",
    ): "its two forms are inside of SGDRegressor and LinearSVR, with no call",
    ("student_t_nll_loss", "neuralforecast"): "learns df, 3 + softplus of an output: no fixed df to compare with",
    ("negative_binomial_nll_loss", "neuralforecast"): "takes a softplus of both outputs, not a logarithm",
}

# The other public losses of each library, which have no counterpart here: one that gets one needs a row.
OTHERS: dict[str, str] = {
    "kornia": """inverse_depth_smoothness_loss js_div_loss_2d kl_div_loss_2d lovasz_hinge_loss lovasz_softmax_loss
        mutual_information_loss mutual_information_loss_2d mutual_information_loss_3d normalized_mutual_information_loss
        normalized_mutual_information_loss_2d normalized_mutual_information_loss_3d psnr_loss ssim3d_loss ssim_loss
        tversky_loss""",
    "MONAI": """AUCMLoss AsymmetricUnifiedFocalLoss BarlowTwinsLoss BendingEnergyLoss BoundaryLoss BoxGIoULoss
        ContrastiveLoss DeepSupervisionLoss DiceCELoss DiceFocalLoss DiffusionLoss GeneralizedDiceFocalLoss
        GeneralizedDiceLoss GeneralizedWassersteinDiceLoss GlobalMutualInformationLoss HausdorffDTLoss JukeboxLoss
        LocalNormalizedCrossCorrelationLoss LogHausdorffDTLoss MaskedDiceLoss MaskedLoss MultiScaleLoss NACLLoss
        PatchAdversarialLoss PerceptualLoss SSIMLoss SURELoss SoftDiceclDiceLoss SoftclDiceLoss TverskyLoss""",
    "optax": """convex_kl_divergence ctc_loss ctc_loss_with_forward_probs generalized_kl_divergence kl_divergence
        kl_divergence_with_log_targets multiclass_generalized_dice_loss ntxent ranking_softmax_loss
        triplet_margin_loss""",
    "keras": "circle ctc kl_divergence tversky",
    "scikit-learn": """hamming_loss label_ranking_loss zero_one_loss coverage_error max_error median_absolute_error
        ExponentialLoss HuberLoss HalfTweedieLossIdentity""",
    "neuralforecast": "FreDF GMM HuberIQLoss HuberMQLoss HuberQLoss IQLoss MASE NBMM PMM relMSE sCRPS",
    "entmax": "normmax_bisect_loss",
}

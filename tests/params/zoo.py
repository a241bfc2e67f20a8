"""Modules with one agreed role per parameter."""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn.utils import parametrizations

from torchobjectives.params import select


def parameter(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.linspace(-1, 1, max(1, int(torch.tensor(shape).prod()))).reshape(shape))


class Bare(nn.Module):
    """A module that holds parameters itself."""

    def __init__(self, **parameters: nn.Parameter | nn.Module) -> None:
        super().__init__()
        for name, value in parameters.items():
            setattr(self, name, value)


class LlamaRMSNorm(Bare):
    pass


class HeadNorm2d(Bare):
    pass


class GemmaRMSNorm(Bare):
    pass


class LayerNorm2d(nn.LayerNorm):
    pass


class PreNorm(Bare):
    pass


class NormedLinear(nn.Linear):
    pass


class ConvNorm(nn.Conv1d):
    pass


class MyLinear(nn.Linear):
    pass


class MyEmbedding(nn.Embedding):
    pass


class LowRank(nn.Module):
    def forward(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        return left @ right

    def right_inverse(self, weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return weight[:, :2].clone(), weight[:2].clone()


def low_rank(layer: nn.Module | None = None) -> nn.Module:
    layer = layer or nn.Linear(4, 4)
    nn.utils.parametrize.register_parametrization(layer, "weight", LowRank(), unsafe=True)
    return layer


def tied_output_first() -> nn.Module:
    model = nn.ModuleDict({"head": nn.Linear(3, 4), "table": nn.Embedding(4, 3)})
    model["table"].weight = model["head"].weight
    return model


def old_weight_norm() -> nn.Module:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nn.utils.weight_norm(nn.Linear(1, 3))


# name: (module, the roles of its parameters by local name)
ZOO: dict[str, tuple[Callable[[], nn.Module], dict[str, str]]] = {
    "linear": (lambda: nn.Linear(3, 2), {"weight": "weight", "bias": "bias"}),
    "one_output": (lambda: nn.Linear(3, 1), {"weight": "weight", "bias": "bias"}),
    "one_by_one": (lambda: nn.Linear(1, 1, bias=False), {"weight": "weight"}),
    "subclass": (lambda: MyLinear(3, 2), {"weight": "weight", "bias": "bias"}),
    "normed_linear": (lambda: NormedLinear(3, 2), {"weight": "weight", "bias": "bias"}),
    "conv_named_norm": (lambda: ConvNorm(2, 1, 1), {"weight": "weight", "bias": "bias"}),
    "bilinear": (lambda: nn.Bilinear(2, 3, 2), {"weight": "weight", "bias": "bias"}),
    "lazy_linear": (lambda: nn.LazyLinear(2), {"weight": "weight", "bias": "bias"}),
    "lazy_conv": (lambda: nn.LazyConv2d(2, 3), {"weight": "weight", "bias": "bias"}),
    "conv1d": (lambda: nn.Conv1d(2, 3, 3), {"weight": "weight", "bias": "bias"}),
    "pointwise": (lambda: nn.Conv2d(1, 4, 1), {"weight": "weight", "bias": "bias"}),
    "depthwise": (lambda: nn.Conv2d(4, 4, 3, groups=4), {"weight": "weight", "bias": "bias"}),
    "conv3d": (lambda: nn.Conv3d(2, 3, 2), {"weight": "weight", "bias": "bias"}),
    "transposed": (lambda: nn.ConvTranspose2d(2, 3, 2), {"weight": "weight", "bias": "bias"}),
    "attention": (
        lambda: nn.MultiheadAttention(4, 2, add_bias_kv=True),
        {
            "in_proj_weight": "weight",
            "in_proj_bias": "bias",
            "bias_k": "bias",
            "bias_v": "bias",
            "out_proj.weight": "weight",
            "out_proj.bias": "bias",
        },
    ),
    "cross_attention": (
        lambda: nn.MultiheadAttention(4, 2, kdim=3, vdim=5, bias=False),
        {
            "q_proj_weight": "weight",
            "k_proj_weight": "weight",
            "v_proj_weight": "weight",
            "out_proj.weight": "weight",
        },
    ),
    "lstm": (
        lambda: nn.LSTM(1, 3, proj_size=1, bidirectional=True),
        {
            f"{kind}{side}": role
            for side in ("", "_reverse")
            for kind, role in {
                "weight_ih_l0": "weight",
                "weight_hh_l0": "weight",
                "bias_ih_l0": "bias",
                "bias_hh_l0": "bias",
                "weight_hr_l0": "weight",
            }.items()
        },
    ),
    "gru_cell": (
        lambda: nn.GRUCell(1, 1),
        {"weight_ih": "weight", "weight_hh": "weight", "bias_ih": "bias", "bias_hh": "bias"},
    ),
    "batch_norm": (lambda: nn.BatchNorm2d(3), {"weight": "norm_scale", "bias": "bias"}),
    "lazy_batch_norm": (lambda: nn.LazyBatchNorm1d(), {"weight": "norm_scale", "bias": "bias"}),
    "instance_norm": (lambda: nn.InstanceNorm1d(3, affine=True), {"weight": "norm_scale", "bias": "bias"}),
    "layer_norm": (lambda: nn.LayerNorm((2, 3, 4)), {"weight": "norm_scale", "bias": "bias"}),
    "group_norm": (lambda: nn.GroupNorm(2, 4), {"weight": "norm_scale", "bias": "bias"}),
    "rms_norm": (lambda: nn.RMSNorm((2, 3)), {"weight": "norm_scale"}),
    "rms_look_alike": (lambda: LlamaRMSNorm(weight=parameter(4)), {"weight": "norm_scale"}),
    "norm_per_head": (lambda: HeadNorm2d(gamma=parameter(2, 4)), {"gamma": "norm_scale"}),
    "zero_centred_norm": (lambda: GemmaRMSNorm(weight=parameter(4)), {"weight": "norm_scale"}),
    "norm_subclass": (lambda: LayerNorm2d(4), {"weight": "norm_scale", "bias": "bias"}),
    "embedding": (lambda: nn.Embedding(5, 3), {"weight": "embedding"}),
    "embedding_bag": (lambda: nn.EmbeddingBag(5, 3), {"weight": "embedding"}),
    "embedding_subclass": (lambda: MyEmbedding(5, 3), {"weight": "embedding"}),
    "prelu": (lambda: nn.PReLU(4), {"weight": "scale"}),
    "layer_scale": (lambda: Bare(gamma=parameter(4, 1, 1)), {"gamma": "scale"}),
    "class_token": (lambda: Bare(cls_token=parameter(1, 1, 4)), {"cls_token": "scale"}),
    "position_table": (lambda: Bare(pos_embed=parameter(1, 5, 4)), {"pos_embed": "weight"}),
    "state_space": (lambda: Bare(A_log=parameter(4, 3), D=parameter(4)), {"A_log": "weight", "D": "scale"}),
    "temperature": (lambda: Bare(temperature=nn.Parameter(torch.tensor(1.0))), {"temperature": "scale"}),
    "bare_matrix": (lambda: Bare(projection=parameter(2, 3)), {"projection": "weight"}),
    "bias_free_word": (lambda: Bare(debiasing=parameter(2, 3)), {"debiasing": "weight"}),
    "experts": (
        lambda: Bare(up_proj=parameter(2, 3, 4), up_proj_bias=parameter(2, 4), gate_biases=parameter(2, 4)),
        {"up_proj": "weight", "up_proj_bias": "bias", "gate_biases": "bias"},
    ),
    "short_names": (
        lambda: Bare(w1=parameter(2, 3, 4), b1=parameter(2, 1, 4), b2=parameter(2, 4), b3=parameter(3, 5)),
        {"w1": "weight", "b1": "bias", "b2": "bias", "b3": "weight"},
    ),
    "stacked_biases": (
        lambda: Bare(
            w1=parameter(2, 3, 4),
            w1_b=parameter(2, 4),
            bq=parameter(2, 3),
            gate_up_proj_b=parameter(2, 3),
            offset=parameter(2, 4),
            u=parameter(2, 4),
        ),
        {"w1": "weight", "w1_b": "bias", "bq": "bias", "gate_up_proj_b": "bias", "offset": "bias", "u": "weight"},
    ),
    "wrapper_named_norm": (
        lambda: PreNorm(norm=nn.LayerNorm(4), w_out=parameter(4, 4), scale=parameter(3, 4)),
        {"norm.weight": "norm_scale", "norm.bias": "bias", "w_out": "weight", "scale": "norm_scale"},
    ),
    "low_rank_embedding": (
        lambda: low_rank(nn.Embedding(4, 3)),
        {"parametrizations.weight.original0": "embedding", "parametrizations.weight.original1": "embedding"},
    ),
    "tied_output_first": (
        tied_output_first,
        {"head.weight": "embedding", "head.bias": "bias"},
    ),
    "bare_bias": (lambda: Bare(bias=parameter(2, 3)), {"bias": "bias"}),
    "camel": (lambda: Bare(inputBias=parameter(2, 3)), {"inputBias": "bias"}),
    "parameter_list": (
        lambda: Bare(matrices=nn.ParameterList([parameter(2, 3)]), biases=nn.ParameterList([parameter(2, 3)])),
        {"matrices.0": "weight", "biases.0": "bias"},
    ),
    "misleading_path": (
        lambda: Bare(bias_proj=nn.Linear(2, 3), relative_attention_bias=nn.Embedding(4, 2)),
        {
            "bias_proj.weight": "weight",
            "bias_proj.bias": "bias",
            "relative_attention_bias.weight": "embedding",
        },
    ),
    "orthogonal": (
        lambda: parametrizations.orthogonal(nn.Linear(3, 3)),
        {"bias": "bias", "parametrizations.weight.original": "weight"},
    ),
    "parameter_dict": (
        lambda: Bare(maps=nn.ParameterDict({"up": parameter(2, 3), "bias": parameter(3), "gain": parameter(3)})),
        {"maps.up": "weight", "maps.bias": "bias", "maps.gain": "scale"},
    ),
    "encoder_layer": (
        lambda: nn.TransformerEncoderLayer(4, 2, 8),
        {
            "self_attn.in_proj_weight": "weight",
            "self_attn.in_proj_bias": "bias",
            "self_attn.out_proj.weight": "weight",
            "self_attn.out_proj.bias": "bias",
            "linear1.weight": "weight",
            "linear1.bias": "bias",
            "linear2.weight": "weight",
            "linear2.bias": "bias",
            "norm1.weight": "norm_scale",
            "norm1.bias": "bias",
            "norm2.weight": "norm_scale",
            "norm2.bias": "bias",
        },
    ),
    "weight_norm": (
        lambda: parametrizations.weight_norm(nn.Linear(1, 3)),
        {
            "bias": "bias",
            "parametrizations.weight.original0": "scale",
            "parametrizations.weight.original1": "weight",
        },
    ),
    "old_weight_norm": (old_weight_norm, {"bias": "bias", "weight_g": "scale", "weight_v": "weight"}),
    "recurrent_weight_norm": (
        lambda: parametrizations.weight_norm(nn.RNN(2, 3), "weight_hh_l0"),
        {
            "weight_ih_l0": "weight",
            "bias_ih_l0": "bias",
            "bias_hh_l0": "bias",
            "parametrizations.weight_hh_l0.original0": "scale",
            "parametrizations.weight_hh_l0.original1": "weight",
        },
    ),
    "spectral_norm": (
        lambda: parametrizations.spectral_norm(nn.Linear(3, 1)),
        {"bias": "bias", "parametrizations.weight.original": "weight"},
    ),
    "spectral_embedding": (
        lambda: parametrizations.spectral_norm(nn.Embedding(4, 3)),
        {"parametrizations.weight.original": "embedding"},
    ),
    "low_rank": (
        low_rank,
        {
            "bias": "bias",
            "parametrizations.weight.original0": "weight",
            "parametrizations.weight.original1": "weight",
        },
    ),
}


class TokensListed(Bare):
    """As timm's models say it; the list may name what this one lacks."""

    def no_weight_decay(self) -> set[str]:
        return {"pos_embed", "blocks.*.table", "dist_token"}


def tokens_listed() -> nn.Module:
    blocks = nn.Sequential(Bare(table=parameter(3, 2), w=parameter(2, 2)), nn.Linear(2, 2))
    return TokensListed(pos_embed=parameter(1, 5, 4), proj=parameter(4, 4), blocks=blocks)


def marked_as_mamba() -> nn.Module:
    model = Bare(A_log=parameter(4, 3), in_proj=nn.Linear(3, 2))
    model.A_log._no_weight_decay = True  # type: ignore[union-attr]
    return model


def marked_by_hand() -> nn.Module:
    model = tokens_listed()
    select.mark(model, select.of_type(nn.Linear) - "*.bias")
    return select.mark(model, "pos_embed", regularized=True)


# Where what was said by hand decides: name: (module, what is regularized).
MARKED: dict[str, tuple[Callable[[], nn.Module], set[str]]] = {
    "listed": (tokens_listed, {"proj", "blocks.0.w", "blocks.1.weight"}),
    "attribute": (marked_as_mamba, {"in_proj.weight"}),
    "by_hand": (marked_by_hand, {"proj", "blocks.0.w", "pos_embed"}),
    "frozen": (lambda: tokens_listed().requires_grad_(False), set()),
    "norm_wanted": (lambda: select.mark(nn.LayerNorm(2), "weight", regularized=True), {"weight"}),
}

"""Blocks of which the networks are made."""

import torch
from torch import nn


class Conv(nn.Sequential):
    """Convolution, normalisation, activation."""

    def __init__(self, inputs, outputs, kernel=1, stride=1, groups=1):
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.03),
            nn.ReLU(inplace=True),
        )


class Residual(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.first, self.second = Conv(width, width, 3), Conv(width, width, 3)

    def forward(self, x):
        return x + self.second(self.first(x))


class Split(nn.Module):
    """Half of the channels go through residual blocks, and all that came of it on the way is put together (C2f of YOLOv8)."""

    def __init__(self, inputs, outputs, depth=1):
        super().__init__()
        half = outputs // 2
        self.half = half
        self.spread = Conv(inputs, outputs)
        self.blocks = nn.ModuleList(Residual(half) for _ in range(depth))
        self.gather = Conv((2 + depth) * half, outputs)

    def forward(self, x):
        parts = list(self.spread(x).split(self.half, 1))
        for block in self.blocks:
            parts.append(block(parts[-1]))
        return self.gather(torch.cat(parts, 1))


def doubled(x):
    return nn.functional.interpolate(x, scale_factor=2.0, mode="nearest")


def parameter_count(model):
    return sum(one.numel() for one in model.parameters())

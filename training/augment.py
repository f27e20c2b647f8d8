"""New views of training examples, as a pure function of the examples and of one row of random draws for each.

    augment(inputs, torch.rand(len(inputs), DRAWS), AugmentOptions(shift_pixels=2, flip=True))

The caller draws, so what an example becomes does not depend on its neighbours in the batch, on how batches are shared
among processes, or on a restart. Whole pixels keep images as sharp as those a server is asked about: bilinear turns and
zooms of the digits gained nothing on held-out images. An option that is off costs nothing.
"""

import torch
from torch import Tensor
from torch.nn.functional import pad

from training.options import AugmentOptions

DRAWS = 5  # numbers for each example; the places below say which is for what
ROW_SHIFT, COLUMN_SHIFT, FLIP, BRIGHTNESS, WORDS = range(DRAWS)
PADDING, UNKNOWN = 0, 1  # token ids, as inference.artifact.Tokenizer gives them
DRAW_STEPS = 2**24  # a float32 in [0, 1) from torch.rand is a whole number of 1 / 2**24
LOW_32_BITS = 0xFFFFFFFF


def is_on(options: AugmentOptions) -> bool:
    """Whether any view is asked for; if not, the caller need not draw."""
    return bool(options.shift_pixels or options.flip or options.brightness or options.word_dropout)


def augment(inputs: Tensor, draws: Tensor, options: AugmentOptions) -> Tensor:
    """A new view of each example; `draws` is float32 (n, DRAWS) in [0, 1), on the same device.

    Images are float (n, C, H, W) or (n, H, W) in [0, 1], texts whole numbers (n, tokens); tables (float, two
    dimensions) have no views and come back as they are.
    """
    if not inputs.is_floating_point():
        return _drop_words(inputs, draws[:, WORDS], options.word_dropout) if options.word_dropout else inputs
    if inputs.ndim < 3:
        return inputs
    if options.shift_pixels:
        inputs = _shift(inputs, draws[:, [ROW_SHIFT, COLUMN_SHIFT]], options.shift_pixels)
    if options.flip:
        inputs = torch.where(_beside(draws[:, FLIP] < 0.5, inputs), inputs.flip(-1), inputs)
    if options.brightness:
        factors = 1.0 + options.brightness * (2.0 * draws[:, BRIGHTNESS] - 1.0)
        inputs = (inputs * _beside(factors, inputs)).clamp_(max=1.0)
    return inputs


def _shift(images: Tensor, draws: Tensor, pixels: int) -> Tensor:
    """Each image moved by its own whole number of up to `pixels` each way, all equally likely, zeros coming in."""
    height, width = images.shape[-2:]
    places = (draws * (2 * pixels + 1)).long()
    padded = pad(images, (pixels,) * 4)
    windows = padded.unfold(-2, height, 1).unfold(-2, width, 1)  # a view: (..., 2p + 1, 2p + 1, height, width)
    examples = torch.arange(len(images), device=images.device)
    return windows.movedim((-4, -3), (1, 2))[examples, places[:, 0], places[:, 1]]


def _drop_words(tokens: Tensor, draws: Tensor, share: float) -> Tensor:
    """About `share` of each text's tokens replaced by the unknown one; padding stays."""
    places = torch.arange(tokens.shape[1], device=tokens.device)
    seeds = (draws.double() * DRAW_STEPS).long()[:, None] + (places << 24)
    dropped = _mixed(_mixed(seeds & LOW_32_BITS) ^ (seeds >> 24)) < share * 2**32
    return tokens.masked_fill(dropped & (tokens != PADDING), UNKNOWN)


def _mixed(bits: Tensor) -> Tensor:
    """32 well-mixed bits of 32: the finaliser of MurmurHash3 (Austin Appleby, public domain), in int64."""
    bits = ((bits ^ (bits >> 16)) * 0x85EBCA6B) & LOW_32_BITS
    bits = ((bits ^ (bits >> 13)) * 0xC2B2AE35) & LOW_32_BITS
    return bits ^ (bits >> 16)


def _beside(values: Tensor, inputs: Tensor) -> Tensor:
    """`values` (n,) shaped to be broadcast over each example of `inputs`."""
    return values.view(-1, *[1] * (inputs.ndim - 1))

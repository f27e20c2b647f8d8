"""Views: what they are, that each depends on its own row of draws alone, and that off means off."""

import pytest
import torch

from training.augment import BRIGHTNESS, COLUMN_SHIFT, DRAWS, FLIP, ROW_SHIFT, augment, is_on
from training.options import AugmentOptions

OFF = AugmentOptions(shift_pixels=0)
ALL = AugmentOptions(shift_pixels=2, flip=True, brightness=0.3, word_dropout=0.4)


def _draws(count: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, DRAWS, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", [(8, 8), (1, 8, 8), (3, 8, 9)])
def test_a_shift_moves_each_image_whole_with_zeros_coming_in(shape: tuple[int, ...]) -> None:
    images = torch.zeros(400, *shape)
    images[..., 3, 4] = 1.0
    moved = augment(images, _draws(400), AugmentOptions(shift_pixels=2))
    positions = moved.flatten(1, -3).amax(1).nonzero() if len(shape) == 3 else moved.nonzero()
    assert moved.sum() == images.sum() and len(positions) == 400
    assert {(int(r) - 3, int(c) - 4) for _, r, c in positions} == {(r, c) for r in range(-2, 3) for c in range(-2, 3)}
    edges = augment(torch.ones(400, *shape), _draws(400), AugmentOptions(shift_pixels=1))
    height, width = shape[-2:]
    sums = edges.flatten(1).sum(1) / (shape[0] if len(shape) == 3 else 1)
    assert set(sums.tolist()) == {float((height - r) * (width - c)) for r in (0, 1) for c in (0, 1)}


def test_draws_say_which_view() -> None:
    image = torch.arange(9.0).view(1, 3, 3) / 10
    draws = torch.full((1, DRAWS), 0.5)
    assert torch.equal(augment(image, draws, AugmentOptions(shift_pixels=1)), image)
    draws[0, ROW_SHIFT], draws[0, COLUMN_SHIFT] = 0.0, 1 - 2**-24  # the least and the largest that torch.rand gives
    moved = augment(image, draws, AugmentOptions(shift_pixels=1))[0]
    assert torch.equal(moved, torch.tensor([[0.0, 0.0, 0.0], [0.1, 0.2, 0.0], [0.4, 0.5, 0.0]]))
    draws[0, FLIP] = 0.49
    assert torch.equal(augment(image, draws, AugmentOptions(shift_pixels=0, flip=True)), image.flip(-1))
    draws[0, BRIGHTNESS] = 0.75
    torch.testing.assert_close(
        augment(image, draws, AugmentOptions(shift_pixels=0, brightness=0.8)), (image * 1.4).clamp(max=1.0)
    )


def test_about_half_are_flipped_and_pixels_stay_in_their_range() -> None:
    images = torch.rand(1000, 1, 2, 2)
    flipped = augment(images, _draws(1000), AugmentOptions(shift_pixels=0, flip=True))
    assert 0.45 < (flipped[:, 0, 0, 0] == images[:, 0, 0, 1]).float().mean() < 0.55
    brighter = augment(images, _draws(1000), AugmentOptions(shift_pixels=0, brightness=0.9))
    assert brighter.min() >= 0 and brighter.max() == 1 and images.max() < 1


def test_a_share_of_the_words_becomes_unknown_and_padding_stays() -> None:
    tokens = torch.randint(2, 100, (500, 40))
    tokens[:, 30:] = 0
    dropped = augment(tokens, _draws(500), AugmentOptions(word_dropout=0.2))
    assert dropped[:, 30:].eq(0).all()
    unknown = dropped[:, :30] == 1
    assert torch.equal(dropped[:, :30][~unknown], tokens[:, :30][~unknown])
    assert 0.18 < unknown.float().mean() < 0.22
    # Neither places nor examples go together: their means scatter as those of independent draws (0.16 * 0.2 ** 0.5).
    assert 0.012 < unknown.float().mean(0).std() < 0.026 and 0.06 < unknown.float().mean(1).std() < 0.09


@pytest.mark.parametrize("inputs", [torch.rand(20, 3, 8, 8), torch.rand(20, 8, 8), torch.randint(0, 50, (20, 12))])
def test_a_view_depends_on_its_own_row_alone(inputs: torch.Tensor) -> None:
    draws = _draws(20)
    together = augment(inputs, draws, ALL)
    assert together.dtype == inputs.dtype and together.shape == inputs.shape
    assert not torch.equal(together, inputs)
    alone = torch.cat([augment(inputs[row : row + 1], draws[row : row + 1], ALL) for row in range(20)])
    assert torch.equal(together, alone)
    order = torch.randperm(20)
    assert torch.equal(together[order], augment(inputs[order], draws[order], ALL))
    assert not torch.equal(together, augment(inputs, _draws(20, seed=1), ALL))


def test_off_returns_the_inputs_themselves_and_tables_have_no_views() -> None:
    for inputs in (torch.rand(5, 1, 8, 8), torch.randint(0, 9, (5, 6))):
        assert augment(inputs, _draws(5), OFF) is inputs
    table = torch.rand(5, 6)
    assert augment(table, _draws(5), ALL) is table
    assert is_on(ALL) and is_on(AugmentOptions()) and not is_on(OFF)

"""Views of images: whole pixels, every shift within the limit, reproducible, and off when asked."""

import torch

from training.augment import shift_images


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_a_shift_moves_each_image_whole_with_zeros_coming_in() -> None:
    images = torch.zeros(200, 8, 8)
    images[:, 3, 4] = 1.0
    moved = shift_images(images, 2, _generator())
    positions = moved.nonzero()
    assert len(positions) == 200 and moved.sum() == 200
    assert {(int(r) - 3, int(c) - 4) for _, r, c in positions} == {(r, c) for r in range(-2, 3) for c in range(-2, 3)}
    edge = torch.ones(200, 8, 8)
    assert shift_images(edge, 1, _generator()).sum((1, 2)).unique().tolist() == [49.0, 56.0, 64.0]


def test_the_same_seed_gives_the_same_views_and_zero_pixels_the_images_themselves() -> None:
    images = torch.rand(50, 8, 8)
    assert torch.equal(shift_images(images, 1, _generator()), shift_images(images, 1, _generator()))
    assert shift_images(images, 0, _generator()) is images

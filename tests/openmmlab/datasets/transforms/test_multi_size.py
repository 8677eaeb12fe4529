from __future__ import annotations

import numpy as np
import pytest
import torch

pytest.importorskip('mmseg')

from torch.utils.data import DataLoader

from sod_plugins.openmmlab import launch
from sod_plugins.openmmlab.datasets import SaliencyDataset
from sod_plugins.openmmlab.datasets.samplers import ResumableSampler
from sod_plugins.openmmlab.datasets.transforms import MultiSizeResize
from sod_plugins.transforms import resize_image

SIZES = [(12, 16), (20, 8), (16, 16)]


def ramp(height=40, width=30):
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    return {'img': np.stack([rows, columns, rows + columns], 2), 'gt_seg_map': rows / height}


def apply(transform, seed=0, **position):
    return transform({**ramp(), 'rng': np.random.default_rng(seed), **position})


def test_each_pass_has_its_size():
    transform = MultiSizeResize(SIZES)
    for number in range(7):
        for draw in (0, 5, 300):
            results = apply(transform, epoch=number, draw=draw)
            size = SIZES[number % 3]
            assert results['img'].shape == (*size, 3)
            assert results['gt_seg_map'].shape == results['img_shape'] == size


def test_the_size_may_change_after_a_number_of_draws():
    transform = MultiSizeResize(SIZES, draws_per_size=4)
    found = [apply(transform, epoch=None, draw=d)['img_shape'] for d in range(15)]
    assert found == [SIZES[i] for i in (0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 0, 0, 0)]


def test_without_margins_it_is_a_resize():
    results = apply(MultiSizeResize([(12, 16)]))  # one size needs no numbers of draws
    for key in ('img', 'gt_seg_map'):
        assert np.array_equal(results[key], resize_image(ramp()[key], (12, 16)))


def test_half_of_the_images_lose_equal_margins_on_opposite_sides():
    """A ramp survives resizing but for its border, so its mean slope tells what was cut off."""
    transform = MultiSizeResize([(40, 30)], max_margins=[5])
    margins = []
    for seed in range(400):
        results = apply(transform, seed)
        middle = results['img'][20, 15, :2] / 2 + results['img'][19, 14, :2] / 2
        assert middle == pytest.approx((19.5, 14.5), abs=1e-4)  # the centre stays where it is
        vertical = results['img'][21, 15, 0] - results['img'][20, 15, 0]
        horizontal = results['img'][20, 16, 1] - results['img'][20, 15, 1]
        margins.append([round(20 * (1 - float(vertical))), round(15 * (1 - float(horizontal)))])
        mask = results['gt_seg_map'][5:-5, 15] * 40
        assert mask == pytest.approx(results['img'][5:-5, 15, 0], abs=1e-4)
    cropped = [m for m in margins if m != [0, 0]]
    # 1 of 36 crops has margins of 0, so 0.486 of 400 are left: 194, give or take four times 10.
    assert 154 < len(cropped) < 234
    for side in zip(*cropped, strict=True):
        assert set(side) == {0, 1, 2, 3, 4, 5}  # each is missed with a probability of (5/6)^154
    assert len({tuple(m) for m in cropped}) > 25  # independent of each other


def test_never_and_always():
    for prob, expected in ((0, False), (1, True)):
        transform = MultiSizeResize([(40, 30)], max_margins=[19 * 3 // 4], crop_prob=prob)
        changed = [not np.array_equal(apply(transform, s)['img'], ramp()['img']) for s in range(9)]
        assert changed == [expected] * 9


def batch_sizes(photos, sampler, workers, **arguments):
    dataset = SaliencyDataset(
        photos,
        pipeline=[
            dict(type='sod_plugins.LoadSaliencyImage'),
            dict(type='sod_plugins.LoadSaliencyMask'),
            dict(type='sod_plugins.MultiSizeResize', sizes=SIZES, **arguments),
            dict(type='sod_plugins.PackSaliencyInputs'),
        ],
    )
    loader = DataLoader(
        dataset,
        batch_size=4,
        sampler=sampler(dataset),
        num_workers=workers,
        collate_fn=lambda batch: {tuple(sample['inputs'].shape[1:]) for sample in batch},
    )
    for epoch in range(4):
        loader.sampler.set_epoch(epoch)
        yield from loader


@pytest.mark.parametrize('workers', [0, 2])
def test_all_images_of_a_batch_agree(photos, workers):
    sizes = list(batch_sizes(photos, lambda d: ResumableSampler(d, seed=1), workers))
    assert sizes == [{SIZES[epoch % 3]} for epoch in range(4) for _ in range(3)]


def test_processes_agree_in_runs_by_iterations(photos, monkeypatch):
    """Two processes with batches of 4: the size changes after 8 draws, one batch of each."""
    module = 'sod_plugins.openmmlab.datasets.samplers.resumable_sampler.get_dist_info'
    for rank in range(2):
        monkeypatch.setattr(module, lambda rank=rank: (rank, 2))
        batches = batch_sizes(
            photos, lambda d: ResumableSampler(d, seed=1, infinite=True), 0, draws_per_size=8
        )
        assert [next(batches) for _ in range(7)] == [{SIZES[i % 3]} for i in range(7)]


@pytest.mark.parametrize('by_epoch', [True, False])
def test_a_resumed_run_sees_the_same_sizes(by_epoch, toy_config, tmp_path):
    """From the middle of the second pass, in worker processes: bitwise the same weights."""

    def train(name, sizes, workers=0, **kwargs):
        config = toy_config(by_epoch, workers)
        resize = dict(type='sod_plugins.MultiSizeResize', sizes=sizes, max_margins=[2, 3])
        if not by_epoch:
            resize['draws_per_size'] = 6
        pipeline = config.train_dataloader.dataset.pipeline
        assert pipeline[-2].type == 'sod_plugins.ResizeSaliency'
        pipeline[-2] = resize
        folder = tmp_path / name
        folder.mkdir()
        config.dump(folder / f'{name}.py')
        launch.train(folder / f'{name}.py', work_dir=folder, **kwargs)
        return torch.load(folder / 'iter_12.pth', weights_only=False)['state_dict']

    whole = train('whole', SIZES[:2])
    resumed = train('resumed', SIZES[:2], workers=2, resume=tmp_path / 'whole/iter_8.pth')
    other = train('other', SIZES[1::-1])
    assert all(torch.equal(value, resumed[key]) for key, value in whole.items())
    assert any(not torch.equal(value, other[key]) for key, value in whole.items())


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'sizes': []}, 'sizes needs one size or more'),
        ({'sizes': SIZES, 'max_margins': [1]}, 'max_margins as many entries'),
        ({'sizes': [(8, 9)], 'max_margins': [4]}, r'leave a pixel of size \(8, 9\), got 4'),
        ({'sizes': [(8, 9)], 'max_margins': [-1]}, 'max_margins must be 0 or larger'),
        ({'sizes': [(8, 9)], 'crop_prob': 2}, 'crop_prob must lie between 0 and 1'),
    ],
)
def test_refuses_nonsense(arguments, message):
    with pytest.raises(ValueError, match=message):
        MultiSizeResize(**arguments)


def test_says_what_it_needs():
    with pytest.raises(
        ValueError, match=r"use sampler=dict\(type='sod_plugins.ResumableSampler'\)"
    ):
        apply(MultiSizeResize(SIZES))
    with pytest.raises(ValueError, match='draws_per_size, a multiple of the batch size'):
        apply(MultiSizeResize(SIZES), draw=3, epoch=None)

"""Write the files of this folder: run it with the package of the commit that they stand for.

    PYTHONPATH=CHECKOUT_OF_THE_COMMIT python tests/checkpoints/old/make.py COMMIT [MODEL ...]

It makes the smallest networks of every kind, saves some by ``save_network``, trains others for one
step by ``tools/train.py`` and notes what each gives for :func:`image`. With models, it only trains
these. Of a commit at which a stage of ``sod-small`` was trained, there is its kind, ``samnet``.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import sod_plugins
from sod_plugins.data import generate_scenes
from sod_plugins.networks import (
    ITDBU,
    CSNet,
    PiCANet,
    S4Net,
    SAMNet,
    load_classifier,
    load_network,
    save_network,
)
from sod_plugins.optim import prune

FOLDER = Path(__file__).parent
CHECKOUT = Path(sod_plugins.__file__).parents[1]
NARROW = dict(width=0.1, stage_blocks=(1, 1, 1, 1), weight_scale=1.0)
VGG = dict(type='VGG', depth=11, width=0.02, out_indices=(0, 1))
NORMALISED = dict(mean=[120.0, 110.0, 100.0], std=[60.0, 59.0, 58.0])
SIZE = 32


def image() -> torch.Tensor:
    """Return what every network is run on, (1, 3, 32, 32)."""
    return torch.linspace(-2, 2, 3 * SIZE * SIZE).sin().mul(2).view(1, 3, SIZE, SIZE)


def outputs(network: torch.nn.Module) -> torch.Tensor:
    """Return all that a network gives for the image as one row of numbers in float64."""
    with torch.no_grad():
        found = network(image())
    if isinstance(found, torch.Tensor):
        parts = [found]
    else:  # instances of each image, at 45c5851 as dicts
        fields = ('boxes', 'scores', 'masks')
        found = [one if isinstance(one, dict) else one._asdict() for one in found]
        parts = [one[name] for one in found for name in fields]
    return torch.cat([part.double().flatten() for part in parts])


def describe(values: torch.Tensor) -> dict[str, object]:
    """Return the length of a row of numbers, and some of them."""
    return {'count': len(values), 'some': values[::37].tolist()}


def weights_digest(network: torch.nn.Module) -> str:
    """Return a hash of all names and bytes of a state dict."""
    digest = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        digest.update(name.encode() + value.contiguous().numpy().tobytes())
    return digest.hexdigest()


def settle(network: torch.nn.Module) -> torch.nn.Module:
    """Give a network weights and statistics whose outputs are not flat."""
    generator = torch.Generator().manual_seed(1)
    for name, value in network.state_dict().items():
        if name.endswith(('running_mean', 'running_var')):
            value.copy_(torch.rand(value.shape, generator=generator) + 0.5)
        elif value.dim() > 1:
            value.copy_(torch.randn(value.shape, generator=generator) * 0.3)
    return network.eval()


def networks() -> dict[str, torch.nn.Module]:
    """Make the networks that ``save_network`` writes."""
    torch.manual_seed(0)
    csnet = settle(CSNet(**NARROW))
    return {
        'csnet': csnet,
        'csnet-pruned': prune(csnet, ratio=0.6),
        'samnet': settle(SAMNet(VGG, channels=(2, 3), pyramid_pooling=False)),
        'itdbu': settle(ITDBU(VGG, unify_channels=4, hidden_channels=3)),
        'picanet': settle(
            PiCANet('2GAP_1AC', VGG, channels=(4, 4), renet_channels=4, attention_channels=4)
        ),
        's4net': settle(S4Net(**S4NET)),
    }


S4NET = dict(
    backbone=dict(type='VGG', depth=11, width=0.02, out_indices=(3, 4)),
    neck=dict(out_channels=4),
    bbox_head=dict(channels=4, num_proposals=3, max_candidates=20),
    roi_extractor=dict(out_channels=4),
    mask_head=dict(channels=(4, 4)),
)


def segmentor(backbone: dict, head: dict) -> dict:
    """Return the config of a segmentor."""
    preprocessor = dict(type='SegDataPreProcessor', size_divisor=1, **NORMALISED)
    return dict(
        type='sod_plugins.SaliencySegmentor',
        data_preprocessor=preprocessor,
        backbone=backbone,
        decode_head=head,
        train_cfg={},
        test_cfg=dict(mode='whole'),
    )


def models() -> dict[str, dict]:
    """Return the configs of the models that ``tools/train.py`` trains."""
    csnet = dict(type='sod_plugins.CSNet', **NARROW)
    head = dict(type='sod_plugins.CSFHead', in_channels=(4, 8, 8), weight_scale=1.0)
    vgg = {**VGG, 'type': 'sod_plugins.VGG'}
    picanet = dict(channels=(4, 4), renet_channels=4, attention_channels=4)
    s4net = {name: dict(part) for name, part in S4NET.items()}
    s4net['backbone']['type'] = 'sod_plugins.VGG'
    s4net['backbone']['norm_eval'] = True
    s4net['neck'] |= dict(type='sod_plugins.S4NetFPN', in_channels=(10, 10))
    s4net['bbox_head'] |= dict(type='sod_plugins.S4NetHead', in_channels=4)
    s4net['roi_extractor'] |= dict(type='sod_plugins.RoIMasking', in_channels=4)
    s4net['mask_head'] |= dict(type='sod_plugins.S4NetMaskHead', in_channels=4)
    return {
        'csnet': segmentor(csnet, head),
        'csnet-pruned': segmentor(csnet, head),
        'samnet': segmentor(
            vgg,
            dict(
                type='sod_plugins.SAMNetHead',
                in_channels=(1, 3),
                pyramid_pooling=False,
                upsampling='logits',
            ),
        ),
        'itdbu': segmentor(
            vgg,
            dict(
                type='sod_plugins.ITDBUHead',
                in_channels=(1, 3),
                unify_channels=4,
                hidden_channels=3,
            ),
        ),
        'picanet': segmentor(
            vgg,
            dict(type='sod_plugins.PiCANetHead', setting='2GAP_1AC', in_channels=(1, 3), **picanet),
        ),
        's4net': dict(
            type='sod_plugins.S4Net',
            data_preprocessor=dict(type='DetDataPreprocessor', pad_mask=True, **NORMALISED),
            **s4net,
        ),
        'classifier': dict(
            type='sod_plugins.ImageClassifier',
            data_preprocessor=dict(type='ImgDataPreprocessor', **NORMALISED),
            backbone=csnet,
            neck=dict(type='sod_plugins.CSFNeck', in_channels=(4, 8, 8), weight_scale=1.0),
            num_classes=3,
            in_channels=5,
        ),
    }


def loader(kind: str, root: Path, task: str) -> dict:
    """Return the config of a loader of one sample."""
    if task == 'instances':
        steps = [dict(type='LoadImageFromFile'), dict(type='Resize', scale=(SIZE, SIZE))]
        if kind == 'train':
            steps.insert(1, dict(type='LoadAnnotations', with_bbox=True, with_mask=True))
        names = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')
        steps.append(dict(type='PackDetInputs', meta_keys=names))
        data = dict(ann_file='annotations.json', data_prefix=dict(img='images/'))
        data |= dict(type='sod_plugins.SalientInstanceDataset', data_root=str(root))
    elif task == 'classes':
        steps = [
            dict(type='sod_plugins.LoadSaliencyImage'),
            dict(type='sod_plugins.ResizeSaliency', size=(SIZE, SIZE)),
            dict(type='sod_plugins.PackClassInputs'),
        ]
        data = dict(type='sod_plugins.ImageFolderDataset', data_root=str(root))
    else:
        steps = [
            dict(type='sod_plugins.LoadSaliencyImage'),
            dict(type='sod_plugins.LoadSaliencyMask'),
            dict(type='sod_plugins.ResizeSaliency', size=(SIZE, SIZE)),
            dict(type='sod_plugins.PackSaliencyInputs'),
        ]
        if kind == 'test':
            steps.pop(1)
        data = dict(type='sod_plugins.SaliencyDataset', data_root=str(root))
    sampler = dict(type='sod_plugins.DrawSampler', infinite=True)
    if kind == 'test':
        sampler = dict(type='DefaultSampler', shuffle=False)
    return dict(batch_size=2, sampler=sampler, dataset=dict(pipeline=steps, **data))


def config(name: str, model: dict, root: Path) -> str:
    """Return the text of a config of one step."""
    task = {'s4net': 'instances', 'classifier': 'classes'}.get(name, 'saliency')
    host = {'instances': 'mmdet', 'classes': 'mmengine'}.get(task, 'mmseg')
    pruned = name == 'csnet-pruned'
    metric = {'instances': 'SalientInstanceMetric', 'classes': 'AccuracyMetric'}
    values = dict(
        default_scope=host,
        model=model,
        train_dataloader=loader('train', root, task),
        test_dataloader=loader('test', root, task),
        test_evaluator=dict(type='sod_plugins.' + metric.get(task, 'SaliencyMetric')),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=1e-4)),
        train_cfg=dict(type='IterBasedTrainLoop', max_iters=1 + pruned),
        test_cfg={},
        default_hooks=dict(
            checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=1),
            logger=dict(type='LoggerHook', interval=1),
            exact_resume=dict(type='sod_plugins.ExactResumeHook'),
        ),
        randomness=dict(seed=3),
    )
    if pruned:
        values['custom_hooks'] = [dict(type='sod_plugins.PruningHook', begin=1, ratio=0.6)]
    return ''.join(f'{key} = {value!r}\n' for key, value in values.items())


def write_data(folder: Path) -> Path:
    """Write four photos with masks, instances and classes."""
    generate_scenes(folder / 'scenes', 4, size=(48, 64))
    rng = np.random.default_rng(0)
    for name in ('one', 'two', 'three'):
        (folder / 'classes' / name).mkdir(parents=True)
        photo = rng.integers(0, 255, (40, 40, 3), dtype=np.uint8)
        Image.fromarray(photo).save(folder / 'classes' / name / '0.png')
    return folder


def main() -> None:
    """Write all files of one commit."""
    commit, *chosen = sys.argv[1:]
    expected: dict[str, dict] = {}

    def note(path: Path) -> None:
        load = load_classifier if 'classifier' in path.name else load_network
        network = load(path)
        expected[path.name] = {
            'arguments': network.arguments,
            'preprocessing': network.preprocessing.to_dict(),
            'weights': weights_digest(network),
            'outputs': describe(outputs(network)),
        }

    for name, network in () if chosen else networks().items():
        path = FOLDER / f'{commit}-save_network-{name}.pth'
        save_network(path, network)
        note(path)
    with tempfile.TemporaryDirectory() as temporary:
        folder = write_data(Path(temporary))
        for name, model in models().items():
            if chosen and name not in chosen:
                continue
            root = folder / ('classes' if name == 'classifier' else 'scenes')
            file, work = folder / f'{name}.py', folder / name
            file.write_text(config(name, model, root))
            tool = CHECKOUT / 'tools' / 'train.py'
            subprocess.run([sys.executable, tool, file, '--work-dir', work], check=True)
            path = FOLDER / f'{commit}-train-{name}.pth'
            newest = max(work.glob('iter_*.pth'))
            path.write_bytes(newest.read_bytes())
            note(path)
    (FOLDER / f'{commit}.json').write_text(json.dumps({'networks': expected}) + '\n')


if __name__ == '__main__':
    main()

"""detectron2's configs on generated scenes: what changes in each, so that seconds suffice."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / 'configs/detectron2'
ALL = sorted([*CONFIGS.glob('*.py'), *CONFIGS.glob('*.yaml')])
LAZY = ('train.checkpointer.period=5', 'train.eval_period=0', 'train.device=cpu')
SALIENCY = (
    *(f'dataloader.{part}.dataset.preset=null' for part in ('train', 'test')),
    'dataloader.train.total_batch_size=2',
    'dataloader.train.num_workers=0',
    'dataloader.test.num_workers=0',
)
RESIZE = 'dataloader.train.mapper.transforms.{}.size=[64,64]'
# Beginning of a config's name -> its changes to scenes of 48x64 pixels, on which it keeps its
# structure; {root} is their folder.
SMALL = {
    'csnet': (*SALIENCY, 'model.input_size=[64,64]', RESIZE.format(2)),
    'samnet_1xb20-50e': (
        *SALIENCY,
        'model.input_size=[64,64]',
        'dataloader.train.mapper.transforms.1.sizes=[[64,64]]',
    ),
    'samnet_1xb20-250e': (
        *SALIENCY,
        'model.input_size=[64,64]',
        'dataloader.train.mapper.transforms.1.sizes=[[96,96],[64,64],[80,80],[72,72],[48,48]]',
        'dataloader.train.mapper.transforms.1.max_margins=[3,2,2,2,1]',
        'dataloader.train.mapper.transforms.1.draws_per_size=4',
    ),
    'picanet_vgg16': (
        *SALIENCY,
        'model.input_size=[64,64]',
        'model.backbone.weights=""',
        RESIZE.format(0).replace('64,64', '72,72'),
        RESIZE.format(2),
    ),
    'itdbu': (
        *(option for option in SALIENCY if 'preset' not in option),
        *(f'dataloader.{part}.dataset.list_file=null' for part in ('train', 'test')),
        'model.input_size=[64,64]',
        'model.backbone.weights=""',
        RESIZE.format(2),
    ),
    's4net': (
        'model.backbone.weights=""',
        'model.backbone.depth=18',
        *(f'model.neck.input_shape.res{n}.channels={64 << (n - 2)}' for n in (3, 4, 5)),
        'model.input_size=[64,64]',
        'dataloader.train.mapper.augmentations.0.shape=[64,64]',
        *(f'dataloader.{part}.num_workers=0' for part in ('train', 'test')),
        *(
            f'dataloader.{part}.dataset.image_root={{root}}/{part}/images'
            for part in ('train', 'test')
        ),
        *(
            f'dataloader.{part}.dataset.json_file={{root}}/{part}/annotations.json'
            for part in ('train', 'test')
        ),
        'dataloader.evaluator.ann_file={root}/test/annotations.json',
        'optimizer.lr=0.0001',  # without trained weights the paper's rate diverges
    ),
    'picanet-aspp': (
        'dataloader.train.dataset=scene_labels_train',
        'dataloader.test.dataset=scene_labels_test',
        'dataloader.evaluator.dataset_name=scene_labels_test',
        'dataloader.train.total_batch_size=2',
        *(f'dataloader.{part}.num_workers=0' for part in ('train', 'test')),
        *(f'dataloader.train.mapper.augmentations.0.target_{x}=64' for x in ('height', 'width')),
        'dataloader.train.mapper.augmentations.1.crop_size=[64,64]',
        'model.sem_seg_head.num_classes=2',
        'train.init_checkpoint=""',
    ),
    'picanet-retinanet': (
        'dataloader.train.dataset.names=scene_instances_train',
        'dataloader.test.dataset.names=scene_instances_test',
        'dataloader.evaluator._target_=detectron2.evaluation.COCOEvaluator',
        'dataloader.evaluator.dataset_name=scene_instances_test',
        'dataloader.train.total_batch_size=2',
        *(f'dataloader.{part}.num_workers=0' for part in ('train', 'test')),
        'dataloader.train.mapper.augmentations.0.short_edge_length=[64,80]',
        'dataloader.test.mapper.augmentations.0.short_edge_length=64',
        'model.num_classes=1',
        'train.init_checkpoint=""',
        'optimizer.lr=0.0001',  # without trained weights the paper's rate diverges
    ),
}
YAML = (
    'SOLVER.MAX_ITER=20',
    'SOLVER.CHECKPOINT_PERIOD=5',
    'SOLVER.IMS_PER_BATCH=2',
    'TEST.EVAL_PERIOD=0',
    'MODEL.DEVICE=cpu',
    'DATALOADER.NUM_WORKERS=0',
    'SOD.INPUT_SIZE=(64,64)',
    'SOD.BACKBONE_WEIGHTS=',
)
SMALL_YAML = {
    'csnet': (
        "SOD.DATASETS=[{{'name': 'duts-tr', 'kind': 'saliency', 'root': '{root}/train'}}, "
        "{{'name': 'duts-te', 'kind': 'saliency', 'root': '{root}/test'}}]",
    ),
    's4net': (
        "SOD.DATASETS=[{{'name': 'isod-train', 'kind': 'salient_instances', 'json_file': "
        "'{root}/train/annotations.json', 'image_root': '{root}/train/images'}}, "
        "{{'name': 'isod-test', 'kind': 'salient_instances', 'json_file': "
        "'{root}/test/annotations.json', 'image_root': '{root}/test/images'}}]",
        'SOD.BACKBONE.depth=18',
        'SOLVER.BASE_LR=0.0001',  # without trained weights the paper's rate diverges
    ),
}
# A user's module: data sets for detectron2's own mappers and evaluators, and an end of a training.
USER_CODE = """
import os
import signal
from functools import partial

from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.data.datasets import load_sem_seg, register_coco_instances
from detectron2.engine import TrainerBase

for part in ('train', 'test'):
    root = f'{root}/{{part}}'
    register_coco_instances(
        f'scene_instances_{{part}}', {{}}, f'{{root}}/annotations.json', f'{{root}}/images'
    )
    name = f'scene_labels_{{part}}'
    DatasetCatalog.register(
        name, partial(load_sem_seg, f'{{root}}/labels', f'{{root}}/images', 'png', 'jpg')
    )
    MetadataCatalog.get(name).set(stuff_classes=['background', 'salient'], ignore_label=255)

before_step = TrainerBase.before_step


def killed_before_step(self):
    if self.iter == int(os.environ.get('KILLED_AT', -1)):
        os.kill(os.getpid(), signal.SIGKILL)
    before_step(self)


TrainerBase.before_step = killed_before_step
"""


def options_of(config: Path, scenes: Path, iterations: int = 20) -> list[str]:
    table, common = (SMALL_YAML, YAML) if config.suffix == '.yaml' else (SMALL, LAZY)
    name = max((n for n in table if config.stem.startswith(n)), key=len)
    own = [option.format(root=scenes) for option in table[name]]
    if common is LAZY:
        own.append(f'train.max_iter={iterations}')
        if name.startswith(('csnet', 'samnet', 'picanet_', 'itdbu')):
            own += [f'dataloader.{p}.dataset.root={scenes}/{p}' for p in ('train', 'test')]
    return [*common, *own]

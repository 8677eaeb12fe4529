# PiCANet between FPN and head of detectron2's RetinaNet: local attention pooling on P3 to P5,
# global on P6, as SSD has them on its first and its middle maps (Sec. 5.6); P7 has too few pixels.
# The schedule is that of detectron2's own models of PASCAL VOC.
import detectron2.data.transforms as T
from detectron2 import model_zoo
from detectron2.config import LazyCall as L
from detectron2.data import DatasetMapper, get_detection_dataset_dicts
from detectron2.evaluation import PascalVOCDetectionEvaluator
from detectron2.solver import WarmupParamScheduler
from fvcore.common.param_scheduler import MultiStepParamScheduler

from sod_plugins.detectron2 import (
    ExactResumeHook,
    PiCANetNeck,
    build_test_loader,
    build_train_loader,
)

from ._base_.sgd import optimizer
from ._base_.train import train

model = model_zoo.get_config('common/models/retinanet.py').model
model.backbone = L(PiCANetNeck)(
    bottom_up=model.backbone, contexts={'p3': 'LAP', 'p4': 'LAP', 'p5': 'LAP', 'p6': 'GAP'}
)
model.num_classes = 20

dataloader = dict(
    train=L(build_train_loader)(
        dataset=L(get_detection_dataset_dicts)(names=('voc_2007_trainval', 'voc_2012_trainval')),
        mapper=L(DatasetMapper)(
            is_train=True,
            augmentations=[
                L(T.ResizeShortestEdge)(
                    short_edge_length=tuple(range(480, 801, 32)),
                    sample_style='choice',
                    max_size=1333,
                ),
                L(T.RandomFlip)(),
            ],
            image_format='BGR',
        ),
        total_batch_size=16,
        num_workers=4,
    ),
    test=L(build_test_loader)(
        dataset=L(get_detection_dataset_dicts)(names='voc_2007_test', filter_empty=False),
        mapper=L(DatasetMapper)(
            is_train=False,
            augmentations=[L(T.ResizeShortestEdge)(short_edge_length=800, max_size=1333)],
            image_format='BGR',
        ),
        num_workers=4,
    ),
    evaluator=L(PascalVOCDetectionEvaluator)(dataset_name='voc_2007_test'),
)
optimizer.lr = 0.01
optimizer.weight_decay = 1e-4
lr_multiplier = L(WarmupParamScheduler)(
    scheduler=L(MultiStepParamScheduler)(
        values=[1, 0.1, 0.01], milestones=[12000, 16000], num_updates=18000
    ),
    warmup_factor=0.001,
    warmup_length=100 / 18000,
)
hooks = dict(exact_resume=L(ExactResumeHook)())
train.init_checkpoint = 'detectron2://ImageNetPretrained/MSRA/R-50.pkl'
train.max_iter = 18000
train.output_dir = 'work_dirs/detectron2/picanet-retinanet_resnet50-fpn_1xb16-18000i_voc0712'

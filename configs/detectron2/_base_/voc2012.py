# PASCAL VOC 2012, with the 10,582 photos of its augmented training list: JPEGImages/,
# SegmentationClassAug/ (label images, VOC's own among them) and ImageSets/Segmentation/.
from functools import partial

import detectron2.data.transforms as T
from detectron2.config import LazyCall as L
from detectron2.data import DatasetCatalog, DatasetMapper, MetadataCatalog
from detectron2.evaluation import SemSegEvaluator

from sod_plugins.detectron2 import build_test_loader, build_train_loader, saliency_records

data_root = 'data/VOCdevkit/VOC2012'
CLASSES = (
    'background aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse '
    'motorbike person pottedplant sheep sofa train tvmonitor'
)

# SemSegEvaluator finds the labels by the name of a data set.
for part in ('trainaug', 'val'):
    name = f'sod_plugins_voc2012_{part}'
    if name not in DatasetCatalog:
        records = partial(
            saliency_records,
            data_root,
            image_dir='JPEGImages',
            mask_dir='SegmentationClassAug',
            list_file=f'ImageSets/Segmentation/{part}.txt',
        )
        DatasetCatalog.register(name, records)
        MetadataCatalog.get(name).set(stuff_classes=CLASSES.split(), ignore_label=255)

dataloader = dict(
    train=L(build_train_loader)(
        dataset='sod_plugins_voc2012_trainaug',
        mapper=L(DatasetMapper)(
            is_train=True,
            augmentations=[
                # The longer side of VOC's photos is 500.
                L(T.ResizeScale)(min_scale=0.5, max_scale=1.5, target_height=500, target_width=500),
                L(T.FixedSizeCrop)(crop_size=(321, 321), seg_pad_value=255),
                L(T.RandomFlip)(),
            ],
            image_format='RGB',
        ),
        total_batch_size=10,
        num_workers=4,
    ),
    test=L(build_test_loader)(
        dataset='sod_plugins_voc2012_val',
        mapper=L(DatasetMapper)(is_train=False, augmentations=[], image_format='RGB'),
        num_workers=4,
    ),
    evaluator=L(SemSegEvaluator)(dataset_name='sod_plugins_voc2012_val'),
)

# Loaders of images and masks, and their evaluator; a config fills in data sets and transforms.
from detectron2.config import LazyCall as L

from sod_plugins.detectron2 import (
    SaliencyEvaluator,
    SaliencyMapper,
    build_test_loader,
    build_train_loader,
    saliency_records,
)

dataloader = dict(
    train=L(build_train_loader)(
        dataset=L(saliency_records)(root='data/DUTS/DUTS-TR', preset='duts-tr'),
        mapper=L(SaliencyMapper)(is_train=True, transforms=[]),
        total_batch_size=24,
        num_workers=2,
    ),
    test=L(build_test_loader)(
        dataset=L(saliency_records)(root='data/DUTS/DUTS-TE', preset='duts-te'),
        mapper=L(SaliencyMapper)(is_train=False),
        batch_size=16,
        num_workers=2,
    ),
    evaluator=L(SaliencyEvaluator)(protocol='salmetric', output_dir=None),
)

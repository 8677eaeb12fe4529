# SAMNet as it was released: an epoch of the paper is five passes through the data (epochs here),
# each at another size, so 250 in all. The paper does not mention it.
from detectron2.config import LazyCall as L

from sod_plugins.detectron2 import (
    ExactResumeHook,
    SaliencySegmentor,
    SAMNet,
    SAMNetHead,
    StepPolyParamScheduler,
)
from sod_plugins.transforms import ColorJitter, MultiSizeResize, RandomSaliencyFlip

from ._base_.adam import optimizer
from ._base_.normalization import imagenet
from ._base_.saliency_data import dataloader
from ._base_.shapes import shapes
from ._base_.train import train

model = L(SaliencySegmentor)(
    backbone=L(SAMNet)(zero_init_residual=True),
    sem_seg_head=L(SAMNetHead)(
        input_shape=shapes(
            stage0=(16, 2), stage1=(32, 4), stage2=(64, 8), stage3=(96, 16), stage4=(128, 32)
        )
    ),
    input_size=(336, 336),
    **imagenet,
)
dataloader.train.mapper.transforms = [
    L(ColorJitter)(brightness=0.2, contrast=0.2, saturation=0.2, hue=0.1),
    L(MultiSizeResize)(
        sizes=[(side, side) for side in (672, 504, 420, 252, 336)],
        max_margins=[42, 33, 33, 10, 10],
        draws_per_size=10_540,  # one pass of whole batches
    ),
    L(RandomSaliencyFlip)(prob=0.5, directions=['vertical']),
]
dataloader.train.total_batch_size = 20
dataloader.train.num_workers = dataloader.test.num_workers = 8
dataloader.evaluator.protocol = 'fastsaliency'
optimizer.lr = 5e-4
optimizer.weight_decay = 1e-4
lr_multiplier = L(StepPolyParamScheduler)(epochs=250, interval=5, power=0.9)
hooks = dict(exact_resume=L(ExactResumeHook)())
train.max_iter = 131_912
train.output_dir = 'work_dirs/detectron2/samnet_1xb20-250e_duts-multi-size'

# SAMNet by the recipe of its paper (Sec. IV-A), from scratch: 1,330,129 parameters, a learning
# rate of 5e-4 (1 - n / 50)^0.9 in epoch n. 50 passes are 26,382 iterations.
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
    # Fresh weights learn far faster where every SAM module begins as the identity.
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
    L(MultiSizeResize)(sizes=[(336, 336)], max_margins=[10]),
    # All flips are up-down, as in SAMNet's released training.
    L(RandomSaliencyFlip)(prob=0.5, directions=['vertical']),
]
dataloader.train.total_batch_size = 20
dataloader.train.num_workers = dataloader.test.num_workers = 8
dataloader.evaluator.protocol = 'fastsaliency'
optimizer.lr = 5e-4
optimizer.weight_decay = 1e-4
lr_multiplier = L(StepPolyParamScheduler)(epochs=50, power=0.9)
hooks = dict(exact_resume=L(ExactResumeHook)())
train.max_iter = 26_382
train.output_dir = 'work_dirs/detectron2/samnet_1xb20-50e_duts-336x336'

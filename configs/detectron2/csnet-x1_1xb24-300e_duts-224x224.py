# CSNet x1 by the recipe of its paper (Sec. 6.1), on DUTS as there, with dynamic weight decay:
# 210,985 parameters. 300 passes through the 10,553 images are 131,912 iterations.
from detectron2.config import LazyCall as L
from fvcore.common.param_scheduler import MultiStepParamScheduler

from sod_plugins.detectron2 import (
    CSFHead,
    CSNet,
    DynamicWeightDecayHook,
    ExactResumeHook,
    SaliencySegmentor,
)
from sod_plugins.transforms import RandomMarginCrop, RandomSaliencyFlip, ResizeSaliency

from ._base_.adam import optimizer
from ._base_.normalization import imagenet
from ._base_.saliency_data import dataloader
from ._base_.shapes import shapes
from ._base_.train import train

model = L(SaliencySegmentor)(
    backbone=L(CSNet)(width=1.0),
    sem_seg_head=L(CSFHead)(input_shape=shapes(stage1=(40, 2), stage2=(80, 4), stage3=(80, 8))),
    input_size=(224, 224),
    **imagenet,
)
dataloader.train.mapper.transforms = [
    L(RandomMarginCrop)(max_margin=14),
    # Half of the flips are up-down, as in CSNet's released training.
    L(RandomSaliencyFlip)(prob=0.5, directions=['horizontal', 'vertical']),
    L(ResizeSaliency)(size=(224, 224)),
]
optimizer.lr = 1e-4
optimizer.betas = (0.9, 0.99)
optimizer.weight_decay = 5e-3
optimizer.params.dynamic_weight_decay = {}
lr_multiplier = L(MultiStepParamScheduler)(
    values=[1, 0.1, 0.01], milestones=[200, 250], num_updates=300
)
hooks = dict(dynamic_weight_decay=L(DynamicWeightDecayHook)(), exact_resume=L(ExactResumeHook)())
train.max_iter = 131_912
train.output_dir = 'work_dirs/detectron2/csnet-x1_1xb24-300e_duts-224x224'

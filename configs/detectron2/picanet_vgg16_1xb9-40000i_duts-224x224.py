# PiCANet by the recipe of its paper (Sec. 5.3): VGG-16 with DeepLab's changes, GAP in D6, AC in D5
# to D2 (Tab. 1, +6GAP 5432AC). 57,145,278 parameters, of which 36,661,374 are the decoder's.
from detectron2.config import LazyCall as L
from fvcore.common.param_scheduler import MultiStepParamScheduler

from sod_plugins.detectron2 import VGG, ExactResumeHook, PiCANetHead, SaliencySegmentor
from sod_plugins.transforms import RandomSaliencyCrop, RandomSaliencyFlip, ResizeSaliency

from ._base_.normalization import imagenet
from ._base_.saliency_data import dataloader
from ._base_.sgd import optimizer
from ._base_.shapes import shapes
from ._base_.train import train

model = L(SaliencySegmentor)(
    backbone=L(VGG)(
        depth=16,
        out_indices=(0, 1, 2, 3, 4, 5),
        pool_size=3,
        pool_strides=(2, 2, 2, 1, 1),
        dilations=(1, 1, 1, 1, 2),
        fc_channels=1024,
        fc_dilation=12,
        pre_activation=True,
        weights='https://download.pytorch.org/models/vgg16-397923af.pth',
    ),
    sem_seg_head=L(PiCANetHead)(
        input_shape=shapes(
            stage0=(64, 1),
            stage1=(128, 2),
            stage2=(256, 4),
            stage3=(512, 8),
            stage4=(512, 8),
            stage5=(1024, 8),
        ),
        setting='6GAP_5432AC',
    ),
    input_size=(224, 224),
    **imagenet,
)
dataloader.train.mapper.transforms = [
    L(ResizeSaliency)(size=(256, 256)),
    L(RandomSaliencyFlip)(prob=0.5),
    L(RandomSaliencyCrop)(size=(224, 224)),
]
dataloader.train.total_batch_size = 9
optimizer.params.backbone_lr_factor = 0.1
lr_multiplier = L(MultiStepParamScheduler)(
    values=[1, 0.1, 0.01], milestones=[20000, 30000], num_updates=40000
)
hooks = dict(exact_resume=L(ExactResumeHook)())
train.max_iter = 40000
train.output_dir = 'work_dirs/detectron2/picanet_vgg16_1xb9-40000i_duts-224x224'

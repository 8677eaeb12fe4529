# ITDBU by the recipe of its paper (Sec. 3.2): VGG-16, convGRU, N = 3 iterations, T = 2 steps,
# sharing strategy ii. Of 15,121,913 parameters 407,225 are the decoder's. 10 passes through the
# 7,000 images are 17,500 iterations; what the paper leaves open is in configs/itdbu/README.md.
from detectron2.config import LazyCall as L
from detectron2.solver import WarmupParamScheduler
from fvcore.common.param_scheduler import PolynomialDecayParamScheduler

from sod_plugins.detectron2 import (
    VGG,
    ExactResumeHook,
    ITDBUHead,
    SaliencySegmentor,
    saliency_records,
)
from sod_plugins.transforms import RandomMarginCrop, RandomSaliencyFlip, ResizeSaliency

from ._base_.adam import optimizer
from ._base_.normalization import imagenet
from ._base_.saliency_data import dataloader
from ._base_.shapes import shapes
from ._base_.train import train

model = L(SaliencySegmentor)(
    backbone=L(VGG)(weights='https://download.pytorch.org/models/vgg16-397923af.pth'),
    sem_seg_head=L(ITDBUHead)(
        input_shape=shapes(
            stage0=(64, 1), stage1=(128, 2), stage2=(256, 4), stage3=(512, 8), stage4=(512, 16)
        ),
        cell='gru',
        iterations=3,
        steps=2,
        sharing='ii',
    ),
    input_size=(224, 224),
    **imagenet,
)
dataloader.train.dataset = L(saliency_records)(root='data/msra10k', list_file='train.txt')
dataloader.test.dataset = L(saliency_records)(root='data/msra10k', list_file='test.txt')
dataloader.train.mapper.transforms = [
    L(RandomMarginCrop)(max_margin=14),
    L(RandomSaliencyFlip)(prob=0.5),
    L(ResizeSaliency)(size=(224, 224)),
]
dataloader.train.total_batch_size = 4
optimizer.lr = 1e-4
optimizer.weight_decay = 5e-4
optimizer.params.backbone_lr_factor = 0.1
lr_multiplier = L(WarmupParamScheduler)(
    scheduler=L(PolynomialDecayParamScheduler)(base_value=1, power=0.9),
    warmup_factor=0.1,
    warmup_length=500 / 17500,
)
hooks = dict(exact_resume=L(ExactResumeHook)())
train.max_iter = 17500
train.output_dir = 'work_dirs/detectron2/itdbu_vgg16_1xb4-10e_msra10k-224x224'

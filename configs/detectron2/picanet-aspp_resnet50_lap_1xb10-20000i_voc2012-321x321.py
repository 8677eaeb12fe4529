# DeepLab's four branches with local attention pooling (Sec. 5.6, Tab. 3) on detectron2's dilated
# ResNet-50 at stride 8, in its own SemanticSegmentor, by DeepLab's training.
from detectron2.config import LazyCall as L
from detectron2.modeling.backbone import BasicStem, ResNet
from detectron2.modeling.backbone.resnet import BottleneckBlock
from detectron2.modeling.meta_arch import SemanticSegmentor
from fvcore.common.param_scheduler import PolynomialDecayParamScheduler

from sod_plugins.detectron2 import ExactResumeHook, PiCANetASPPHead

from ._base_.sgd import optimizer
from ._base_.shapes import shapes
from ._base_.train import train
from ._base_.voc2012 import dataloader

stages = [
    L(ResNet.make_stage)(
        block_class=BottleneckBlock,
        num_blocks=blocks,
        stride_per_block=[stride] + [1] * (blocks - 1),
        in_channels=channels,
        bottleneck_channels=width,
        out_channels=4 * width,
        dilation=dilation,
        stride_in_1x1=True,
        norm='BN',
    )
    for blocks, stride, channels, width, dilation in [
        (3, 1, 64, 64, 1),
        (4, 2, 256, 128, 1),
        (6, 1, 512, 256, 2),
        (3, 1, 1024, 512, 4),
    ]
]
model = L(SemanticSegmentor)(
    backbone=L(ResNet)(
        stem=L(BasicStem)(in_channels=3, out_channels=64, norm='BN'),
        stages=stages,
        out_features=['res5'],
    ),
    sem_seg_head=L(PiCANetASPPHead)(
        input_shape=shapes(res5=(2048, 8)),
        num_classes=21,
        channels=512,
        context='LAP',
        batch_norm=True,
        dropout=0.1,
    ),
    # Those of detectron2's weights, which see blue, green, red.
    pixel_mean=[103.53, 116.28, 123.675],
    pixel_std=[1.0, 1.0, 1.0],
)
dataloader.train.mapper.image_format = dataloader.test.mapper.image_format = 'BGR'
optimizer.lr = 0.01
optimizer.params.backbone_lr_factor = 0.1
lr_multiplier = L(PolynomialDecayParamScheduler)(base_value=1, power=0.9)
hooks = dict(exact_resume=L(ExactResumeHook)())
train.init_checkpoint = 'detectron2://ImageNetPretrained/MSRA/R-50.pkl'
train.max_iter = 20000
train.output_dir = 'work_dirs/detectron2/picanet-aspp_resnet50_lap_1xb10-20000i_voc2012-321x321'

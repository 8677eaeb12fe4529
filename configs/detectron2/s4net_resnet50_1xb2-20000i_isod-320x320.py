# S4Net on ResNet-50 as in the paper (Sec. 4.1): conv3 to conv6, ternary RoIMasking with
# alpha = 1/3, the segmentation branch of Fig. 2(c), 20 proposals. 20,000 iterations of two images
# on the salient instances of Li et al. (CVPR 2017), in COCO's form.
import detectron2.data.transforms as T
from detectron2.config import LazyCall as L
from fvcore.common.param_scheduler import MultiStepParamScheduler

from sod_plugins.detectron2 import (
    ExactResumeHook,
    InstanceMapper,
    ResNet,
    S4Net,
    S4NetFPN,
    SalientInstanceEvaluator,
    build_test_loader,
    build_train_loader,
    instance_records,
)
from sod_plugins.layers import RoIMasking
from sod_plugins.networks.s4net import S4NetHead, S4NetMaskBranch

from ._base_.normalization import imagenet
from ._base_.sgd import optimizer
from ._base_.shapes import shapes
from ._base_.train import train

data_root = 'data/isod'

model = L(S4Net)(
    backbone=L(ResNet)(
        depth=50,
        out_indices=(2, 3, 4),
        norm_eval=True,
        weights='https://download.pytorch.org/models/resnet50-0676ba61.pth',
    ),
    neck=L(S4NetFPN)(input_shape=shapes(res3=(512, 8), res4=(1024, 16), res5=(2048, 32))),
    bbox_head=L(S4NetHead)(in_channels=256),
    roi_extractor=L(RoIMasking)(in_channels=256),
    mask_head=L(S4NetMaskBranch)(in_channels=256),
    input_size=(320, 320),
    **imagenet,
)
dataloader = dict(
    train=L(build_train_loader)(
        dataset=L(instance_records)(
            json_file=f'{data_root}/annotations/train.json', image_root=f'{data_root}/images'
        ),
        mapper=L(InstanceMapper)(
            is_train=True,
            augmentations=[L(T.Resize)(shape=(320, 320)), L(T.RandomFlip)()],
        ),
        total_batch_size=2,
        num_workers=1,
    ),
    test=L(build_test_loader)(
        dataset=L(instance_records)(
            json_file=f'{data_root}/annotations/test.json', image_root=f'{data_root}/images'
        ),
        mapper=L(InstanceMapper)(is_train=False),
        num_workers=1,
    ),
    evaluator=L(SalientInstanceEvaluator)(ann_file=f'{data_root}/annotations/test.json'),
)
optimizer.lr = 0.004
optimizer.weight_decay = 1e-4
lr_multiplier = L(MultiStepParamScheduler)(values=[1, 0.1], milestones=[10000], num_updates=20000)
hooks = dict(exact_resume=L(ExactResumeHook)())
train.max_iter = 20000
train.output_dir = 'work_dirs/detectron2/s4net_resnet50_1xb2-20000i_isod-320x320'

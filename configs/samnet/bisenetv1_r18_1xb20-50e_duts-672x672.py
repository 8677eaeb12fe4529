# Tab. II: mmseg's BiSeNet with ResNet-18, at one output channel.
_base_ = [
    '../_base_/datasets/duts_672x672.py',
    '../_base_/schedules/adam_50e.py',
    '../_base_/default_runtime.py',
]
norm_cfg = dict(type='BN')
# One channel of logits and soft masks. (The acc_seg that the host logs is the share of background.)
head = dict(
    type='FCNHead',
    num_convs=1,
    concat_input=False,
    num_classes=2,
    out_channels=1,
    threshold=0.5,
    norm_cfg=norm_cfg,
)
loss = dict(type='CrossEntropyLoss', use_sigmoid=True, avg_non_ignore=True)
data_preprocessor = dict(
    type='SegDataPreProcessor',
    mean=[123.675, 116.28, 103.53],  # RGB
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
    size_divisor=1,  # all images have one size: nothing is padded
)
model = dict(
    type='sod_plugins.SaliencySegmentor',
    data_preprocessor=data_preprocessor,
    backbone=dict(
        type='BiSeNetV1',
        in_channels=3,
        context_channels=(128, 256, 512),
        spatial_channels=(64, 64, 64, 128),
        out_channels=256,
        backbone_cfg=dict(
            type='ResNet', depth=18, strides=(1, 2, 2, 2), norm_cfg=norm_cfg, norm_eval=False
        ),
        norm_cfg=norm_cfg,
        align_corners=False,
    ),
    decode_head=dict(**head, in_channels=256, in_index=0, channels=256, loss_decode=loss),
    auxiliary_head=[
        dict(**head, in_channels=128, in_index=i, channels=64, loss_decode=loss) for i in (1, 2)
    ],
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)

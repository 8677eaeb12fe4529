# Tab. II: mmseg's ICNet at one output channel, with ResNet-18; the paper's has pruned layers.
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
        type='ICNet',
        in_channels=3,
        layer_channels=(128, 512),
        light_branch_middle_channels=32,
        psp_out_channels=512,
        out_channels=(64, 256, 256),
        backbone_cfg=dict(
            type='ResNetV1c',
            depth=18,
            strides=(1, 2, 1, 1),
            dilations=(1, 1, 2, 4),
            norm_cfg=norm_cfg,
            norm_eval=False,
            contract_dilation=True,
        ),
        norm_cfg=norm_cfg,
        align_corners=False,
    ),
    neck=dict(
        type='ICNeck',
        in_channels=(64, 256, 256),
        out_channels=128,
        norm_cfg=norm_cfg,
        align_corners=False,
    ),
    decode_head=dict(
        **head, in_channels=128, in_index=2, channels=128, dropout_ratio=0, loss_decode=loss
    ),
    auxiliary_head=[
        dict(
            **head,
            in_channels=128,
            in_index=i,
            channels=128,
            loss_decode=dict(**loss, loss_weight=0.4),
        )
        for i in (0, 1)
    ],
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)

# Tab. 7: mmseg's BiSeNet with ResNet-18 at one output channel, from scratch.
_base_ = [
    '../_base_/models/pixel_classifier.py',
    '../_base_/datasets/duts.py',
    '../_base_/schedules/adam_300e.py',
    '../_base_/default_runtime.py',
]
norm_cfg = dict(type='BN')
loss = dict(type='CrossEntropyLoss', use_sigmoid=True, avg_non_ignore=True)
auxiliary = dict(
    type='FCNHead',
    num_convs=1,
    concat_input=False,
    num_classes=2,
    out_channels=1,
    threshold=0.5,
    in_channels=128,
    channels=64,
    norm_cfg=norm_cfg,
    loss_decode=loss,
)
train_dataloader = dict(sampler=dict(infinite=False))
model = dict(
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
    decode_head=dict(num_convs=1, in_channels=256, channels=256, in_index=0, norm_cfg=norm_cfg),
    auxiliary_head=[dict(**auxiliary, in_index=i) for i in (1, 2)],
)

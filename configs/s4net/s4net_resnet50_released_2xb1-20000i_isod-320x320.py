# S4Net as in its released code: five levels with conv2, 28,264,468 parameters.
_base_ = [
    '../_base_/models/s4net.py',
    '../_base_/datasets/isod_instances.py',
    '../_base_/schedules/sgd_20000i_s4net.py',
    '../_base_/default_runtime_mmdet.py',
]
model = dict(
    backbone=dict(out_indices=(1, 2, 3, 4)),
    neck=dict(
        in_channels=(256, 512, 1024, 2048), num_outs=5, upsample='legacy_bilinear', init_std=0.01
    ),
    bbox_head=dict(
        strides=(4, 8, 16, 32, 64),
        anchors='released',
        positive_iou=0.4,
        delta_std=(1.0, 1.0, 1.0, 1.0),
        beta=1 / 9,
        objectness='ohem',
        weights=(0.3, 0.3),
        box_reduction='level',
        offset=1,
        init_std=0.01,
    ),
    roi_extractor=dict(out_channels=128, kernel_size=3),
    mask_head=dict(in_channels=128, num_logits=2, relu_logits=True, init_std=0.01),
)
optim_wrapper = dict(paramwise_cfg=dict(bias_decay_mult=0))
param_scheduler = [dict(type='MultiStepLR', milestones=[10000, 15000], by_epoch=False)]

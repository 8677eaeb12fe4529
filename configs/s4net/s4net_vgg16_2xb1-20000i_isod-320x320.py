# Tab. 3: S4Net on VGG-16, whose maps of strides 32 and 64 are pooled.
_base_ = [
    '../_base_/models/s4net.py',
    '../_base_/datasets/isod_instances.py',
    '../_base_/schedules/sgd_20000i_s4net.py',
    '../_base_/default_runtime_mmdet.py',
]
model = dict(
    backbone=dict(
        _delete_=True,
        type='sod_plugins.VGG',
        out_indices=(3, 4),
        init_cfg=dict(
            type='sod_plugins.BackboneWeights',
            checkpoint='https://download.pytorch.org/models/vgg16-397923af.pth',
        ),
    ),
    neck=dict(in_channels=(512, 512)),
)

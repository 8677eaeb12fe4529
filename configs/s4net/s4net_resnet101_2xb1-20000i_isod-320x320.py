# Tab. 3: S4Net on ResNet-101.
_base_ = [
    '../_base_/models/s4net.py',
    '../_base_/datasets/isod_instances.py',
    '../_base_/schedules/sgd_20000i_s4net.py',
    '../_base_/default_runtime_mmdet.py',
]
model = dict(
    backbone=dict(
        depth=101,
        init_cfg=dict(checkpoint='https://download.pytorch.org/models/resnet101-63fe2227.pth'),
    )
)

# ITDBU on ResNet-50; its finest level is conv1 at stride 2, so the map is up-sampled.
_base_ = [
    '../_base_/models/itdbu.py',
    '../_base_/datasets/msra10k_224x224.py',
    '../_base_/schedules/adam_10e.py',
    '../_base_/default_runtime.py',
]
model = dict(
    backbone=dict(
        type='sod_plugins.ResNet',
        init_cfg=dict(checkpoint='https://download.pytorch.org/models/resnet50-0676ba61.pth'),
    ),
    decode_head=dict(in_channels=(64, 256, 512, 1024, 2048)),
)

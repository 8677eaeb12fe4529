# SSD300 in small, large convolutions and ReNet for attention, on EfficientNet-Lite0 with ImageNet
# weights (extra: weights).
_base_ = [
    '../_base_/models/picanet_ssd_efficientnet-lite0.py',
    '../_base_/datasets/pennfudan_300x300.py',
    '../_base_/schedules/adamw_300i.py',
    '../_base_/default_runtime_mmdet.py',
]
model = dict(neck=dict(setting='478LC_910ReNet'))

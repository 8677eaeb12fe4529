# SSD300 in small, the baseline of Tab. 4, on EfficientNet-Lite0 with ImageNet weights.
_base_ = [
    '../_base_/models/picanet_ssd_efficientnet-lite0.py',
    '../_base_/datasets/pennfudan_300x300.py',
    '../_base_/schedules/adamw_300i.py',
    '../_base_/default_runtime_mmdet.py',
]

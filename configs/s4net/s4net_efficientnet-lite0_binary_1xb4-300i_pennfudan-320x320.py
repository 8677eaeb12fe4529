# Binary RoIMasking on real photos in small.
_base_ = [
    '../_base_/models/s4net_efficientnet-lite0.py',
    '../_base_/datasets/pennfudan_instances.py',
    '../_base_/schedules/adamw_300i.py',
    '../_base_/default_runtime_mmdet.py',
]
model = dict(roi_extractor=dict(mode='binary'))

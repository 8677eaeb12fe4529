# SSD300, AC and GAP, on VGG-16.
_base_ = [
    '../_base_/models/picanet_ssd.py',
    '../_base_/datasets/voc0712_300x300.py',
    '../_base_/schedules/sgd_120000i_ssd.py',
    '../_base_/default_runtime_mmdet.py',
]
model = dict(neck=dict(setting='478AC_910GAP'))

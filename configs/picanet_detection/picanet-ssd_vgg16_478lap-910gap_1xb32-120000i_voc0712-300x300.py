# SSD300, LAP and GAP, on VGG-16.
_base_ = [
    '../_base_/models/picanet_ssd.py',
    '../_base_/datasets/voc0712_300x300.py',
    '../_base_/schedules/sgd_120000i_ssd.py',
    '../_base_/default_runtime_mmdet.py',
]
model = dict(
    neck=dict(setting='478LAP_910GAP'),
    bbox_head=dict(in_channels=(1024, 2048, 512, 256, 256, 256)),
)

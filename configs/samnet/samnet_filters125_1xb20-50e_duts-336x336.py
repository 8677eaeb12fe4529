# Tab. V: 1.25 times the filters.
_base_ = [
    '../_base_/models/samnet.py',
    '../_base_/datasets/duts_336x336.py',
    '../_base_/schedules/adam_50e.py',
    '../_base_/default_runtime.py',
]
model = dict(backbone=dict(width=1.25), decode_head=dict(in_channels=(20, 40, 80, 120, 160)))

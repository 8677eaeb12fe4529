# Tab. IV, No. 1: the sum of several branches (MB), no pyramid pooling.
_base_ = [
    '../_base_/models/samnet.py',
    '../_base_/datasets/duts_336x336.py',
    '../_base_/schedules/adam_50e.py',
    '../_base_/default_runtime.py',
]
model = dict(
    backbone=dict(attention='none'),
    decode_head=dict(pyramid_pooling=False),
)

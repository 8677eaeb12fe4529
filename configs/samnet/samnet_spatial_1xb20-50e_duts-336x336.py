# Tab. IV, No. 3: MB and spatial attention (SA), a map per branch, no pyramid pooling.
_base_ = [
    '../_base_/models/samnet.py',
    '../_base_/datasets/duts_336x336.py',
    '../_base_/schedules/adam_50e.py',
    '../_base_/default_runtime.py',
]
model = dict(
    backbone=dict(attention='spatial', shared_spatial=False),
    decode_head=dict(pyramid_pooling=False),
)

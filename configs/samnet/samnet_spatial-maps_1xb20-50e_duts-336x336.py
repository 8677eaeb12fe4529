# Eq. 11 as the paper has it: a spatial map for each branch, where the released network shares one.
_base_ = [
    '../_base_/models/samnet.py',
    '../_base_/datasets/duts_336x336.py',
    '../_base_/schedules/adam_50e.py',
    '../_base_/default_runtime.py',
]
model = dict(backbone=dict(shared_spatial=False))

# Tab. V: 5 SAM modules in stage 4.
_base_ = [
    '../_base_/models/samnet.py',
    '../_base_/datasets/duts_336x336.py',
    '../_base_/schedules/adam_50e.py',
    '../_base_/default_runtime.py',
]
model = dict(backbone=dict(modules=(1, 1, 3, 5, 3)))

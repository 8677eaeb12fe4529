# Tab. V: dilation rates 1, 2, 3, 4 in stages 1 to 4.
_base_ = [
    '../_base_/models/samnet.py',
    '../_base_/datasets/duts_336x336.py',
    '../_base_/schedules/adam_50e.py',
    '../_base_/default_runtime.py',
]
model = dict(backbone=dict(dilations=((1, 2, 3, 4),) * 4 + ((1, 2),)))

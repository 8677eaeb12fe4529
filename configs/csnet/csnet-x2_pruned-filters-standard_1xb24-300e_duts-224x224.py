# "Pruning Filters" with standard weight decay (Tab. 9): 228,504 parameters stay (paper: 227K).
_base_ = [
    '../_base_/models/csnet.py',
    '../_base_/datasets/duts.py',
    '../_base_/schedules/adam_300e.py',
    '../_base_/default_runtime.py',
]
custom_hooks = [
    dict(type='sod_plugins.PruningHook', begin=280, by_epoch=True, ratio=0.288, rule='filters'),
]
train_dataloader = dict(sampler=dict(infinite=False))
model = dict(backbone=dict(width=2.0), decode_head=dict(in_channels=(80, 160, 160)))

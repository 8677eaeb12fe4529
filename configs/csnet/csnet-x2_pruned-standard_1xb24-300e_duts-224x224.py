# CSNet x2-L with standard weight decay alone (Fig. 13).
_base_ = [
    '../_base_/models/csnet.py',
    '../_base_/datasets/duts.py',
    '../_base_/schedules/adam_300e.py',
    '../_base_/default_runtime.py',
]
custom_hooks = [dict(type='sod_plugins.PruningHook', begin=280, by_epoch=True, threshold=1e-20)]
train_dataloader = dict(sampler=dict(infinite=False))
model = dict(backbone=dict(width=2.0), decode_head=dict(in_channels=(80, 160, 160)))

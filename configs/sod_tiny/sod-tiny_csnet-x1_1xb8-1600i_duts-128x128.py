# CSNet x1 from scratch, with sod-small as its teacher beside the masks: at 128x128.
_base_ = [
    '../_base_/models/csnet.py',
    '../_base_/datasets/duts_zoom128.py',
    '../_base_/schedules/adamw_ema_800i.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='sod_plugins.DistilledSegmentor',
    teacher='zoo:sod-small',
    map_weight=1.0,
    feature_weight=0.2,
)
train_pipeline = _base_.train_pipeline
train_pipeline[2] = dict(type='sod_plugins.RandomZoom', prob=0.5, smallest=0.7)
train_dataloader = dict(batch_size=8, dataset=dict(pipeline=train_pipeline))
optim_wrapper = dict(paramwise_cfg=None)  # no part is pretrained: one rate for all
param_scheduler = _base_.param_scheduler
param_scheduler[1].end = 1600
param_scheduler[1].T_max = 1550
train_cfg = dict(max_iters=1600)

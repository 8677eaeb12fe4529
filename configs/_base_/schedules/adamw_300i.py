# 300 iterations of AdamW from a trained backbone, which moves ten times slower than the rest:
# detectors on real photos on one CPU core within a quarter of an hour.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=1e-2),
    paramwise_cfg=dict(
        custom_keys=dict(backbone=dict(lr_mult=0.1)),
        bypass_duplicate=True,  # heads may share convolutions
    ),
    clip_grad=dict(max_norm=10),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=False, begin=0, end=50),
    dict(type='CosineAnnealingLR', eta_min=1e-5, by_epoch=False, begin=50, end=300, T_max=250),
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=300, val_interval=100)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=20),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=100, max_keep_ckpts=2),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    exact_resume=dict(type='sod_plugins.ExactResumeHook'),
    visualization=dict(type='DetVisualizationHook'),
    description=dict(type='sod_plugins.DescriptionHook'),
    finite_loss=dict(type='sod_plugins.FiniteLossHook'),
)
log_processor = dict(by_epoch=False)

# 450 iterations of Adam: generated scenes on two CPU cores within minutes.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='Adam', lr=4e-3, betas=(0.9, 0.99), weight_decay=5e-3),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=20),
    dict(type='PolyLR', power=0.9, eta_min=1e-5, by_epoch=False, begin=20, end=450),
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=450, val_interval=225)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=20),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=100, max_keep_ckpts=2),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    exact_resume=dict(type='sod_plugins.ExactResumeHook'),
    visualization=dict(type='SegVisualizationHook', interval=1),
    description=dict(type='sod_plugins.DescriptionHook'),
    finite_loss=dict(type='sod_plugins.FiniteLossHook'),
)
log_processor = dict(by_epoch=False)

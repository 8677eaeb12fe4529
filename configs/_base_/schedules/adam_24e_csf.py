# The recipe of the released CSF+Res2Net: Adam, learning rate 5e-5, divided by 10 after 16 of 24
# epochs; one photo at a time, a step every 10. (The released code began a new optimizer there.)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='Adam', lr=5e-5, weight_decay=5e-4),
    accumulative_counts=10,  # which also divides the loss, a sum over pixels, by 10
)
param_scheduler = [dict(type='MultiStepLR', milestones=[16], gamma=0.1, by_epoch=True)]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=24, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='CheckpointHook', by_epoch=True, interval=1, max_keep_ckpts=2),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    exact_resume=dict(type='sod_plugins.ExactResumeHook'),
    visualization=dict(type='SegVisualizationHook', interval=1),
    description=dict(type='sod_plugins.DescriptionHook'),
    finite_loss=dict(type='sod_plugins.FiniteLossHook'),
)
log_processor = dict(by_epoch=True)

# PiCANet's 40,000 iterations (Sec. 5.3): the encoder, which is trained already, moves ten times
# slower than the decoder.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=5e-4),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))),
)
param_scheduler = [dict(type='MultiStepLR', milestones=[20000, 30000], by_epoch=False)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=40000, val_interval=5000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=1000, max_keep_ckpts=2),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    exact_resume=dict(type='sod_plugins.ExactResumeHook'),
    visualization=dict(type='SegVisualizationHook', interval=1),
    description=dict(type='sod_plugins.DescriptionHook'),
    finite_loss=dict(type='sod_plugins.FiniteLossHook'),
)
log_processor = dict(by_epoch=False)

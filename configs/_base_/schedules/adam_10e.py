# ITDBU's 10 epochs (Sec. 3.2). The paper names neither optimizer nor learning rate. Adam does not
# depend on the scale of the loss, which is a sum over 10 to 84 maps, by N and T; a trained backbone
# moves ten times slower than the rest.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='Adam', lr=1e-4, weight_decay=5e-4),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=500),
    dict(type='PolyLR', power=0.9, eta_min=1e-6, begin=0, end=10, convert_to_iter_based=True),
]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=10, val_interval=1)
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

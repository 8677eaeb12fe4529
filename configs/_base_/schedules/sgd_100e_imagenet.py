# The recipe of ResNet's paper (He et al., CVPR 2016, Sec. 3.4) for batches of 256 on ImageNet: SGD
# with momentum 0.9, weight decay 1e-4 and learning rate 0.1, divided by 10 every 30 epochs.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=1e-4),
)
param_scheduler = [dict(type='MultiStepLR', milestones=[30, 60, 90], gamma=0.1, by_epoch=True)]
# Scales the learning rate with the batch where auto_scale_lr.enable=True.
auto_scale_lr = dict(base_batch_size=256, enable=False)
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=100, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=100),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='CheckpointHook', by_epoch=True, interval=1, max_keep_ckpts=2),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    exact_resume=dict(type='sod_plugins.ExactResumeHook'),
    description=dict(type='sod_plugins.DescriptionHook'),
    finite_loss=dict(type='sod_plugins.FiniteLossHook'),
    check_classes=dict(type='sod_plugins.CheckClassesHook'),
)
log_processor = dict(by_epoch=True)

# CSNet x1.5 that classifies, its channels learned by dynamic decay: the CLS model of Tab. 4.
_base_ = [
    '../_base_/models/image_classifier.py',
    '../_base_/datasets/duts_classes.py',
    '../_base_/schedules/adam_300e_classes.py',
    '../_base_/default_runtime_mmengine.py',
]
num_classes = 10
model = dict(
    backbone=dict(type='sod_plugins.CSNet', width=1.5),
    neck=dict(type='sod_plugins.CSFNeck', in_channels=(60, 120, 120)),
    in_channels=100,
    num_classes=num_classes,
)
optim_wrapper = dict(constructor='sod_plugins.DynamicWeightDecayConstructor')
custom_hooks = [dict(type='sod_plugins.DynamicWeightDecayHook')]
# The paper trains ten times its 300 epochs, since there are but 644 images.
param_scheduler = [dict(type='MultiStepLR', milestones=[2000, 2500], gamma=0.1, by_epoch=True)]
train_cfg = dict(max_epochs=3000, val_interval=100)

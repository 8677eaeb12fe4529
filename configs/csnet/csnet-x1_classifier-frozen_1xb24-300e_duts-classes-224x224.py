# CSNet x1 that classifies by what it knows of saliency: the FC layer alone is trained (Tab. 3).
_base_ = [
    '../_base_/models/image_classifier.py',
    '../_base_/datasets/duts_classes.py',
    '../_base_/schedules/adam_300e_classes.py',
    '../_base_/default_runtime_mmengine.py',
]
num_classes = 10
model = dict(
    backbone=dict(type='sod_plugins.CSNet', width=1.0),
    neck=dict(type='sod_plugins.CSFNeck', in_channels=(40, 80, 80)),
    in_channels=65,
    num_classes=num_classes,
    frozen=(
        'backbone.net.stages.0',
        'backbone.net.stages.1',
        'backbone.net.stages.2',
        'backbone.net.stages.3',
        'neck',
    ),
    init_cfg=dict(
        type='sod_plugins.SaliencyWeights',
        checkpoint='work_dirs/csnet-x1_1xb24-300e_duts-224x224/epoch_300.pth',
    ),
)

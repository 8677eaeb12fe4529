# The extractor of CSNet x1.5, trained to classify ImageNet by ResNet's recipe (Sec. 5.4; the paper
# does not say by which).
_base_ = [
    '../_base_/models/image_classifier.py',
    '../_base_/datasets/imagenet.py',
    '../_base_/schedules/sgd_100e_imagenet.py',
    '../_base_/default_runtime_mmengine.py',
]
model = dict(backbone=dict(type='sod_plugins.CSNet', width=1.5), in_channels=120)

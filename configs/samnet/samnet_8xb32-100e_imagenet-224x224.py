# SAMNet's backbone, trained to classify ImageNet by ResNet's recipe, as its paper does (Sec. IV-A).
_base_ = [
    '../_base_/models/image_classifier.py',
    '../_base_/datasets/imagenet.py',
    '../_base_/schedules/sgd_100e_imagenet.py',
    '../_base_/default_runtime_mmengine.py',
]
model = dict(
    # Fresh weights do not train at this learning rate without zero_init_residual.
    backbone=dict(type='sod_plugins.SAMNet', zero_init_residual=True),
    in_channels=128,
)

# S4Net on ResNet-50 as in the paper: conv3 to conv6, ternary RoIMasking with alpha = 1/3, the
# segmentation branch of Fig. 2(c), 20 proposals. A config may put another backbone in its place.
data_preprocessor = dict(
    type='DetDataPreprocessor',
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
    pad_mask=True,
    pad_size_divisor=32,
)
model = dict(
    type='sod_plugins.S4Net',
    data_preprocessor=data_preprocessor,
    backbone=dict(
        type='sod_plugins.ResNet',
        depth=50,
        out_indices=(2, 3, 4),
        norm_eval=True,
        init_cfg=dict(
            type='sod_plugins.BackboneWeights',
            checkpoint='https://download.pytorch.org/models/resnet50-0676ba61.pth',
        ),
    ),
    neck=dict(type='sod_plugins.S4NetFPN', in_channels=(512, 1024, 2048)),
    bbox_head=dict(type='sod_plugins.S4NetHead'),
    roi_extractor=dict(type='sod_plugins.RoIMasking'),
    mask_head=dict(type='sod_plugins.S4NetMaskHead'),
)

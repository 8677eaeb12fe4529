# The U-Net of Tab. 3: VGG-16 without dilation, whose Fc7 has 12x12 pixels at 384x384, and PiCANet's
# decoders D6 to D3, the last at a quarter of the input's size.
data_preprocessor = dict(
    type='SegDataPreProcessor',
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
    size_divisor=1,  # all images have one size: nothing is padded
)
model = dict(
    type='EncoderDecoder',
    data_preprocessor=data_preprocessor,
    backbone=dict(
        type='sod_plugins.VGG',
        out_indices=(2, 3, 4, 5),
        pool_size=3,
        fc_channels=1024,
        pre_activation=True,
        init_cfg=dict(
            type='sod_plugins.BackboneWeights',
            checkpoint='https://download.pytorch.org/models/vgg16-397923af.pth',
        ),
    ),
    decode_head=dict(
        type='sod_plugins.PiCANetUNetHead',
        in_channels=(256, 512, 512, 1024),
        out_channels=128,
        num_classes=21,
        setting='U-Net',
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)

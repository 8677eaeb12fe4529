# PiCANet as its paper has it: VGG-16 with DeepLab's changes, GAP in D6 and AC in D5 to D2.
# 57,145,278 parameters, of which 36,661,374 are the decoder's.
data_preprocessor = dict(
    type='SegDataPreProcessor',
    mean=[123.675, 116.28, 103.53],  # RGB
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
    size_divisor=1,  # all images have one size: nothing is padded
)
model = dict(
    type='sod_plugins.SaliencySegmentor',
    data_preprocessor=data_preprocessor,
    backbone=dict(
        type='sod_plugins.VGG',
        depth=16,
        out_indices=(0, 1, 2, 3, 4, 5),
        pool_size=3,
        pool_strides=(2, 2, 2, 1, 1),
        dilations=(1, 1, 1, 1, 2),
        fc_channels=1024,
        fc_dilation=12,
        pre_activation=True,
        init_cfg=dict(
            type='sod_plugins.BackboneWeights',
            checkpoint='https://download.pytorch.org/models/vgg16-397923af.pth',
        ),
    ),
    decode_head=dict(
        type='sod_plugins.PiCANetHead',
        in_channels=(64, 128, 256, 512, 512, 1024),
        in_strides=(1, 2, 4, 8, 8, 8),
        setting='6GAP_5432AC',
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)

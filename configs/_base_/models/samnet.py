# SAMNet in the released layout: 1,330,129 parameters.
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
    # Fresh weights learn far faster where every SAM module begins as the identity.
    backbone=dict(type='sod_plugins.SAMNet', zero_init_residual=True),
    decode_head=dict(type='sod_plugins.SAMNetHead', in_channels=(16, 32, 64, 96, 128)),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)

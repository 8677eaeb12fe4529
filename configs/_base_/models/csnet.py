# CSNet x1 in the released layout: 210,985 parameters.
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
    backbone=dict(type='sod_plugins.CSNet', width=1.0),
    decode_head=dict(type='sod_plugins.CSFHead', in_channels=(40, 80, 80)),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)

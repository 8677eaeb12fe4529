# ITDBU on VGG-16: convGRU, N = 3 iterations, T = 2 steps, sharing strategy ii. Of 15,121,913
# parameters 407,225 are the decoder's. A config may put another backbone in VGG's place.
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
        init_cfg=dict(
            type='sod_plugins.BackboneWeights',
            checkpoint='https://download.pytorch.org/models/vgg16-397923af.pth',
        ),
    ),
    decode_head=dict(
        type='sod_plugins.ITDBUHead',
        in_channels=(64, 128, 256, 512, 512),
        cell='gru',
        iterations=3,
        steps=2,
        sharing='ii',
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)

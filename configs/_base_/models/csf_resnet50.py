# CSF+R: the cross-stage fusion of CSNet on ResNet-50, 36,367,169 parameters.
data_preprocessor = dict(
    type='SegDataPreProcessor',
    mean=[123.675, 116.28, 103.53],  # RGB
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
    size_divisor=1,  # one image at a time: nothing is padded
)
model = dict(
    type='sod_plugins.SaliencySegmentor',
    data_preprocessor=data_preprocessor,
    backbone=dict(
        type='sod_plugins.ResNet',
        depth=50,
        out_indices=(1, 2, 3, 4),
        norm_eval=True,
        init_cfg=dict(
            type='sod_plugins.BackboneWeights',
            checkpoint='https://download.pytorch.org/models/resnet50-0676ba61.pth',
        ),
    ),
    decode_head=dict(
        type='sod_plugins.CSFHead',
        in_channels=(256, 512, 1024, 2048),
        fuse_channels=(128, 256, 512, 512),
        weight_scale=1,
        coarsening='bilinear',
        norm_cfg=dict(type='GN', num_groups=32),
        init_cfg=dict(type='Normal', layer='Conv2d', std=0.01),
        loss_decode=dict(
            type='CrossEntropyLoss', use_sigmoid=True, reduction='sum', loss_name='loss_bce'
        ),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)

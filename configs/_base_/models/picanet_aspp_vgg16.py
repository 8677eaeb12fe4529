# DeepLab-ASPP-L on VGG-16 at stride 8: Pool5 and the four branches of Fc6, Fc7 and Fc8 are the
# head's. The published start, DeepLab's reduction of VGG's fully connected layers, has no file of
# torchvision's form: Fc6 and Fc7 are drawn anew.
data_preprocessor = dict(
    type='SegDataPreProcessor',
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
    size=(321, 321),  # crops of small photos are padded in training
    seg_pad_val=255,
)
model = dict(
    type='EncoderDecoder',
    data_preprocessor=data_preprocessor,
    backbone=dict(
        type='sod_plugins.VGG',
        out_indices=(4,),
        pool_size=3,
        pool_strides=(2, 2, 2, 1, 1),
        dilations=(1, 1, 1, 1, 2),
        init_cfg=dict(
            type='sod_plugins.BackboneWeights',
            checkpoint='https://download.pytorch.org/models/vgg16-397923af.pth',
        ),
    ),
    decode_head=dict(
        type='sod_plugins.PiCANetASPPHead',
        in_channels=512,
        channels=1024,
        num_classes=21,
        pool=True,
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)

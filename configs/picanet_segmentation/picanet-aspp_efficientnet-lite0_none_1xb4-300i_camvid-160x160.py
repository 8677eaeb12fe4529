# DeepLab's branches alone (Tab. 3), narrow, on EfficientNet-Lite0 and few photos.
_base_ = [
    '../_base_/models/picanet_aspp_efficientnet-lite0.py',
    '../_base_/datasets/camvid_160x160.py',
    '../_base_/schedules/adam_300i.py',
    '../_base_/default_runtime.py',
]

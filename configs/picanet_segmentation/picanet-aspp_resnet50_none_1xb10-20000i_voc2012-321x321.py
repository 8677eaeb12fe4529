# DeepLab's four branches on mmseg's ResNet-50.
_base_ = [
    '../_base_/models/picanet_aspp_resnet50.py',
    '../_base_/datasets/voc2012_321x321.py',
    '../_base_/schedules/sgd_poly_20000i.py',
    '../_base_/default_runtime.py',
]

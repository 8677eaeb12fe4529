# DeepLab with large convolutions (Tab. 3): VOC 2012 val, 68.90 in the paper.
_base_ = [
    '../_base_/models/picanet_aspp_vgg16.py',
    '../_base_/datasets/voc2012_321x321.py',
    '../_base_/schedules/sgd_poly_20000i.py',
    '../_base_/default_runtime.py',
]
model = dict(decode_head=dict(context='LC'))

# The U-Net with GAP and AC (Tab. 3): VOC 2012 val, 72.78 in the paper.
_base_ = [
    '../_base_/models/picanet_unet_vgg16.py',
    '../_base_/datasets/voc2012_384x384.py',
    '../_base_/schedules/sgd_poly_20000i.py',
    '../_base_/default_runtime.py',
]
model = dict(decode_head=dict(setting='6GAP_543AC'))

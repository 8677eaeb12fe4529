# Mean and standard deviation of ImageNet's pixels, red, green, blue.
imagenet = dict(pixel_mean=[123.675, 116.28, 103.53], pixel_std=[58.395, 57.12, 57.375])

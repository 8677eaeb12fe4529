// From a photo and a map to what is shown, in pixels of the preview.

const TINT = [255, 0, 200]; // that of the service's overlays
const OPACITY = 0.5;
const BLUR = 0.02; // of the longer side, as the service does it

export function makeCanvas(width, height) {
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  return canvas;
}

export function contextOf(canvas) {
  return canvas.getContext('2d', { willReadFrequently: true });
}

// Draw an image at a size and return its pixels (RGBA).
export function pixelsOf(image, width, height) {
  const context = contextOf(makeCanvas(width, height));
  context.imageSmoothingQuality = 'high';
  context.drawImage(image, 0, 0, width, height);
  return context.getImageData(0, 0, width, height);
}

// The size at which an image is shown.
export function previewSize(width, height, most) {
  const scale = Math.min(1, most / Math.max(width, height));
  return [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
}

// Levels 0 to 255 of a map; with a threshold, 0 or 255.
export function levelsOf(map, threshold) {
  const levels = new Uint8ClampedArray(map.data.length / 4);
  for (let i = 0; i < levels.length; i += 1) {
    const level = map.data[4 * i];
    levels[i] = threshold === undefined ? level : level >= 255 * threshold ? 255 : 0;
  }
  return levels;
}

export function drawMap(levels, width, height) {
  const shown = new ImageData(width, height);
  for (let i = 0; i < levels.length; i += 1) {
    shown.data.fill(levels[i], 4 * i, 4 * i + 3);
    shown.data[4 * i + 3] = 255;
  }
  return shown;
}

export function drawOverlay(photo, levels) {
  const shown = new ImageData(new Uint8ClampedArray(photo.data), photo.width, photo.height);
  for (let i = 0; i < levels.length; i += 1) {
    const share = (OPACITY * levels[i]) / 255;
    for (let c = 0; c < 3; c += 1) {
      const value = shown.data[4 * i + c];
      shown.data[4 * i + c] = value + share * (TINT[c] - value);
    }
  }
  return shown;
}

export function drawCutout(photo, levels) {
  const shown = new ImageData(new Uint8ClampedArray(photo.data), photo.width, photo.height);
  for (let i = 0; i < levels.length; i += 1) {
    const alpha = Math.min(255, Math.max(0, 2 * levels[i] - 127)); // the contrast of the service
    shown.data[4 * i + 3] = (shown.data[4 * i + 3] * alpha + 127) / 255;
  }
  return shown;
}

// Paint what is behind a cut-out: a colour, the blurred photo, or an image that covers all.
export function paintBackground(context, background, photo) {
  const { width, height } = context.canvas;
  if (background.colour) {
    context.fillStyle = background.colour;
    context.fillRect(0, 0, width, height);
  } else if (background.blur) {
    const radius = BLUR * Math.max(width, height);
    context.filter = `blur(${radius}px)`;
    // A blur fades out at the edges, where a larger one below shows through.
    context.drawImage(photo, -2 * radius, -2 * radius, width + 4 * radius, height + 4 * radius);
    context.drawImage(photo, 0, 0, width, height);
    context.filter = 'none';
  } else if (background.image) {
    const image = background.image;
    const scale = Math.max(width / image.width, height / image.height);
    const [w, h] = [image.width * scale, image.height * scale];
    context.drawImage(image, (width - w) / 2, (height - h) / 2, w, h);
  }
}

// Instances of COCO's JSON: run lengths to pixels, colours, and which one is under the pointer.

const GOLDEN_RATIO = 0.618034; // as the service has it: neighbours' hues are far apart

export function instanceColour(index) {
  const hue = (0.85 + index * GOLDEN_RATIO) % 1;
  const channel = (n) => {
    const k = (n + 6 * hue) % 6;
    return Math.round(255 * 0.85 * (1 - 0.9 * Math.max(0, Math.min(k, 4 - k, 1))));
  };
  return [channel(5), channel(3), channel(1)];
}

// COCO's compressed run lengths: six bits a character, less the count two before.
export function runLengths(text) {
  const counts = [];
  for (let place = 0; place < text.length;) {
    let value = 0;
    let shift = 0;
    let more = true;
    while (more) {
      const bits = text.charCodeAt(place) - 48;
      value |= (bits & 0x1f) << shift;
      more = (bits & 0x20) !== 0;
      place += 1;
      shift += 5;
      if (!more && bits & 0x10) value |= -1 << shift;
    }
    if (counts.length > 2) value += counts[counts.length - 2];
    counts.push(value);
  }
  return counts;
}

// A mask of an annotation, row by row: 1 inside. Run lengths go down the columns.
export function maskOf(annotation) {
  const [height, width] = annotation.segmentation.size;
  const mask = new Uint8Array(height * width);
  let position = 0;
  runLengths(annotation.segmentation.counts).forEach((count, turn) => {
    if (turn % 2) {
      for (let i = position; i < position + count; i += 1) {
        mask[(i % height) * width + Math.floor(i / height)] = 1;
      }
    }
    position += count;
  });
  return { mask, width, height };
}

// The same mask at another size, by the nearest pixel.
export function resized({ mask, width, height }, newWidth, newHeight) {
  if (width === newWidth && height === newHeight) return mask;
  const smaller = new Uint8Array(newWidth * newHeight);
  for (let y = 0; y < newHeight; y += 1) {
    const row = Math.floor(((y + 0.5) * height) / newHeight) * width;
    for (let x = 0; x < newWidth; x += 1) {
      smaller[y * newWidth + x] = mask[row + Math.floor(((x + 0.5) * width) / newWidth)];
    }
  }
  return smaller;
}

// The levels of all instances together that are taken.
export function levelsTogether(masks, taken, length) {
  const levels = new Uint8ClampedArray(length);
  masks.forEach((mask, k) => {
    if (!taken[k]) return;
    for (let i = 0; i < length; i += 1) if (mask[i]) levels[i] = 255;
  });
  return levels;
}

// Which instance is at a pixel: the best of those there, or -1.
export function instanceAt(masks, place) {
  return masks.findIndex((mask) => mask[place]);
}

// Tint each instance that is taken in its colour; the one pointed at stands out.
export function drawInstances(photo, masks, taken, pointed) {
  const shown = new ImageData(new Uint8ClampedArray(photo.data), photo.width, photo.height);
  for (let k = masks.length - 1; k >= 0; k -= 1) {
    const share = k === pointed ? 0.7 : taken[k] ? 0.45 : 0;
    if (!share) continue;
    const colour = instanceColour(k);
    const mask = masks[k];
    for (let i = 0; i < mask.length; i += 1) {
      if (!mask[i]) continue;
      for (let c = 0; c < 3; c += 1) {
        const value = shown.data[4 * i + c];
        shown.data[4 * i + c] = value + share * (colour[c] - value);
      }
    }
  }
  return shown;
}

// The outline of a mask, in a colour, on nothing.
export function drawOutline(mask, width, height, colour) {
  const shown = new ImageData(width, height);
  const inside = (x, y) => x >= 0 && y >= 0 && x < width && y < height && mask[y * width + x];
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      if (!inside(x, y)) continue;
      const reach = 2;
      if (inside(x - reach, y) && inside(x + reach, y) && inside(x, y - reach) && inside(x, y + reach)) continue;
      shown.data.set([...colour, 255], 4 * (y * width + x));
    }
  }
  return shown;
}

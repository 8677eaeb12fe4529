// One photo with its result: what is decoded of it, and how it is drawn.

import * as inst from './instances.js';
import {
  contextOf, drawCutout, drawMap, drawOverlay, levelsOf, makeCanvas, paintBackground, pixelsOf, previewSize,
} from './pixels.js';

const PREVIEW = 1400; // pixels of the longer side on the screen

// A photo and its result, decoded at a size that suits the screen, or in full.
export class Shown {
  static async of(item, task, most = PREVIEW) {
    const shown = new Shown();
    shown.item = item;
    if (task === 'instances') {
      const found = JSON.parse(await item.result.text());
      Object.assign(shown, { fullWidth: found.width, fullHeight: found.height, annotations: found.annotations });
    } else {
      shown.mapImage = await createImageBitmap(item.result);
      Object.assign(shown, { fullWidth: shown.mapImage.width, fullHeight: shown.mapImage.height });
    }
    [shown.width, shown.height] = previewSize(shown.fullWidth, shown.fullHeight, most);
    const { width, height } = shown;
    try {
      shown.photoImage = await createImageBitmap(item.file);
    } catch {
      shown.photoImage = null; // of a format that the server reads and the browser does not
    }
    shown.photo = shown.photoImage ? pixelsOf(shown.photoImage, width, height) : new ImageData(width, height);
    if (shown.mapImage) shown.map = pixelsOf(shown.mapImage, width, height);
    else shown.masks = shown.annotations.map((one) => inst.resized(inst.maskOf(one), width, height));
    return shown;
  }

  close() {
    this.photoImage?.close();
    this.mapImage?.close();
  }

  levels(settings) {
    if (this.masks) return inst.levelsTogether(this.masks, settings.taken, this.width * this.height);
    return levelsOf(this.map, settings.hard ? settings.threshold : undefined);
  }

  // Draw a view on a canvas, at the size of what is decoded.
  draw(canvas, settings) {
    const { width, height } = this;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const context = contextOf(canvas);
    if (settings.view === 'map') {
      context.putImageData(drawMap(this.levels(settings), width, height), 0, 0);
    } else if (settings.view === 'overlay') {
      const drawn = this.masks
        ? inst.drawInstances(this.photo, this.masks, settings.taken, settings.pointed)
        : drawOverlay(this.photo, this.levels({ ...settings, hard: false }));
      context.putImageData(drawn, 0, 0);
    } else {
      const cutout = makeCanvas(width, height);
      cutout.getContext('2d').putImageData(drawCutout(this.photo, this.levels(settings)), 0, 0);
      context.clearRect(0, 0, width, height);
      paintBackground(context, settings.background, this.photoImage);
      context.drawImage(cutout, 0, 0);
    }
  }

  drawPhoto(canvas) {
    Object.assign(canvas, { width: this.width, height: this.height });
    contextOf(canvas).putImageData(this.photo, 0, 0);
  }

  // Outline the instance that is pointed at.
  drawMarks(canvas, pointed) {
    Object.assign(canvas, { width: this.width, height: this.height });
    if (!this.masks || pointed < 0) return;
    const colour = inst.instanceColour(pointed);
    contextOf(canvas).putImageData(
      inst.drawOutline(this.masks[pointed], this.width, this.height, colour), 0, 0,
    );
  }
}

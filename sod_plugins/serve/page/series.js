// Photos in a row: predicted two at a time, each with a state of its own.

import { predict, Refused } from './api.js';
import { makeCanvas } from './pixels.js';

const AT_ONCE = 2;
const THUMB = 232; // pixels across, for screens of two dots a pixel

export class Series {
  // `changed(item)` is called whenever the state of a photo changes, or with nothing for all.
  constructor({ options, limits, changed }) {
    Object.assign(this, { options, limits, changed, items: [], working: 0 });
    this.control = new AbortController();
  }

  add(files) {
    const added = [...files].map((file) => ({ file, name: file.webkitRelativePath || file.name, state: 'waiting' }));
    this.items.push(...added);
    this.control = this.control.signal.aborted ? new AbortController() : this.control;
    this.changed();
    this.goOn();
    return added;
  }

  // Leave out what waits; what is being worked on is given up.
  stop() {
    this.control.abort(new DOMException('stopped', 'AbortError'));
    this.items = this.items.filter((item) => item.state === 'done' || item.state === 'failed');
    this.changed();
  }

  get finished() {
    return this.items.filter((item) => item.state === 'done' || item.state === 'failed').length;
  }

  get done() {
    return this.items.filter((item) => item.state === 'done');
  }

  goOn() {
    while (this.working < AT_ONCE) {
      const item = this.items.find((one) => one.state === 'waiting');
      if (!item) return;
      this.working += 1;
      this.work(item).finally(() => {
        this.working -= 1;
        this.goOn();
      });
    }
  }

  async work(item) {
    this.set(item, { state: 'working' });
    try {
      if (item.file.size > this.limits.bytes) {
        throw new Refused(`The photo has more than the ${this.limits.bytes.toLocaleString()} bytes that are taken.`);
      }
      const waiting = (seconds) => this.set(item, { note: `busy, again in ${seconds} s` });
      const { signal } = this.control;
      const [result, thumb] = await Promise.all([
        predict(item.file, this.options, { signal, waiting }), thumbOf(item.file),
      ]);
      this.set(item, { state: 'done', result, thumb, note: '' });
    } catch (error) {
      if (error.name !== 'AbortError') this.set(item, { state: 'failed', note: error.message });
    }
  }

  set(item, values) {
    Object.assign(item, values);
    this.changed(item);
  }
}

// A small version of a photo, or nothing where the browser cannot show it.
async function thumbOf(file) {
  try {
    const image = await createImageBitmap(file, { resizeWidth: THUMB, resizeQuality: 'medium' });
    const canvas = makeCanvas(image.width, image.height);
    canvas.getContext('2d').drawImage(image, 0, 0);
    image.close();
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, 'image/jpeg', 0.8));
    return URL.createObjectURL(blob);
  } catch {
    return '';
  }
}

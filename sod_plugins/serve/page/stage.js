// The photo on the stage, before and after.

import { instanceAt } from './instances.js';
import { listInstances, point, toggle } from './picking.js';
import { $, complain, NAMES, state, takenAtFirst } from './state.js';
import { updateTile } from './strip.js';
import { Shown } from './viewer.js';

// Put a photo on the stage; nothing empties it.
export function select(item) {
  const before = state.wanted;
  state.wanted = item ?? null;
  if (before && state.series.items.includes(before)) updateTile(before);
  if (!item) {
    $('work').hidden = true;
    document.body.dataset.state = 'empty';
    return;
  }
  updateTile(item);
  show(item);
}

// Show a photo in the state that it is in.
export async function show(item) {
  complain(item.state === 'failed' ? `${item.name}: ${item.note}` : '');
  $('caption').textContent = item.name;
  $('viewer').hidden = item.state === 'failed';
  $('panel').hidden = item.state === 'failed';
  setBusy(true);
  if (item.state !== 'done') return;
  const next = await Shown.of(item, state.about.model.task);
  if (item !== state.wanted) {
    next.close();
    return;
  }
  state.shown?.close();
  state.shown = next;
  if (state.shown.masks) {
    state.settings.taken = takenAtFirst(state.shown.annotations);
    state.settings.pointed = -1;
    listInstances();
  }
  if (!state.shown.photoImage) complain('This browser cannot show this kind of photo; the map and all downloads are right.');
  $('caption').textContent = `${item.name}, ${state.shown.fullWidth} × ${state.shown.fullHeight}`;
  $('frame').style.setProperty('--ratio', state.shown.fullWidth / state.shown.fullHeight);
  $('frame').style.setProperty('--natural', `${state.shown.fullWidth}px`);
  setBusy(false);
  state.shown.drawPhoto($('before'));
  $('before').setAttribute('aria-label', `Photo ${item.name}`);
  render();
}

function setBusy(busy) {
  $('stage').setAttribute('aria-busy', String(busy));
  $('download').disabled = busy;
}

let due = false;

// Draw the stage anew, before the next frame.
export function render() {
  if (due) return;
  due = true;
  requestAnimationFrame(() => {
    due = false;
    if (!state.shown) return;
    state.shown.draw($('after'), state.settings);
    state.shown.drawMarks($('marks'), state.settings.pointed);
    $('after').setAttribute('aria-label', `${NAMES[state.settings.view]} of ${state.shown.item.name}`);
    $('download').textContent = NAMES[state.settings.view];
  });
}

export function listenToStage() {
  const split = $('split');
  const move = () => $('frame').style.setProperty('--split', `${split.value}%`);
  split.addEventListener('input', move);
  move();
  const drag = (event) => {
    const box = $('frame').getBoundingClientRect();
    split.value = (100 * (event.clientX - box.left)) / box.width;
    move();
  };
  $('handle').addEventListener('pointerdown', (event) => {
    $('handle').setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  $('handle').addEventListener('pointermove', (event) => {
    if ($('handle').hasPointerCapture(event.pointerId)) drag(event);
  });
  const under = (event) => {
    if (!state.shown?.masks || $('handle').contains(event.target)) return -1;
    const box = $('frame').getBoundingClientRect();
    const x = Math.floor(((event.clientX - box.left) / box.width) * state.shown.width);
    const y = Math.floor(((event.clientY - box.top) / box.height) * state.shown.height);
    return instanceAt(state.shown.masks, y * state.shown.width + x);
  };
  $('frame').addEventListener('pointermove', (event) => point(under(event)));
  $('frame').addEventListener('pointerleave', () => point(-1));
  $('frame').addEventListener('click', (event) => toggle(under(event)));
}

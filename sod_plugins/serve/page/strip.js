// The photos in a row, and how far they are.

import { select, show } from './stage.js';
import { $, say, state } from './state.js';

const STATES = { waiting: 'waiting', working: 'working…', done: 'done', failed: 'failed' };

function tile(item) {
  if (item.tile) return item.tile;
  const button = Object.assign(document.createElement('button'), { type: 'button' });
  button.append(
    Object.assign(document.createElement('img'), { className: 'thumb', alt: '' }),
    Object.assign(document.createElement('span'), { className: 'name', textContent: item.name }),
    Object.assign(document.createElement('span'), { className: 'state' }),
  );
  button.title = item.name;
  button.addEventListener('click', () => select(item));
  item.tile = document.createElement('li');
  item.tile.append(button);
  return item.tile;
}

export function updateTile(item) {
  const button = tile(item).firstChild;
  const [thumb, , note] = button.children;
  thumb.hidden = !item.thumb;
  if (item.thumb && thumb.src !== item.thumb) thumb.src = item.thumb;
  note.textContent = item.state === 'working' && item.note ? item.note : STATES[item.state];
  button.classList.toggle('failed', item.state === 'failed');
  button.setAttribute('aria-current', String(item === state.wanted));
}

export function updateSeries(item) {
  const { items, finished } = state.series;
  if (!item) {
    $('strip').replaceChildren(...items.map(tile));
    items.forEach(updateTile);
    if (state.wanted && !items.includes(state.wanted)) select(items[0]);
  } else updateTile(item);
  $('series').hidden = items.length < 2;
  $('download-all').hidden = state.series.done.length < 2;
  $('progress').max = items.length || 1;
  $('progress').value = finished;
  const failed = items.filter((one) => one.state === 'failed').length;
  $('progress-text').textContent = `${finished} of ${items.length} photos${failed ? `, ${failed} failed` : ''}`;
  $('stop').hidden = finished === items.length;
  if (item?.state === 'done' || item?.state === 'failed') {
    say(items.length > 1 ? `${item.name}: ${item.state}, ${finished} of ${items.length}` : `${item.name}: ${item.state}`);
    if (item === state.wanted) show(item);
  }
}

// Calls of the service, patient where it says that it is busy.

const PATIENCE = 8; // times that an image is sent again

export class Refused extends Error {}

async function sentenceOf(answer) {
  try {
    return (await answer.json()).detail;
  } catch {
    return `The service answered with ${answer.status}.`;
  }
}

export async function model() {
  const answer = await fetch('api/model');
  if (!answer.ok) throw new Refused(await sentenceOf(answer));
  return answer.json();
}

// Send an image and return the answer's blob. `options` are those of /api/predict.
export async function predict(file, options, { signal, background, waiting = () => {} } = {}) {
  const form = new FormData();
  form.append('file', file, file.name || 'photo');
  if (background) form.append('background', background);
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined && value !== '') form.append(name, String(value));
  }
  for (let attempt = 0; ; attempt += 1) {
    let answer;
    try {
      answer = await fetch('api/predict', { method: 'POST', body: form, signal });
    } catch (error) {
      if (error.name === 'AbortError') throw error;
      throw new Refused('The service cannot be reached. Is it running?');
    }
    if (answer.ok) return answer.blob();
    const busy = answer.status === 429 || answer.status === 503;
    if (!busy || attempt >= PATIENCE) throw new Refused(await sentenceOf(answer));
    const seconds = Number(answer.headers.get('Retry-After')) || 2;
    waiting(seconds);
    await new Promise((resolve, reject) => {
      const timer = setTimeout(resolve, 1000 * seconds);
      signal?.addEventListener('abort', () => {
        clearTimeout(timer);
        reject(signal.reason);
      }, { once: true });
    });
  }
}

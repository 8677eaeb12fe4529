// A drawn photo, to try the page without one.

import { makeCanvas } from './pixels.js';

export async function drawSample() {
  const canvas = makeCanvas(1200, 900);
  const c = canvas.getContext('2d');
  const sky = c.createLinearGradient(0, 0, 0, 620);
  sky.addColorStop(0, '#6fa8dc');
  sky.addColorStop(1, '#e8f1f8');
  c.fillStyle = sky;
  c.fillRect(0, 0, 1200, 900);
  const hills = [['#9dbb93', 560, 60, 190], ['#7ea276', 640, 45, 140], ['#5f8559', 730, 35, 230]];
  hills.forEach(([colour, base, swing, wave], k) => {
    c.fillStyle = colour;
    c.beginPath();
    c.moveTo(0, 900);
    for (let x = 0; x <= 1200; x += 10) c.lineTo(x, base + swing * Math.sin(x / wave + 2 * k));
    c.lineTo(1200, 900);
    c.fill();
  });
  const balloon = c.createRadialGradient(590, 250, 30, 640, 330, 230);
  balloon.addColorStop(0, '#ff9c6b');
  balloon.addColorStop(0.6, '#d8402b');
  balloon.addColorStop(1, '#8f1f1a');
  c.fillStyle = balloon;
  c.beginPath();
  c.moveTo(575, 555);
  c.bezierCurveTo(430, 430, 400, 130, 640, 130);
  c.bezierCurveTo(880, 130, 850, 430, 705, 555);
  c.closePath();
  c.fill();
  c.save();
  c.clip();
  c.fillStyle = 'rgb(255 236 200 / 85%)';
  for (const x of [500, 618, 736]) {
    c.beginPath();
    c.ellipse(x, 340, 22, 260, 0, 0, 7);
    c.fill();
  }
  c.restore();
  c.strokeStyle = '#5a4634';
  c.lineWidth = 4;
  for (const [from, to] of [[585, 604], [695, 676]]) {
    c.beginPath();
    c.moveTo(from, 550);
    c.lineTo(to, 622);
    c.stroke();
  }
  c.fillStyle = '#8a6138';
  c.beginPath();
  c.roundRect(600, 620, 80, 62, 8);
  c.fill();
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, 'image/jpeg', 0.93));
  return new File([blob], 'balloon.jpg', { type: 'image/jpeg' });
}

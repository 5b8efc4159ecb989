import { crc32, deflateSync } from 'node:zlib';
import { encode } from 'uqr';

/** Light modules around the code, as its standard (ISO 18004) wants. */
const QUIET_MODULES = 4;
/** Of the picture made of dots: sharp on paper and on any screen. */
const PNG_PIXELS_A_MODULE = 12;

/** True for a dark module; a square. */
type Modules = readonly (readonly boolean[])[];

function modulesOf(text: string): Modules {
  return encode(text, { ecc: 'M', border: QUIET_MODULES }).data;
}

/** Black on white whatever the page's colors are: scanners want it so. */
export function qrCodeSvg(text: string): string {
  const modules = modulesOf(text);
  const size = modules.length;
  const dark = modules.flatMap((row, y) => row.flatMap((isDark, x) => (isDark ? [[x, y]] : [])));
  const path = dark.map(([x, y]) => `M${x} ${y}h1v1h-1z`).join('');
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size} ${size}" shape-rendering="crispEdges">` +
    `<rect width="${size}" height="${size}" fill="#fff"/><path d="${path}" fill="#000"/></svg>`
  );
}

const PNG_SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/** The same in one bit a pixel (PNG, ISO 15948). */
export function qrCodePng(text: string): Buffer {
  const modules = modulesOf(text);
  const size = modules.length * PNG_PIXELS_A_MODULE;
  const header = Buffer.alloc(13);
  header.writeUInt32BE(size, 0);
  header.writeUInt32BE(size, 4);
  // One bit, grayscale; the rest is the only choice there is.
  header.set([1, 0, 0, 0, 0], 8);
  const rows = modules.flatMap((row) => {
    const line = scanLine(row, size);
    return Array.from({ length: PNG_PIXELS_A_MODULE }, () => line);
  });
  return Buffer.concat([
    PNG_SIGNATURE,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.concat(rows))),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** One row of pixels behind its filter type, which is none. A set bit is white. */
function scanLine(row: readonly boolean[], size: number): Buffer {
  const line = Buffer.alloc(1 + Math.ceil(size / 8));
  for (let x = 0; x < size; x += 1) {
    const isDark = row[Math.floor(x / PNG_PIXELS_A_MODULE)] ?? false;
    const at = 1 + (x >> 3);
    if (!isDark) line[at] = (line[at] ?? 0) | (0x80 >> (x & 7));
  }
  return line;
}

function chunk(type: string, data: Buffer): Buffer {
  const typed = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(typed));
  return Buffer.concat([length, typed, sum]);
}

/**
 * Turns src into dist, file by file, so that a start loads no compiler. Types are stripped,
 * not checked (`npm run check:types` does that). What is no TypeScript is copied.
 *
 * `node config/build.mjs` builds; `ensureBuilt()` builds only when src or the installed
 * packages changed since, which it tells from names, sizes and times of all files.
 */
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const SRC = join(ROOT, 'src');
const DIST = join(ROOT, 'dist');
const STAMP = join(DIST, '.built-from');

/**
 * Packages of hundreds of small files, which take longer to open than to run: each is drawn
 * into one file, with what they share. Nothing else may import them at run time.
 */
const VENDORED = ['typebox', 'typebox/compile', '@fastify/type-provider-typebox'];
const vendorName = (name) => name.replaceAll(/[@/]+/g, '-').replace(/^-/, '');

/** Builds when needed. Resolves to the path of the built entry. */
export async function ensureBuilt() {
  const entry = join(DIST, 'main.js');
  // An image carries dist without src.
  if (!existsSync(SRC)) return entry;
  const files = sources();
  const stamp = stampOf(files);
  const built = existsSync(STAMP) ? readFileSync(STAMP, 'utf8') : '';
  if (built !== stamp) await build(files, stamp);
  return entry;
}

function sources() {
  return readdirSync(SRC, { recursive: true, withFileTypes: true })
    .filter((file) => file.isFile() && !file.name.endsWith('.md'))
    .map((file) => join(file.parentPath ?? file.path, file.name))
    .sort();
}

function stampOf(files) {
  const hash = createHash('sha256');
  for (const file of [...files, join(ROOT, 'package-lock.json'), fileURLToPath(import.meta.url)]) {
    const { size, mtimeMs } = statSync(file);
    hash.update(`${relative(ROOT, file)} ${size} ${mtimeMs}\n`);
  }
  return hash.digest('hex');
}

async function build(files, stamp) {
  const { build: transform } = await import('esbuild').catch(() => {
    throw new Error('dist is older than src, and esbuild is not installed: run npm ci');
  });
  const out = `${DIST}.${process.pid}`;
  const common = {
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'warning',
  };
  await transform({
    ...common,
    entryPoints: VENDORED.map((name) => ({ in: name, out: vendorName(name) })),
    outdir: join(out, 'vendor'),
    splitting: true,
    absWorkingDir: ROOT,
  });
  await transform({
    ...common,
    entryPoints: files.filter((file) => file.endsWith('.ts')),
    outbase: SRC,
    outdir: out,
    packages: 'external',
    sourcemap: 'linked',
    plugins: [{ name: 'each file stays a file', setup: keepFiles }],
  });
  for (const file of files.filter((name) => !name.endsWith('.ts'))) {
    const target = join(out, relative(SRC, file));
    mkdirSync(dirname(target), { recursive: true });
    cpSync(file, target);
  }
  writeFileSync(join(out, '.built-from'), stamp);
  replaceDist(out);
}

/**
 * By two renames, so that whoever starts meanwhile finds the old build or the new one. When
 * somebody else's build comes in between, it is as good as ours.
 */
function replaceDist(out) {
  const old = `${out}.old`;
  try {
    if (existsSync(DIST)) renameSync(DIST, old);
    renameSync(out, DIST);
  } catch (error) {
    if (!existsSync(STAMP)) throw error;
  } finally {
    for (const folder of [old, out]) rmSync(folder, { recursive: true, force: true });
  }
}

/** Imports between our files point at the built ones and are not drawn in. */
function keepFiles(esbuild) {
  esbuild.onResolve({ filter: /^[@\w]/ }, ({ path, kind, importer }) => {
    if (kind === 'entry-point' || !VENDORED.includes(path)) return undefined;
    const vendor = join(SRC, 'vendor', `${vendorName(path)}.js`);
    const fromHere = relative(dirname(importer), vendor).replaceAll('\\', '/');
    return { path: fromHere.startsWith('.') ? fromHere : `./${fromHere}`, external: true };
  });
  esbuild.onResolve({ filter: /^\.{1,2}\/.*\.ts$/ }, ({ path, kind }) =>
    kind === 'entry-point' ? undefined : { path: path.replace(/\.ts$/, '.js'), external: true },
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await build(sources(), stampOf(sources()));

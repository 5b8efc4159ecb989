import { execFileSync } from 'node:child_process';
import { cpus, loadavg } from 'node:os';
import { benchApi } from './api.ts';
import { benchBilling } from './billing.ts';
import { benchFlood } from './flood.ts';
import { benchGrowth } from './growth.ts';
import { benchMedia, type MediaBenchResult } from './media.ts';
import { findChromium } from '../support/browser.ts';
import { type Percentiles, percentiles } from './percentiles.ts';
import { measurePacketCosts } from './packet-costs.ts';
import { benchSignaling, benchSippReference } from './signaling.ts';
import { measureBargeIn, measureFirstAudio, measureListeningCpu, measureTurns } from './speech.ts';
import { benchStart } from './start.ts';
import { benchStubCalls } from './stub-calls.ts';
import { benchStorage } from './storage.ts';
import { benchTrunks } from './trunks.ts';
import { benchWebCalls, startJanus, startTrunkline } from './web-calls.ts';
import { benchWholeCalls } from './whole-calls.ts';

/** Silence that the gateway waits for after a sentence that sounds complete. */
const SILENCE_WINDOW_MS = 160;

/** `npm run bench -- [section…]`; without a name, all of them, one after the other. */
const SECTIONS: Readonly<Record<string, () => Promise<void>>> = {
  signaling,
  trunks,
  media,
  speech,
  'stub-calls': stubCalls,
  browser,
  calls,
  storage,
  api,
  billing,
  start,
  flood: floodSection,
  growth,
};

const names = process.argv.slice(2);
const unknown = names.filter((name) => !Object.hasOwn(SECTIONS, name));
if (unknown.length > 0) {
  console.error(
    `No section ${unknown.join(', ')}. There are: ${Object.keys(SECTIONS).join(', ')}.`,
  );
  process.exitCode = 1;
} else {
  console.log(`Node ${process.version}, ${cpus().length} cores of ${cpus()[0]?.model ?? '?'}`);
  for (const [name, run] of Object.entries(SECTIONS)) {
    if (names.length > 0 && !names.includes(name)) continue;
    console.log(`\n## ${name} (load ${loadavg()[0]?.toFixed(1)})`);
    await run();
  }
}

type Row = Readonly<Record<string, string | number>>;

/** A plain table: columns by the first row, numbers to the right. */
function print(rows: readonly Row[]): void {
  const columns = Object.keys(rows[0] ?? {});
  const lines = [
    columns,
    ...rows.map((row) => columns.map((column) => String(row[column] ?? '-'))),
  ];
  const widths = columns.map((_, at) => Math.max(...lines.map((line) => line[at]?.length ?? 0)));
  for (const line of lines) {
    const cells = line.map((cell, at) =>
      /^-?[\d.]+$/.test(cell) ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0),
    );
    console.log(cells.join('  ').trimEnd());
  }
}

function rounded(value: number, digits = 2): string {
  return Number.isFinite(value) ? value.toFixed(digits) : '-';
}

function percentileRow(what: string, { count, p50, p95, p99, max }: Percentiles, digits = 1): Row {
  const ms = [p50, p95, p99, max].map((value) => rounded(value, digits));
  return { what, count, p50: ms[0]!, p95: ms[1]!, p99: ms[2]!, max: ms[3]! };
}

async function signaling(): Promise<void> {
  const options = { callsPerSecond: 100, calls: 1_000 };
  const rows: Row[] = [];
  for (const [what, bench] of [
    ['engine and drachtio-srf', benchSignaling],
    ['SIPp UAS (reference)', benchSippReference],
  ] as const) {
    const figures = await bench(options);
    rows.push({
      what,
      calls: figures.completed,
      'CPU ms/call': rounded(figures.cpuPerCallMs, 3),
      'of the first 400':
        figures.coldCpuPerCallMs === undefined ? '' : rounded(figures.coldCpuPerCallMs, 3),
      'answer p50 ms': rounded(figures.answerP50Ms, 1),
      'answer p99 ms': rounded(figures.answerP99Ms, 1),
    });
  }
  print(rows);
}

async function trunks(): Promise<void> {
  const figures = await benchTrunks({ registrations: 500, calls: 2_000, atOnce: 50 });
  print([
    {
      registered: figures.registered,
      'all within ms': rounded(figures.allRegisteredMs, 0),
      'CPU ms/registration': rounded(figures.cpuPerRegistrationMs, 3),
      'CPU % held': rounded(figures.cpuHeldMsPerSecond / 10, 2),
      'calls/s': rounded(figures.callsPerSecond, 0),
      'CPU ms/call': rounded(figures.cpuPerCallMs, 3),
    },
  ]);
  print([percentileRow('INVITE to 200, ms', figures.setupMs)]);
}

async function media(): Promise<void> {
  const rows: Row[] = [];
  for (const legs of [1, 50, 100]) {
    rows.push(mediaRow(await benchMedia('plain-node', 'pcmu', legs)));
    rows.push(mediaRow(await benchMedia('trunkline', 'pcmu', legs)));
    for (const suite of ['AES_CM_128_HMAC_SHA1_80', 'AEAD_AES_128_GCM'] as const) {
      rows.push(mediaRow(await benchMedia('trunkline', 'pcmu', legs, { suite })));
    }
    rows.push(mediaRow(await benchMedia('trunkline', 'g722', legs)));
    rows.push(mediaRow(await benchMedia('trunkline', 'opus', legs)));
  }
  print(rows);
  print(
    measurePacketCosts().map(({ what, microseconds }) => ({ what, µs: rounded(microseconds) })),
  );
}

function mediaRow(result: MediaBenchResult): Row {
  const { p50, p99, p999 } = result.pacingMs;
  return {
    what: result.name,
    legs: result.legs,
    '% core/leg': rounded(result.cpuPercentPerLeg, 3),
    'pacing p50 ms': rounded(p50),
    p99: rounded(p99),
    'p99.9': rounded(p999),
    'GC max ms': rounded(result.gcMaxMs),
    'KiB/leg': rounded(result.memoryKibPerLeg, 0),
    'waited for a core %': rounded(result.waitingForCorePercent, 1),
  };
}

async function browser(): Promise<void> {
  const rows: Row[] = [];
  for (const [what, start] of [
    ['WebRTC leg', startTrunkline],
    ['Janus echo test (reference)', startJanus],
  ] as const) {
    for (const calls of [1, 20, 50]) {
      const server = await start();
      if (server === null) {
        console.log('Janus is not installed: no reference.');
        break;
      }
      try {
        const figures = await benchWebCalls(server, calls);
        rows.push({
          what,
          calls,
          'setup CPU ms': rounded(figures.setupCpuMs, 1),
          'answer p50 ms': rounded(figures.answerMs.p50, 1),
          'connected p50 ms': rounded(figures.connectedMs.p50, 1),
          'connected p95 ms': rounded(figures.connectedMs.p95, 1),
          '% core/call': rounded(figures.cpuPercentPerCall, 2),
          'KiB/call': rounded(figures.memoryKibPerCall, 0),
        });
      } finally {
        await server.stop();
      }
    }
  }
  print(rows);
  if (findChromium() === null) {
    console.log('Chromium is not installed: what a person waits for was not measured.');
    return;
  }
  const waits: Row[] = [];
  for (const transport of ['offer', 'sip-js', 'js-sip'] as const) {
    const what = `${transport}: call to first audio, ms`;
    waits.push(percentileRow(what, percentiles(firstAudioOf(transport))));
  }
  print(waits);
}

/** In a process of its own: a page is another world. */
function firstAudioOf(transport: string): readonly number[] {
  const script = new URL('../browser/first-audio.ts', import.meta.url).pathname;
  const args = ['--import', 'ts-blank-space/register', script, transport, '5'];
  const waits: unknown = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }));
  return Array.isArray(waits) ? waits.map(Number) : [];
}

async function speech(): Promise<void> {
  const { silentPercent, speechPercent } = await measureListeningCpu();
  print([
    { what: 'listening to silence', '% core': rounded(silentPercent, 3) },
    { what: 'listening to speech', '% core': rounded(speechPercent, 2) },
  ]);
  const [media, real] = [await measureTurns('media'), await measureTurns('real')];
  print([
    percentileRow('first audio of a clause, ms', await measureFirstAudio()),
    percentileRow('voice onset to hold, ms', await measureBargeIn()),
    percentileRow('end of speech to reply, engines free (reference)', media.latencyMs),
    percentileRow('end of speech to reply, real time', real.latencyMs),
  ]);
  console.log(`false cuts: ${real.falseCuts} of ${real.utterances}`);
}

async function stubCalls(): Promise<void> {
  const rows: Row[] = [];
  const wireRows: Row[] = [];
  for (const codec of ['pcmu', 'opus'] as const) {
    for (const count of [1, 50, 100]) {
      const figures = await benchStubCalls(codec, count);
      rows.push({
        what: `${codec} calls`,
        count,
        '% core/call': rounded(figures.cpuPercentPerCall, 3),
        'KiB/call': rounded(figures.memoryKibPerCall, 0),
        'waited for a core %': rounded(figures.waitingForCorePercent, 1),
        load: rounded(loadavg()[0] ?? 0, 1),
      });
      if (figures.wire === null) continue;
      const { pacingMs, greetingMs, turnMs, bargeInMs } = figures.wire;
      const name = `${count} ${codec}`;
      wireRows.push(
        percentileRow(`pacing of sound, ${name}`, pacingMs, 2),
        percentileRow(`200 to greeting, ${name}`, greetingMs),
        percentileRow(`voice's end to reply, less ${SILENCE_WINDOW_MS}, ${name}`, {
          ...turnMs,
          p50: turnMs.p50 - SILENCE_WINDOW_MS,
          p95: turnMs.p95 - SILENCE_WINDOW_MS,
          p99: turnMs.p99 - SILENCE_WINDOW_MS,
          max: turnMs.max - SILENCE_WINDOW_MS,
        }),
        percentileRow(`voice's onset to hold, ${name}`, bargeInMs),
      );
    }
  }
  rows.push(mediaRowOfReference(await benchMedia('plain-node', 'pcmu', 100)));
  print(rows);
  if (wireRows.length > 0) print(wireRows);
  else console.log('without tcpdump nothing is told of the wire');
}

async function calls(): Promise<void> {
  const rows: Row[] = [];
  const latencies: Row[] = [];
  for (const [codec, count] of [
    ['pcmu', 1],
    ['pcmu', 10],
    ['opus', 10],
  ] as const) {
    const figures = await benchWholeCalls(codec, count);
    rows.push({
      what: `${codec} calls`,
      count,
      '% core/call': rounded(figures.cpuPercentPerCall),
      'KiB/call': rounded(figures.memoryKibPerCall, 0),
    });
    latencies.push(percentileRow(`greeting, ${count} ${codec}`, figures.greetingMs));
    latencies.push(percentileRow(`reply, ${count} ${codec}`, figures.replyMs));
  }
  rows.push(mediaRowOfReference(await benchMedia('plain-node', 'pcmu', 10)));
  print(rows);
  print(latencies);
}

function mediaRowOfReference({ cpuPercentPerLeg, memoryKibPerLeg, legs }: MediaBenchResult): Row {
  return {
    what: 'plain Node RTP (reference)',
    count: legs,
    '% core/call': rounded(cpuPercentPerLeg),
    'KiB/call': rounded(memoryKibPerLeg, 0),
  };
}

async function storage(): Promise<void> {
  const figures = await benchStorage();
  print(
    figures.map(({ name, count, cpuMicrosecondsEach, elapsedMicrosecondsEach }) => ({
      what: name,
      count,
      'CPU µs': rounded(cpuMicrosecondsEach, 1),
      'elapsed µs': rounded(elapsedMicrosecondsEach, 1),
    })),
  );
}

async function api(): Promise<void> {
  const figures = await benchApi();
  print(
    figures.map(({ name, count, cpuMicrosecondsEach, ms }) => ({
      what: name,
      count,
      'CPU µs': rounded(cpuMicrosecondsEach, 0),
      'p50 ms': rounded(ms.p50),
      'p99 ms': rounded(ms.p99),
    })),
  );
}

async function billing(): Promise<void> {
  const { calls: count, cpuMicrosecondsPerCall, reads } = await benchBilling();
  console.log(`${count} calls written, ${rounded(cpuMicrosecondsPerCall, 0)} µs CPU each`);
  print(
    reads.map(({ name, ms }) => ({
      what: name,
      'p50 ms': rounded(ms.p50),
      'p99 ms': rounded(ms.p99),
    })),
  );
}

async function start(): Promise<void> {
  const { trunkline, node } = await benchStart();
  print([
    percentileRow('npm start to ready, ms', trunkline),
    percentileRow('node -e 0 (reference), ms', node),
  ]);
}

async function floodSection(): Promise<void> {
  const figures = await benchFlood();
  const { residentMib, heapMib } = figures;
  print([
    { what: 'packets', value: figures.packets },
    { what: 'transactions at most', value: figures.transactionsMost },
    { what: 'transactions 45 s later', value: figures.transactionsAfter },
    { what: 'dialogs 45 s later', value: figures.dialogsAfter },
    { what: 'requests refused with 503', value: figures.refused },
    { what: 'resident MiB before', value: rounded(residentMib.before, 1) },
    { what: 'resident MiB at most', value: rounded(residentMib.most, 1) },
    { what: 'resident MiB after', value: rounded(residentMib.after, 1) },
    { what: 'heap MiB before', value: rounded(heapMib.before, 1) },
    { what: 'heap MiB after', value: rounded(heapMib.after, 1) },
    { what: 'calls tried meanwhile', value: figures.callsTried },
    { what: 'calls answered meanwhile', value: figures.callsAnswered },
  ]);
}

async function growth(): Promise<void> {
  const { calls, before, after } = await benchGrowth();
  print(
    [
      { what: 'before', ...before },
      { what: `after ${calls} calls`, ...after },
    ].map(({ what, descriptors, residentMib, heapMib }) => ({
      what,
      descriptors,
      'resident MiB': rounded(residentMib, 1),
      'heap MiB': rounded(heapMib, 1),
    })),
  );
}

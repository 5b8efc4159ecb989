import type { Command } from 'commander';
import { type CliContext, segment, workOf } from '../command.ts';
import { type Fields, listIn, shown } from '../fields.ts';

const MARKS: Readonly<Record<string, string>> = {
  ok: 'ok  ',
  warn: 'WARN',
  fail: 'FAIL',
  skipped: '-   ',
};

export function addDoctor(program: Command, context: CliContext): void {
  const doctor = program.command('doctor').description('find out what is wrong, and what to do');

  doctor
    .command('trunk')
    .argument('<name>', 'of the settings')
    .option('--call <number>', 'call this number for a few seconds, to check audio both ways')
    .description('check a carrier: DNS, reach, certificate, OPTIONS, password, addresses, audio')
    .action(async (name: string, { call }: { readonly call?: string }, command: Command) => {
      const { api, out } = workOf(command, context);
      const query = call === undefined ? '' : `?test_number=${segment(call)}`;
      const found = await api.get(`/v1/trunks/${segment(name)}/diagnosis${query}`);
      if (out.isJson) return out.json(found);
      for (const check of listIn(found, 'checks'))
        for (const line of linesOf(check)) out.line(line);
    });
}

/** `WARN address        There is a NAT …`, and what to do in a line below. */
function linesOf(check: Fields): string[] {
  const mark = MARKS[shown(check['verdict'])] ?? '?   ';
  const name = shown(check['check']).padEnd(14);
  const line = `${mark} ${name} ${shown(check['summary'])}`;
  return check['fix'] === null ? [line] : [line, `${' '.repeat(19)} -> ${shown(check['fix'])}`];
}

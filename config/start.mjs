#!/usr/bin/env node
/**
 * Starts the daemon from dist, which is built first when src is newer; with a command it runs
 * that command instead. Neither loads the other.
 */
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensureBuilt } from './build.mjs';

process.setSourceMapsEnabled(true);
const daemon = await ensureBuilt();
const isCommand = process.argv.slice(2).some((argument) => !argument.startsWith('-'));
const entry = isCommand ? join(dirname(daemon), 'cli', 'main.js') : daemon;
await import(pathToFileURL(entry).href);

#!/usr/bin/env node
/** Starts the daemon from dist, which is built first when src is newer. */
import { pathToFileURL } from 'node:url';
import { ensureBuilt } from './build.mjs';

process.setSourceMapsEnabled(true);
await import(pathToFileURL(await ensureBuilt()).href);

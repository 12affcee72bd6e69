// Writes types/openapi.d.ts: the types of the calls, from the document that the program serves. ROLLCALL_PROGRAM names it.
import { mkdirSync, writeFileSync } from 'node:fs';
import openapiTS, { astToString } from 'openapi-typescript';
import { Home } from '../../tests/browser/program.mjs';

const home = new Home();
try {
  await home.start();
  const types = astToString(await openapiTS(new URL(`http://${home.listen}/openapi.json`)));
  mkdirSync(new URL('types', import.meta.url), { recursive: true });
  writeFileSync(new URL('types/openapi.d.ts', import.meta.url), types);
} finally {
  await home.stop();
}

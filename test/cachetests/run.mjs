// Runs the public suite of tests of HTTP caches (npm http-cache-tests) and
// prints a line of JSON a test: {"id","suite","kind","result","why"}.
//
//	node run.mjs PACKAGE-FOLDER BASE-URL
//	node run.mjs PACKAGE-FOLDER --results FILE   what somebody published
//
// The result is pass, fail, yes or no (of a kind that judges nothing), depends
// (a test that this one builds on failed), setup or retry.
import fs from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'

const [folder, base, file] = process.argv.slice(2)
const load = name => import(pathToFileURL(path.join(path.resolve(folder), name)).href)
const suites = [...(await load('tests/index.mjs')).default, (await load('tests/surrogate-control.mjs')).default]

let results
if (base === '--results') {
  results = JSON.parse(fs.readFileSync(file, 'utf8'))
} else {
  const { runTests, getResults } = await load('client/runner.mjs')
  const fetch = (await load('node_modules/node-fetch/lib/index.mjs').catch(() => load('../node-fetch/lib/index.mjs'))).default
  const log = console.log
  console.log = () => {} // the suite tells its progress there
  await runTests(suites, fetch, false, base.replace(/\/$/, ''))
  console.log = log
  results = getResults()
}

const tests = new Map(suites.flatMap(s => s.tests.map(t => [t.id, t])))

function judge (id, honour) {
  const test = tests.get(id)
  const r = results[id]
  if (!test || r === undefined) return 'untested'
  if (honour && (test.depends_on || []).some(d => !['pass', 'yes'].includes(judge(d, true)))) return 'depends'
  if (r === true) return test.kind === 'check' ? 'yes' : 'pass'
  if (r[0] === 'Setup') return r[1] === 'retry' ? 'retry' : 'setup'
  return test.kind === 'check' ? 'no' : 'fail'
}

const lines = []
for (const suite of suites) {
  for (const test of suite.tests) {
    if (test.browser_only) continue
    const result = judge(test.id, true)
    const why = result === 'pass' || result === 'yes' ? undefined : String(results[test.id]?.[1] ?? '')
    lines.push(JSON.stringify({ id: test.id, suite: suite.id, kind: test.kind || 'required', result, name: test.name, why }) + '\n')
  }
}
process.stdout.write(lines.join(''), () => process.exit(0)) // exit does not wait for a pipe

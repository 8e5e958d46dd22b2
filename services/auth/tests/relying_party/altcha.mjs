// Solves challenges with the widget's own library. Lines in: challenges as JSON. Lines out: ready, the digests of the files that we serve, answers.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline/promises'
import { pbkdf2, solveChallenge } from 'altcha/lib'

const root = new URL('../node_modules/altcha/', import.meta.url)
const digest = (file) => createHash('sha256').update(readFileSync(new URL(file, root))).digest('hex')
console.log('ready')
const files = ['dist/external/altcha.min.js', 'dist/external/altcha.css', 'dist/workers/pbkdf2.js', 'LICENSE.txt']
console.log('files', files.map(digest).join(' '))
for await (const line of createInterface({ input: process.stdin })) {
  const challenge = JSON.parse(line)
  const solution = await solveChallenge({ challenge, deriveKey: pbkdf2.deriveKey })
  console.log('answer', btoa(JSON.stringify({ challenge, solution })))
}

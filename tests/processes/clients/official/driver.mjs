// Runs the scenarios of a client on demand, as driver.py does: a line of JSON in, a line of JSON out.

import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

export const SAY = 'Say something about the sea'
export const USE_TOOLS = 'Use get_weather and get_time for Paris'
export const PERSON = 'Invent a person, as JSON'
export const TEXTS = ['a cat sits here', 'rates rose again']

// What a tool answers.
export const use = (name, args) => `${name} of ${args.city}`

// The error that a call ends in: its type, its HTTP status, all that it says.
export async function failure(call) {
  try {
    return { type: null, said: JSON.stringify(await call()) }
  } catch (error) {
    const status = error.status ?? error.statusCode ?? null
    return { type: error.constructor.name, status, said: error.message }
  }
}

export async function serve(name, scenarios) {
  const { version } = JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8'))
  const say = (told) => process.stdout.write(JSON.stringify(told) + '\n')
  say({ client: `${name} ${version}`, on: `Node ${process.version}` })
  for await (const line of createInterface({ input: process.stdin })) {
    const { scenario, ...ask } = JSON.parse(line)
    try {
      say({ told: (await scenarios[scenario](ask)) ?? null })
    } catch (error) {
      say({ failed: error.stack })
    }
  }
}

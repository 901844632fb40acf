// OpenAI's client for Node.

import OpenAI from 'openai'
import { zodResponseFormat, zodTextFormat } from 'openai/helpers/zod'
import { z } from 'zod'
import { PERSON, SAY, TEXTS, USE_TOOLS, failure, serve, use } from './driver.mjs'

const Person = z.object({
  name: z.string().min(1).max(12),
  age: z.number().int().min(0).max(120),
  traits: z.array(z.enum(['kind', 'busy', 'tall'])).min(1).max(2),
})
const city = { type: 'string' }
const TOOLS = Object.entries({ get_weather: { city }, get_time: { city, zone: { enum: ['utc', 'local'] } } }).map(
  ([name, properties]) => ({
    type: 'function',
    function: { name, parameters: { type: 'object', properties, required: Object.keys(properties) } },
  }),
)

const client = (url) => new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0, timeout: 120_000 })
const create = (url, model, messages, fields = {}) =>
  client(url).chat.completions.create({
    model,
    messages: typeof messages === 'string' ? [{ role: 'user', content: messages }] : messages,
    ...fields,
  })
const counts = (usage) => [usage.prompt_tokens, usage.completion_tokens, usage.total_tokens]
const calls = (made) => made.map((call) => ({ name: call.function.name, arguments: JSON.parse(call.function.arguments) }))

const RESPONSES_TOOLS = TOOLS.map((tool) => ({ type: 'function', ...tool.function }))
const tokens = (usage) => [usage.input_tokens, usage.output_tokens, usage.total_tokens]

async function read(stream) {
  const chunks = []
  for await (const chunk of stream) chunks.push(chunk)
  return { chunks, deltas: chunks.flatMap((chunk) => chunk.choices.map((choice) => choice.delta)) }
}

await serve('openai', {
  async models({ url }) {
    const ids = []
    for await (const model of client(url).models.list()) ids.push(model.id)
    return ids
  },

  async chat({ url, model, ...fields }) {
    const { choices, usage } = await create(url, model, SAY, fields)
    return { text: choices[0].message.content, finish: choices[0].finish_reason, usage: counts(usage) }
  },

  async stream({ url, model, ...fields }) {
    const asked = { stream: true, stream_options: { include_usage: true }, ...fields }
    const { chunks, deltas } = await read(await create(url, model, SAY, asked))
    const parts = deltas.map((delta) => delta.content).filter(Boolean)
    const finish = chunks.flatMap((chunk) => chunk.choices.map((choice) => choice.finish_reason)).find(Boolean)
    return { text: parts.join(''), parts: parts.length, finish, usage: counts(chunks.at(-1).usage) }
  },

  async reasoning({ url, model }) {
    return (await create(url, model, SAY, { reasoning_effort: 'low' })).choices[0].message.reasoning_content
  },

  async streamed_reasoning({ url, model }) {
    const { deltas } = await read(await create(url, model, SAY, { reasoning_effort: 'low', stream: true }))
    return deltas.map((delta) => delta.reasoning_content ?? '').join('')
  },

  async tools({ url, model }) {
    const asked = { role: 'user', content: USE_TOOLS }
    const { message } = (await create(url, model, [asked], { tools: TOOLS, tool_choice: 'auto' })).choices[0]
    const made = calls(message.tool_calls)
    const told = message.tool_calls.map((call, place) => ({
      role: 'tool',
      tool_call_id: call.id,
      content: use(made[place].name, made[place].arguments),
    }))
    const answer = await create(url, model, [asked, message, ...told], { tools: TOOLS })
    return { calls: made, answer: answer.choices[0].message.content }
  },

  // Put together by the client itself.
  async streamed_tools({ url, model }) {
    const messages = [{ role: 'user', content: USE_TOOLS }]
    const stream = client(url).chat.completions.stream({ model, messages, tools: TOOLS })
    return calls((await stream.finalChatCompletion()).choices[0].message.tool_calls)
  },

  async structured({ url, model }) {
    const messages = [{ role: 'user', content: PERSON }]
    const format = zodResponseFormat(Person, 'person')
    const parsed = await client(url).chat.completions.parse({ model, messages, response_format: format })
    return { parse: parsed.choices[0].message.parsed }
  },

  async responses({ url, model }) {
    const at = client(url).responses
    const whole = await at.create({ model, input: SAY })
    const parts = []
    const stream = at.stream({ model, input: SAY })
    stream.on('response.output_text.delta', (event) => parts.push(event.delta))
    const streamed = await stream.finalResponse()
    return {
      ...{ text: whole.output_text, usage: tokens(whole.usage), status: whole.status, streamed: streamed.output_text },
      ...{ streamed_usage: tokens(streamed.usage), parts: parts.length, joined: parts.join('') },
    }
  },

  async response_kept({ url, model }) {
    const at = client(url).responses
    const first = await at.create({ model, input: SAY, instructions: 'Be short.' })
    const second = await at.create({ model, input: 'And on', previous_response_id: first.id })
    const read = await at.retrieve(first.id)
    const items = []
    for await (const item of at.inputItems.list(second.id)) items.push(item.type)
    await at.delete(first.id)
    return {
      ...{ read: read.output_text === first.output_text, instructions: read.instructions, items },
      ...{ previous: second.previous_response_id === first.id, not_found: await failure(() => at.retrieve(first.id)) },
    }
  },

  async response_tools({ url, model, streams }) {
    const at = client(url).responses
    const ask = (fields) =>
      streams ? at.stream({ model, ...fields }).finalResponse() : at.create({ model, ...fields })
    const made = []
    let asked = { input: USE_TOOLS }
    for (;;) {
      const answer = await ask({ tools: RESPONSES_TOOLS, ...asked })
      const called = answer.output.filter((item) => item.type === 'function_call')
      if (!called.length) {
        const again = await ask({ input: SAY, previous_response_id: answer.id })
        return { calls: made, answer: answer.output_text, again: again.output_text }
      }
      const input = called.map((call) => {
        const args = JSON.parse(call.arguments)
        made.push({ name: call.name, arguments: args })
        return { type: 'function_call_output', call_id: call.call_id, output: use(call.name, args) }
      })
      asked = { input, previous_response_id: answer.id }
    }
  },

  async response_structured({ url, model }) {
    const asked = { model, input: PERSON, text: { format: zodTextFormat(Person, 'person') } }
    const at = client(url).responses
    const parsed = await at.parse(asked)
    const streamed = await at.stream(asked).finalResponse()
    return { parse: parsed.output_parsed, stream: streamed.output_parsed }
  },

  async completion({ url, model, ...fields }) {
    const asked = { model, prompt: SAY, max_tokens: 6, ...fields }
    const whole = await client(url).completions.create(asked)
    let streamed = ''
    for await (const chunk of await client(url).completions.create({ ...asked, stream: true }))
      streamed += chunk.choices.map((choice) => choice.text).join('')
    return { whole: whole.choices[0].text, streamed }
  },

  async embeddings({ url, model }) {
    const told = {}
    for (const form of ['default', 'float', 'base64']) {
      const given = form === 'default' ? {} : { encoding_format: form }
      const { data } = await client(url).embeddings.create({ model, input: TEXTS, ...given })
      told[form] = data.map((each) => each.embedding)
    }
    return told
  },

  async files({ url }) {
    const { files } = client(url)
    const content = 'a line\n'.repeat(1000)
    const made = await files.create({ file: new File([content], 'notes.txt'), purpose: 'assistants' })
    const found = []
    for await (const each of files.list()) found.push(each.id)
    return {
      made: [made.filename, made.purpose, made.bytes, made.id.startsWith('file-')],
      is_found: found.includes(made.id) && (await files.retrieve(made.id)).filename === made.filename,
      is_whole: (await (await files.content(made.id)).text()) === content,
      deleted: (await files.delete(made.id)).deleted,
      not_found: await failure(() => files.retrieve(made.id)),
    }
  },

  async stores({ url }) {
    const { files, vectorStores } = client(url)
    const store = await vectorStores.create({ name: 'animals' })
    const ids = []
    for (const [animal, wild] of Object.entries({ llama: false, guanaco: true })) {
      const text = `# The ${animal}\n\nA ${animal} grazes on the heights.\n`
      const file = await files.create({ file: new File([text], `${animal}.md`), purpose: 'assistants' })
      ids.push(file.id)
      const asked = { file_id: file.id, attributes: { wild } }
      await vectorStores.files.createAndPoll(store.id, asked, { pollIntervalMs: 50 })
    }
    const hits = []
    const filters = { type: 'eq', key: 'wild', value: true }
    for await (const hit of vectorStores.search(store.id, { query: 'Who grazes?', filters }))
      hits.push([hit.filename, hit.attributes, hit.content[0].text])
    for (const id of ids) await files.delete(id)
    const { deleted } = await vectorStores.delete(store.id)
    return { hits, deleted, not_found: await failure(() => vectorStores.retrieve(store.id)) }
  },

  not_found: ({ url, model }) => failure(() => create(url, model, SAY)),
  bad_request: ({ url, model }) => failure(() => create(url, model, SAY, { frequency_penalty: 9 })),

  broken: ({ url, model }) => failure(async () => read(await create(url, model, SAY, { stream: true }))),

  async leave({ url, model }) {
    for await (const chunk of await create(url, model, SAY, { stream: true })) return chunk.choices.length
  },
})

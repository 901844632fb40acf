// Vercel's AI SDK: `node of_ai_sdk.mjs PACKAGE`, which is its provider for OpenAI, for servers compatible with it, or for
// Open Responses.

import { Output, embedMany, generateText, stepCountIs, streamText, tool } from 'ai'
import { createOpenAI } from '@ai-sdk/openai'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { createOpenResponses } from '@ai-sdk/open-responses'
import { z } from 'zod'
import { PERSON, SAY, TEXTS, USE_TOOLS, failure, serve, use } from './driver.mjs'

const PACKAGE = process.argv[2]
const MAKE = {
  '@ai-sdk/openai': (at) => createOpenAI({ ...at, apiKey: 'none' }),
  '@ai-sdk/openai-compatible': (at) =>
    createOpenAICompatible({
      ...at,
      name: 'stack',
      apiKey: 'none',
      includeUsage: true,
      supportsStructuredOutputs: true,
    }),
  '@ai-sdk/open-responses': ({ baseURL, fetch }) =>
    createOpenResponses({ url: `${baseURL}/responses`, name: 'stack', apiKey: 'none', fetch }),
}
const Person = z.object({
  name: z.string().min(1).max(12),
  age: z.number().int().min(0).max(120),
  traits: z.array(z.enum(['kind', 'busy', 'tall'])).min(1).max(2),
})
const city = z.string()
const TOOLS = {
  get_weather: tool({ inputSchema: z.object({ city }), execute: (args) => use('get_weather', args) }),
  get_time: tool({
    inputSchema: z.object({ city, zone: z.enum(['utc', 'local']) }),
    execute: (args) => use('get_time', args),
  }),
}

const provider = (url, fetch) => MAKE[PACKAGE]({ baseURL: `${url}/v1`, fetch })
const chatModel = (url, model, fetch) => {
  const made = provider(url, fetch)
  return made.chat ? made.chat(model) : made.chatModel(model)
}
const responsesModel = (url, model) => {
  const made = provider(url)
  return made.responses ? made.responses(model) : made(model)
}
const byResponses = ({ url, model }, asked) => ({ model: responsesModel(url, model), maxRetries: 0, ...asked })
const ask = ({ url, model }, prompt, fields = {}) => ({ model: chatModel(url, model), prompt, maxRetries: 0, ...fields })
const settings = ({ max_tokens, temperature }) => ({ maxOutputTokens: max_tokens, temperature })
const counts = (usage) => [usage.inputTokens, usage.outputTokens, usage.totalTokens]
const calls = (steps) =>
  steps.flatMap((step) => step.toolCalls.map((call) => ({ name: call.toolName, arguments: call.input })))
const EFFORT = { providerOptions: { stack: { reasoningEffort: 'low' } } }

await serve(PACKAGE, {
  async chat({ url, model, ...fields }) {
    const { text, finishReason, usage } = await generateText(ask({ url, model }, SAY, settings(fields)))
    return { text, finish: finishReason, usage: counts(usage) }
  },

  async stream({ url, model, ...fields }) {
    const result = streamText(ask({ url, model }, SAY, settings(fields)))
    const parts = []
    for await (const part of result.textStream) parts.push(part)
    const finish = await result.finishReason
    return { text: parts.join(''), parts: parts.length, finish, usage: counts(await result.usage) }
  },

  reasoning: async (at) => (await generateText(ask(at, SAY, EFFORT))).reasoningText,
  streamed_reasoning: async (at) => await streamText(ask(at, SAY, EFFORT)).reasoningText,

  async tools(at) {
    const { steps, text } = await generateText(ask(at, USE_TOOLS, { tools: TOOLS, stopWhen: stepCountIs(3) }))
    return { calls: calls(steps), answer: text }
  },

  async streamed_tools(at) {
    const result = streamText(ask(at, USE_TOOLS, { tools: TOOLS, stopWhen: stepCountIs(3) }))
    return calls(await result.steps)
  },

  async structured(at) {
    const whole = await generateText(ask(at, PERSON, { output: Output.object({ schema: Person }) }))
    const streamed = streamText(ask(at, PERSON, { output: Output.object({ schema: Person }) }))
    return { whole: whole.output, streamed: await streamed.output }
  },

  async responses(at) {
    const whole = await generateText(byResponses(at, { prompt: SAY }))
    const streamed = streamText(byResponses(at, { prompt: SAY }))
    const parts = []
    for await (const part of streamed.textStream) parts.push(part)
    return {
      ...{ text: whole.text, usage: counts(whole.usage), status: 'completed', streamed: await streamed.text },
      ...{ streamed_usage: counts(await streamed.usage), parts: parts.length, joined: parts.join('') },
    }
  },

  async response_tools({ streams, ...at }) {
    const run = async (messages) => {
      const asked = byResponses(at, { messages, tools: TOOLS, stopWhen: stepCountIs(9) })
      const result = streams ? streamText(asked) : await generateText(asked)
      return {
        ...{ steps: await result.steps, text: await result.text },
        messages: [...messages, ...(await result.responseMessages)],
      }
    }
    const first = await run([{ role: 'user', content: USE_TOOLS }])
    const again = await run([...first.messages, { role: 'user', content: SAY }])
    return { calls: calls(first.steps), answer: first.text, again: again.text }
  },

  async response_mcp({ server, ...at }) {
    const sums = (requireApproval) => ({
      sums: provider(at.url).tools.mcp({
        ...{ serverLabel: 'sums', serverUrl: server, headers: { 'x-key': 'a-key' }, requireApproval },
      }),
    })
    const called = ({ steps }) =>
      steps
        .flatMap((step) => step.content)
        .filter((part) => part.type === 'tool-result')
        .map(({ output }) => [output.serverLabel, output.name, output.output])
    const streamed = streamText(byResponses(at, { prompt: 'Add', tools: sums('never'), includeRawChunks: true }))
    const events = []
    for await (const part of streamed.fullStream) {
      if (part.type === 'error') throw part.error
      if (part.type === 'raw' && part.rawValue.type.includes('mcp')) events.push(part.rawValue.type)
    }
    const whole = called(await generateText(byResponses(at, { prompt: 'Add', tools: sums('never') })))
    const answered = async (approved) => {
      const messages = [{ role: 'user', content: 'Add' }]
      const tools = sums('always')
      const first = await generateText(byResponses(at, { messages, tools }))
      const request = first.content.find((part) => part.type === 'tool-approval-request')
      const { approvalId } = request
      const answer = { type: 'tool-approval-response', approvalId, approved, providerExecuted: true }
      const more = [...messages, ...(await first.responseMessages), { role: 'tool', content: [answer] }]
      const second = await generateText(byResponses(at, { messages: more, tools }))
      return [request.toolCall.input, called(second), second.text]
    }
    return { whole, events, allowed: await answered(true), refused: await answered(false) }
  },

  async response_structured(at) {
    const asked = { prompt: PERSON, output: Output.object({ schema: Person }) }
    const whole = await generateText(byResponses(at, asked))
    const streamed = streamText(byResponses(at, asked))
    return { whole: whole.output, streamed: await streamed.output }
  },

  async completion({ url, model, ...fields }) {
    const made = provider(url)
    const asked = {
      model: made.completion ? made.completion(model) : made.completionModel(model),
      prompt: SAY,
      maxRetries: 0,
      ...settings({ max_tokens: 6, ...fields }),
    }
    return { whole: (await generateText(asked)).text, streamed: await streamText(asked).text }
  },

  async embeddings({ url, model }) {
    const made = provider(url)
    const embedder = made.embedding ? made.embedding(model) : made.embeddingModel(model)
    return { default: (await embedMany({ model: embedder, values: TEXTS, maxRetries: 0 })).embeddings }
  },

  not_found: (at) => failure(() => generateText(ask(at, SAY))),
  bad_request: (at) => failure(() => generateText(ask(at, SAY, { frequencyPenalty: 9 }))),

  broken: (at) =>
    failure(async () => {
      for await (const part of streamText(ask(at, SAY)).fullStream) if (part.type === 'error') throw part.error
    }),

  // When the answer begins: one of the two gives nothing on before it has read a second event.
  async leave({ url, model }) {
    const left = new AbortController()
    const fetchAndLeave = async (...request) => {
      const answer = await fetch(...request)
      left.abort()
      return answer
    }
    const made = chatModel(url, model, fetchAndLeave)
    const result = streamText({ model: made, prompt: SAY, maxRetries: 0, abortSignal: left.signal })
    for await (const part of result.fullStream) {
      if (part.type === 'error') throw part.error
      if (part.type === 'abort') return 1
    }
    return 0
  },
})

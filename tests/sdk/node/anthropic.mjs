// The official `@anthropic-ai/sdk` package: messages.

import Anthropic from '@anthropic-ai/sdk'
import { betaTool } from '@anthropic-ai/sdk/helpers/beta/json-schema'
import { zodOutputFormat } from '@anthropic-ai/sdk/helpers/zod'
import { z } from 'zod'
import { all, play } from './play.mjs'

const City = z.object({ name: z.string(), people: z.number() })

const at = (url) => new Anthropic({ baseURL: url, apiKey: 'sk-ant-test', maxRetries: 0 })
const user = (content) => ({ role: 'user', content })
const write = { name: 'write', input_schema: { type: 'object' } }
const message = (options) => ({ model: 'm', max_tokens: 64, messages: [user('hi')], ...options })

await play({
  async message(url, options) {
    const { data, response, request_id } = await at(url).messages.create(message(options)).withResponse()
    return { answer: data, headers: Object.fromEntries(response.headers), request_id }
  },

  events: async (url, options) => all(await at(url).messages.create(message({ ...options, stream: true }))),

  async helper(url, options) {
    const stream = at(url).messages.stream(message(options))
    const told = { text: [], thinking: [], signature: [], inputJson: [], contentBlock: [] }
    for (const [name, parts] of Object.entries(told)) stream.on(name, (part) => parts.push(structuredClone(part)))
    return { answer: await stream.finalMessage(), text: await stream.finalText(), told }
  },

  async parsed(url) {
    const options = message({ output_config: { format: zodOutputFormat(City) } })
    const answer = await at(url).messages.parse(options)
    const streamed = await at(url).messages.stream(options).finalMessage()
    return [answer, streamed].map((one) => one.parsed_output)
  },

  // The SDK calls the tool and takes the next turn of its own accord.
  async tools(url, { stream }) {
    const called = []
    const inputSchema = { type: 'object', properties: {} }
    const tool = betaTool({ name: 'write', description: '', inputSchema, run: (given) => (called.push(given), 'done') })
    const runner = at(url).beta.messages.toolRunner(message({ tools: [tool], stream }))
    for await (const turn of runner) if (stream) await all(turn)
    return { answer: await runner.done(), called }
  },

  async turns(url, { stream, again }) {
    const { messages } = at(url)
    const options = message({ tools: [write] })
    const { content } = stream ? await messages.stream(options).finalMessage() : await messages.create(options)
    const result = { type: 'tool_result', tool_use_id: 'toolu_1', content: again }
    const next = [user('hi'), { role: 'assistant', content }, user([result])]
    await messages.create(message({ messages: next, tools: [write] }))
  },

  async error(url, options) {
    try {
      await at(url).messages.create(message(options))
      return null
    } catch (error) {
      return { name: error.constructor.name, status: error.status, error: error.error }
    }
  },
})

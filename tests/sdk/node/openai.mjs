// The official `openai` package: chats and Responses.

import OpenAI from 'openai'
import { zodResponseFormat, zodTextFormat } from 'openai/helpers/zod'
import { z } from 'zod'
import { all, play } from './play.mjs'

const City = z.object({ name: z.string(), people: z.number() })

const at = (url) => new OpenAI({ baseURL: `${url}/v1`, apiKey: 'sk-test', maxRetries: 0 })
const user = (content) => ({ role: 'user', content })
const chat = (options) => ({ model: 'm', messages: [user('hi')], ...options })
const response = (options) => ({ model: 'm', input: 'hi', ...options })

async function whole(promise) {
  const { data, response, request_id } = await promise.withResponse()
  return { answer: data, headers: Object.fromEntries(response.headers), request_id }
}

await play({
  chat: (url, options) => whole(at(url).chat.completions.create(chat(options))),

  chunks: async (url, options) => all(await at(url).chat.completions.create(chat({ ...options, stream: true }))),

  async helper(url, options) {
    const stream = at(url).chat.completions.stream(chat(options))
    const deltas = []
    stream.on('content', (delta) => deltas.push(delta))
    return { answer: await stream.finalChatCompletion(), deltas }
  },

  async parsed(url) {
    const options = chat({ response_format: zodResponseFormat(City, 'city') })
    const answer = await at(url).chat.completions.parse(options)
    const streamed = await at(url).chat.completions.stream(options).finalChatCompletion()
    return [answer, streamed].map((one) => one.choices[0].message.parsed)
  },

  // The SDK calls the tool and takes the next turn of its own accord.
  async tools(url, options) {
    const called = []
    const weather = {
      type: 'function',
      function: {
        name: 'weather',
        parameters: { type: 'object' },
        function: (given) => (called.push(given), 'sunny'),
      },
    }
    const runner = at(url).chat.completions.runTools(chat({ ...options, tools: [weather] }))
    return { content: await runner.finalContent(), called, messages: runner.messages }
  },

  async turns(url, { stream, again }) {
    const { chat: { completions } } = at(url)
    const answer = stream
      ? await completions.stream(chat()).finalChatCompletion()
      : await completions.create(chat())
    await completions.create(chat({ messages: [user('hi'), answer.choices[0].message, user(again)] }))
  },

  response: (url, options) => whole(at(url).responses.create(response(options))),

  events: async (url, options) => all(await at(url).responses.create(response({ ...options, stream: true }))),

  async responseHelper(url, options) {
    const stream = at(url).responses.stream(response(options))
    const deltas = []
    stream.on('response.output_text.delta', ({ delta, snapshot }) => deltas.push([delta, snapshot]))
    return { answer: await stream.finalResponse(), deltas }
  },

  async responseParsed(url) {
    const options = response({ text: { format: zodTextFormat(City, 'city') } })
    const answer = await at(url).responses.parse(options)
    const streamed = await at(url).responses.stream(options).finalResponse()
    return [answer, streamed].map((one) => one.output_parsed)
  },

  async responseTurns(url, { stream, again }) {
    const { responses } = at(url)
    const input = [user('hi')]
    const answer = stream
      ? await responses.stream(response({ input })).finalResponse()
      : await responses.create(response({ input }))
    await responses.create(response({ input: [...input, ...answer.output, user(again)], store: false }))
  },

  async error(url, options) {
    try {
      await at(url).chat.completions.create(chat(options))
      return null
    } catch (error) {
      return { name: error.constructor.name, status: error.status, code: error.code, error: error.error }
    }
  },
})

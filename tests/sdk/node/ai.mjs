// Vercel's `ai` with its official providers, one of which the option `provider` names.

import { createAnthropic } from '@ai-sdk/anthropic'
import { createGoogleGenerativeAI } from '@ai-sdk/google'
import { createOpenAI } from '@ai-sdk/openai'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { Output, generateText, jsonSchema, streamText, tool } from 'ai'
import { z } from 'zod'
import { all, play } from './play.mjs'

const apiKey = 'test'
const providers = {
  chat: (url) => createOpenAI({ baseURL: `${url}/v1`, apiKey }).chat('m'),
  responses: (url) => createOpenAI({ baseURL: `${url}/v1`, apiKey }).responses('m'),
  anthropic: (url) => createAnthropic({ baseURL: `${url}/v1`, apiKey })('claude-sonnet-4-5'),
  google: (url) => createGoogleGenerativeAI({ baseURL: `${url}/v1beta`, apiKey })('m'),
  compatible: (url) =>
    createOpenAICompatible({
      name: 'compatible',
      baseURL: `${url}/v1`,
      apiKey,
      includeUsage: true,
      supportsStructuredOutputs: true,
    })('m'),
}

const City = z.object({ name: z.string(), people: z.number() })
// Without a function to call: what was asked for is handed out.
const tools = {
  weather: tool({ inputSchema: jsonSchema({ type: 'object' }) }),
  write: tool({ inputSchema: jsonSchema({ type: 'object' }) }),
}
const user = (content) => ({ role: 'user', content })
const asked = (url, provider, more) => ({
  model: providers[provider](url),
  messages: [user('hi')],
  maxRetries: 0,
  // Otherwise items are sent by their names alone.
  providerOptions: { openai: { store: false } },
  ...more,
})

async function seen(result) {
  const { id, messages } = await result.response
  return {
    id,
    messages,
    text: await result.text,
    reasoning: await result.reasoningText,
    calls: (await result.toolCalls).map(({ toolCallId, toolName, input }) => ({ toolCallId, toolName, input })),
    finish: await result.finishReason,
    usage: await result.usage,
    warnings: await result.warnings,
  }
}

await play({
  async generate(url, { provider }) {
    const result = await generateText(asked(url, provider, { tools }))
    return { ...(await seen(result)), body: result.response.body, headers: result.response.headers }
  },

  async stream(url, { provider }) {
    const result = streamText(asked(url, provider, { tools, includeRawChunks: true }))
    const parts = await all(result.fullStream)
    return {
      ...(await seen(result)),
      types: parts.filter(({ type }) => type !== 'raw').map(({ type }) => type),
      deltas: parts.filter(({ type }) => type === 'text-delta').map(({ text }) => text),
      raw: parts.filter(({ type }) => type === 'raw').map(({ rawValue }) => rawValue),
    }
  },

  async object(url, { provider }) {
    const output = Output.object({ schema: City })
    const whole = await generateText(asked(url, provider, { output }))
    const streamed = streamText(asked(url, provider, { output }))
    return [whole.output, await streamed.output]
  },

  async turns(url, { provider, stream, again }) {
    const first = asked(url, provider)
    const result = stream ? streamText(first) : await generateText(first)
    const { messages } = await result.response
    await generateText({ ...first, messages: [...first.messages, ...messages, user(again)] })
  },
})

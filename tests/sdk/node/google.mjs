// The official `@google/genai` package: generateContent and its chats.

import { GoogleGenAI } from '@google/genai'
import { all, play } from './play.mjs'

const at = (url) => new GoogleGenAI({ apiKey: 'test', httpOptions: { baseUrl: url } })
const asked = (config) => ({ model: 'm', contents: 'hi', config })

// Getters of the SDK's own: what people read. It complains where a text is asked for that is not all.
const read = (one) => ({ ...one, functionCalls: one.functionCalls, text: one.functionCalls ? null : one.text })

await play({
  generate: async (url, config) => read(await at(url).models.generateContent(asked(config))),

  stream: async (url, config) => (await all(await at(url).models.generateContentStream(asked(config)))).map(read),

  async chat(url, { stream, again }) {
    const chat = at(url).chats.create({ model: 'm' })
    for (const message of ['hi', again]) {
      if (stream) await all(await chat.sendMessageStream({ message }))
      else await chat.sendMessage({ message })
    }
    return chat.getHistory()
  },

  async error(url, config) {
    try {
      await at(url).models.generateContent(asked(config))
      return null
    } catch (error) {
      return { name: error.constructor.name, status: error.status, message: error.message }
    }
  },
})

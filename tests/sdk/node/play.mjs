// Conversations on demand: each line of standard input names one, the server's URL and options, as in
//     echo '{"conversation": "chat", "url": "http://127.0.0.1:8080", "options": {}}' | node openai.mjs
// and is answered with a line that begins with "seen: ", and then in JSON what the SDK saw. Any other line, on standard
// error too, is a complaint.

import { createInterface } from 'node:readline'

export async function play(conversations) {
  for await (const line of createInterface({ input: process.stdin })) {
    const { conversation, url, options } = JSON.parse(line)
    const seen = await conversations[conversation](url, options)
    console.log(`seen: ${JSON.stringify(seen ?? null)}`)
  }
}

export async function all(stream) {
  const came = []
  for await (const one of stream) came.push(one)
  return came
}

// One conversation with one server: `node openai.mjs CONVERSATION URL OPTIONS`, the options in JSON.
// What the SDK saw is written to standard output in JSON. Whatever it says on standard error is a complaint.

export async function play(conversations) {
  const [name, url, options] = process.argv.slice(2)
  const seen = await conversations[name](url, JSON.parse(options))
  process.stdout.write(JSON.stringify(seen ?? null))
}

export async function all(stream) {
  const came = []
  for await (const one of stream) came.push(one)
  return came
}

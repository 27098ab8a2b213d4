// Tells how fresh the page is, and asks for its parts when the stream of events stays away.
;(() => {
  const QUIET_MS = 8000
  const POLL_MS = 2000
  const startedAt = Date.now()
  let heardAt = 0
  let failedAt = 0
  const body = document.body
  const hear = () => {
    heardAt = Date.now()
    show()
  }
  const isHeard = () => Date.now() - heardAt < QUIET_MS
  const show = () => {
    const pulse = document.getElementById('pulse')
    if (pulse === null) return
    const text = isHeard() ? 'live' : failedAt > heardAt ? 'not connected' : 'polling'
    if (pulse.textContent === text) return
    pulse.textContent = text
    pulse.dataset.state = text
  }
  for (const name of ['htmx:sse:after:message', 'htmx:sse:after:connection'])
    body.addEventListener(name, hear)
  body.addEventListener('htmx:error', () => {
    failedAt = Date.now()
  })
  body.addEventListener('htmx:after:request', () => {
    failedAt = 0
  })
  // A slider of a form acts by itself where scripts run.
  body.addEventListener('input', event => {
    if (event.target.matches('input[data-submits]')) event.target.form.requestSubmit()
  })
  show()
  setInterval(() => {
    show()
    const isQuiet = !isHeard() && Date.now() - startedAt > POLL_MS
    if (isQuiet && !document.hidden && document.getElementById('live') !== null)
      htmx.trigger(body, 'poll')
  }, POLL_MS)
})()

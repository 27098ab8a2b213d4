// The pages of who is not logged in, and of what is refused.

export function LoginForm({
  problem,
  to,
}: {
  readonly problem: string | null
  readonly to: string
}) {
  return (
    <div class="login">
      <h1>Shardglass</h1>
      <p>Log in with a token of the cluster. What the dashboard does, it does in its name.</p>
      {problem === null ? null : (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      <form method="post" action="/login">
        <input type="hidden" name="to" value={to} />
        <input type="text" name="username" value="token" autocomplete="username" hidden />
        <label>
          Token
          <input type="password" name="token" autocomplete="current-password" required autofocus />
        </label>
        <button class="primary" type="submit">
          Log in
        </button>
      </form>
      <p class="dim">
        Of a local cluster it is in <code>data/admin.token</code>; <code>npm start</code> prints a
        link that logs in once.
      </p>
    </div>
  )
}

export function Refused({ text }: { readonly text: string }) {
  return (
    <div class="refused">
      <h1>That did not work</h1>
      <p role="alert">{text}</p>
      <p>
        <a href="/">To the overview</a>
      </p>
    </div>
  )
}

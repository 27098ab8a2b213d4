// The fields that end every search in the archive.

import type { SearchFields } from './search.ts'

export function LeastField({ fields }: { readonly fields: SearchFields }) {
  return (
    <label>
      At least ms
      <input
        name="minMs"
        size={6}
        inputmode="decimal"
        value={fields.minMicros === undefined ? '' : fields.minMicros / 1000}
      />
    </label>
  )
}

/** The order of what is found, and the button. */
export function SearchEnd({ fields }: { readonly fields: SearchFields }) {
  return (
    <>
      <label>
        Order
        <select name="order">
          <option value="newest">newest first</option>
          <option value="slowest" selected={fields.order === 'slowest'}>
            slowest first
          </option>
        </select>
      </label>
      <button class="primary" type="submit">
        Search
      </button>
    </>
  )
}

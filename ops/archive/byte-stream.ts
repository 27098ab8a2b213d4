// Bytes written and read one after the other: numbers in as many bytes as they need, texts, ids.

/** Grows by doubling, is used again and again. */
export class ByteWriter {
  length = 0
  private buffer = Buffer.allocUnsafe(64 * 1024)

  clear(): void {
    this.length = 0
  }

  /** What was written, until the next write. */
  bytes(): Buffer {
    return this.buffer.subarray(0, this.length)
  }

  /** A whole number from 0 to 2^53 - 1. */
  number(value: number): void {
    this.reserve(8)
    const { buffer } = this
    let rest = value
    while (rest >= 0x80) {
      // Above 31 bits a bitwise operation would cut the number.
      buffer[this.length++] = (rest % 128) | 0x80
      rest = rest < 0x7fffffff ? rest >>> 7 : Math.floor(rest / 128)
    }
    buffer[this.length++] = rest
  }

  /** A whole number of either sign, below 2^52: 0, -1, 1, -2, … */
  signed(value: number): void {
    this.number(value < 0 ? -2 * value - 1 : 2 * value)
  }

  double(value: number): void {
    this.reserve(8)
    this.length = this.buffer.writeDoubleLE(value, this.length)
  }

  hex(digits: string): void {
    this.reserve(digits.length / 2)
    this.length += this.buffer.write(digits, this.length, 'hex')
  }

  text(text: string): void {
    const bytes = Buffer.byteLength(text)
    this.number(bytes)
    this.reserve(bytes)
    this.length += this.buffer.write(text, this.length, 'utf8')
  }

  private reserve(bytes: number): void {
    if (this.length + bytes <= this.buffer.length) return
    const larger = Buffer.allocUnsafe(2 * (this.length + bytes))
    this.buffer.copy(larger, 0, 0, this.length)
    this.buffer = larger
  }
}

export class ByteReader {
  at = 0
  private readonly buffer: Buffer

  constructor(buffer: Buffer) {
    this.buffer = buffer
  }

  number(): number {
    let value = 0
    let factor = 1
    for (;;) {
      const byte = this.buffer[this.at++]
      if (byte === undefined) throw new Error('the bytes end in the middle of a number')
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
      factor *= 128
    }
  }

  signed(): number {
    const value = this.number()
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }

  double(): number {
    this.at += 8
    return this.buffer.readDoubleLE(this.at - 8)
  }

  hex(bytes: number): string {
    this.at += bytes
    return this.buffer.toString('hex', this.at - bytes, this.at)
  }

  text(): string {
    const length = this.number()
    this.at += length
    return this.buffer.toString('utf8', this.at - length, this.at)
  }
}

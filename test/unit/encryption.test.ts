import { createDecipheriv, scryptSync } from 'node:crypto'
import { describe, expect, test, vi } from 'vitest'
import { decryptBytes, encryptBytes, encryptParts, isEncrypted } from '../../src-main/core/encryption.ts'
import { KineoError } from '../../src-main/core/errors.ts'

// A key takes a third of a second; other work on the machine must not fail the tests.
vi.setConfig({ testTimeout: 300_000 })

const content = Uint8Array.from({ length: 1000 }, (_, i) => (i * 7) & 0xff)

async function refusal(work: Promise<unknown>): Promise<KineoError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(KineoError)
  return error as KineoError
}

describe('encryption', () => {
  test('gives the content back with the same key, also when nothing is in it', async () => {
    for (const bytes of [content, new Uint8Array()]) {
      const encrypted = await encryptBytes(bytes, 'Schlüssel 1')
      expect(isEncrypted(encrypted)).toBe(true)
      expect(isEncrypted(bytes)).toBe(false)
      expect(await decryptBytes(encrypted, 'Schlüssel 1')).toEqual(bytes)
    }
  })

  test('is AES-256-GCM with a key from scrypt, as the header says', async () => {
    const file = Buffer.from(await encryptBytes(content, 'key'))
    expect(file.subarray(0, 12)).toEqual(Buffer.from('KINEOENC\x01\x10\x08\x02', 'latin1'))
    const key = scryptSync('key', file.subarray(12, 36), 32, { N: 2 ** 16, r: 8, p: 2, maxmem: 2 ** 28 })
    const decipher = createDecipheriv('aes-256-gcm', key, file.subarray(36, 48))
    decipher.setAAD(file.subarray(0, 48)).setAuthTag(file.subarray(-16))
    const plain = Buffer.concat([decipher.update(file.subarray(48, -16)), decipher.final()])
    expect(plain).toEqual(Buffer.from(content))
  })

  test('takes parts and never repeats itself', async () => {
    const parts = Buffer.concat([
      ...(await encryptParts([content.subarray(0, 10), content.subarray(10)], 'key')),
    ])
    expect(await decryptBytes(parts, 'key')).toEqual(content)
    expect(Buffer.from(await encryptBytes(content, 'key')).equals(parts)).toBe(false)
  })

  test('takes both ways of typing the same letter for one key', async () => {
    const encrypted = await encryptBytes(content, 'u\u0308')
    expect(await decryptBytes(encrypted, '\u00fc')).toEqual(content)
  })

  test('refuses a missing, a wrong and an empty key, and says where the key goes', async () => {
    const encrypted = await encryptBytes(content, 'key')
    const missing = await refusal(decryptBytes(encrypted, undefined, '/models/a.pth'))
    expect(missing.code).toBe('input')
    expect(missing.describe()).toMatch(/is encrypted: \/models\/a\.pth.*encryption_key/)
    const wrong = await refusal(decryptBytes(encrypted, 'Key', '/models/a.pth'))
    expect(wrong.code).toBe('input')
    expect(wrong.describe()).toMatch(/key does not fit.*\/models\/a\.pth.*encryption_key/)
    expect((await refusal(encryptBytes(content, ''))).code).toBe('usage')
  })

  test('notices a change in any part of the file', async () => {
    const encrypted = await encryptBytes(content, 'key')
    // Salt, nonce, content, tag.
    for (const at of [13, 40, 48, 500, encrypted.length - 1]) {
      const changed = Uint8Array.from(encrypted)
      changed[at]! ^= 1
      expect((await refusal(decryptBytes(changed, 'key'))).code).toBe('input')
    }
    expect((await refusal(decryptBytes(encrypted.subarray(0, 700), 'key'))).code).toBe('input')
    expect((await refusal(decryptBytes(encrypted.subarray(0, 30), 'key'))).message).toContain('cut off')
  })

  test('does not take work or memory without bound from the header', async () => {
    const encrypted = await encryptBytes(content, 'key')
    for (const [at, value] of [
      [9, 30],
      [9, 0],
      [9, 24],
      [10, 0],
      [10, 255],
      [11, 0],
      [11, 255],
    ] as const) {
      const changed = Uint8Array.from(encrypted)
      changed[at] = value
      expect((await refusal(decryptBytes(changed, 'key'))).message).toContain('damaged')
    }
    const newer = Uint8Array.from(encrypted)
    newer[8] = 2
    expect((await refusal(decryptBytes(newer, 'key'))).describe()).toContain('newer Kineo')
  })

  test('refuses a file that is not encrypted', async () => {
    expect((await refusal(decryptBytes(content, 'key'))).message).toContain('not one that Kineo encrypted')
  })
})

import { createCipheriv, createDecipheriv, randomBytes, scrypt } from 'node:crypto'
import { KineoError } from './errors.ts'

/**
 * Encrypted files of Kineo: a header of 48 bytes, the cipher text, and the 16 bytes of GCM's tag.
 * Header: `KINEOENC`, version, log2 of scrypt's N, its r and p (a byte each), 24 bytes of salt, 12 bytes of nonce. The
 * header is authenticated with the content, so that none of it can be changed unnoticed.
 */
const magic = Buffer.from('KINEOENC', 'latin1')
const version = 1
const saltBytes = 24
const nonceBytes = 12
const headerBytes = magic.length + 4 + saltBytes + nonceBytes
const tagBytes = 16
/** N = 2^16, r = 8, p = 2 takes 64 MiB and a third of a second: OWASP's advice for passwords (2024). */
const cost = { log2N: 16, r: 8, p: 2 }
/** Files that ask for more memory than this are refused instead of trusted. */
const largestKeyMemory = 512 * 2 ** 20
const mostKeyRounds = 16
/** OpenSSL takes at most 2^31 - 1 bytes at once. */
const chunkBytes = 64 * 2 ** 20

/** Whether `bytes` begin as a file that Kineo encrypted; the first 8 bytes are enough. */
export function isEncrypted(bytes: Uint8Array): boolean {
  return bytes.length >= magic.length && magic.equals(bytes.subarray(0, magic.length))
}

/**
 * Encrypts with AES-256-GCM and a key that scrypt derives from `key`, with a fresh salt and nonce.
 * @param key What the person typed; spellings that look alike (NFC) are the same key.
 * @throws KineoError `usage` for an empty key.
 */
export async function encryptBytes(bytes: Uint8Array, key: string): Promise<Uint8Array<ArrayBuffer>> {
  return joined([...(await encryptParts([bytes], key))])
}

/**
 * As encryptBytes, for content that comes in parts: the result is their cipher text in parts, made when asked for. It
 * can be gone through once: a second pass would use the nonce again.
 */
export async function encryptParts(parts: Iterable<Uint8Array>, key: string): Promise<Iterable<Uint8Array>> {
  const salt = randomBytes(saltBytes)
  const nonce = randomBytes(nonceBytes)
  const numbers = Buffer.of(version, cost.log2N, cost.r, cost.p)
  const header = Buffer.concat([magic, numbers, salt, nonce])
  const cipher = createCipheriv('aes-256-gcm', await deriveKey(key, salt, cost), nonce)
  cipher.setAAD(header)
  return (function* encrypted() {
    yield header
    for (const part of parts) for (const chunk of chunks(part)) yield cipher.update(chunk)
    yield cipher.final()
    yield cipher.getAuthTag()
  })()
}

/**
 * Opens what encryptBytes made. Nothing of the content is handed out before all of it was verified.
 * @param where The file, for the message.
 * @throws KineoError `input` when there is no key, when it is a wrong one, or when the file is damaged.
 */
export async function decryptBytes(
  bytes: Uint8Array,
  key: string | undefined,
  where?: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const place = where === undefined ? {} : { where }
  if (!isEncrypted(bytes)) throw new KineoError('input', 'The file is not one that Kineo encrypted', place)
  if (key === undefined || key === '') {
    throw new KineoError('input', 'The file is encrypted', {
      ...place,
      remedy: 'Give its key: encryption_key in the spec, or encryption_key=... on the command line',
    })
  }
  const damaged = (what: string): KineoError =>
    new KineoError('input', what, { ...place, remedy: 'Copy the file again from where it was made' })
  if (bytes.length < headerBytes + tagBytes) throw damaged('The encrypted file is cut off')
  const header = bytes.subarray(0, headerBytes)
  const [fileVersion = 0, log2N = 0, r = 0, p = 0] = header.subarray(magic.length)
  if (fileVersion !== version) {
    throw new KineoError('input', `The file is encrypted in a way (${fileVersion}) that this Kineo lacks`, {
      ...place,
      remedy: 'Open it with a newer Kineo',
    })
  }
  const sane = log2N >= 10 && log2N <= 24 && r >= 1 && p >= 1 && p <= mostKeyRounds
  if (!sane || 128 * r * 2 ** log2N > largestKeyMemory) throw damaged('The encrypted file is damaged')
  const salt = header.subarray(magic.length + 4, magic.length + 4 + saltBytes)
  const nonce = header.subarray(headerBytes - nonceBytes)
  const decipher = createDecipheriv('aes-256-gcm', await deriveKey(key, salt, { log2N, r, p }), nonce)
  decipher.setAAD(header)
  decipher.setAuthTag(bytes.subarray(bytes.length - tagBytes))
  const plain = new Uint8Array(bytes.length - headerBytes - tagBytes)
  let length = 0
  for (const chunk of chunks(bytes.subarray(headerBytes, bytes.length - tagBytes))) {
    plain.set(decipher.update(chunk), length)
    length += chunk.length
  }
  try {
    decipher.final()
  } catch (error) {
    // A wrong key and a damaged file look the same to AES-GCM.
    throw new KineoError('input', 'The encryption key does not fit the file, or the file is damaged', {
      ...place,
      remedy: 'Check encryption_key, also for capitals and spaces; if it is right, copy the file again',
      cause: error,
    })
  }
  return plain
}

async function deriveKey(
  key: string,
  salt: Uint8Array,
  { log2N, r, p }: { log2N: number; r: number; p: number },
): Promise<Buffer> {
  if (key === '') {
    throw new KineoError('usage', 'The encryption key is empty', {
      where: 'encryption_key',
      remedy: 'Give a key, or leave encryption_key out to write files that are not encrypted',
    })
  }
  const options = { N: 2 ** log2N, r, p, maxmem: 2 * largestKeyMemory }
  return await new Promise((resolve, reject) => {
    scrypt(key.normalize('NFC'), salt, 32, options, (error, derived) => {
      if (error === null) resolve(derived)
      else reject(error)
    })
  })
}

function* chunks(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes)
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

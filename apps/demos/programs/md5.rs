//! MD5 of "message digest" [RFC1321]: its four words, mixed: result * 31 + word.
#![no_std]

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    core::arch::wasm32::unreachable()
}

const SHIFTS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];

/// floor(2^32 * abs(sin(i + 1))), the table T of the standard.
static SINES: [u32; 64] = [
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
];

fn block(state: [u32; 4], message: &[u8]) -> [u32; 4] {
    let mut words = [0u32; 16];
    for (word, bytes) in words.iter_mut().zip(message.chunks_exact(4)) {
        *word = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    }
    let [mut a, mut b, mut c, mut d] = state;
    for (i, sine) in SINES.iter().enumerate() {
        let (mixed, k) = match i / 16 {
            0 => ((b & c) | (!b & d), i),
            1 => ((d & b) | (!d & c), 5 * i + 1),
            2 => (b ^ c ^ d, 3 * i + 5),
            _ => (c ^ (b | !d), 7 * i),
        };
        let sum = a.wrapping_add(mixed).wrapping_add(*sine).wrapping_add(words[k % 16]);
        let next = b.wrapping_add(sum.rotate_left(SHIFTS[i / 16][i % 4]));
        (a, d, c, b) = (d, c, b, next);
    }
    let [w, x, y, z] = state;
    [w.wrapping_add(a), x.wrapping_add(b), y.wrapping_add(c), z.wrapping_add(d)]
}

/// Of a message that fits into one block with its length: at most 55 bytes.
fn digest(message: &[u8]) -> [u32; 4] {
    let mut padded = [0u8; 64];
    padded[..message.len()].copy_from_slice(message);
    padded[message.len()] = 0x80;
    padded[56..].copy_from_slice(&(8 * message.len() as u64).to_le_bytes());
    block([0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476], &padded)
}

static MESSAGE: &[u8] = b"message digest";

#[export_name = "run"]
pub extern "C" fn program() -> u32 {
    // Not to be computed by the compiler.
    let message = unsafe { core::ptr::read_volatile(&MESSAGE) };
    digest(message).iter().fold(0, |sum: u32, word| sum.wrapping_mul(31).wrapping_add(*word))
}

//! What happens to the bytes of a file.

/// The first half, and zero bytes for the rest: the length was written down before the content.
pub(super) fn zero_tail(whole: &[u8]) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    bytes[whole.len() / 2..].fill(0);
    bytes
}

/// A block of zero bytes in the middle.
pub(super) fn zero_block(whole: &[u8]) -> Vec<u8> {
    stretch(whole, |_| 0)
}

/// A stretch in the middle overwritten with what is no text.
pub(super) fn garbage_block(whole: &[u8]) -> Vec<u8> {
    stretch(whole, |n| [0x93, 0xfe, 0x01, b'{', 0xc3, b'"', 0x80][n % 7])
}

fn stretch(whole: &[u8], byte: impl Fn(usize) -> u8) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    let middle = whole.len() / 2;
    for (n, place) in bytes[middle..].iter_mut().take(100).enumerate() {
        *place = byte(n);
    }
    bytes
}

/// So much of it, in tenths.
pub(super) fn tenths(whole: &[u8], tenths: usize) -> Vec<u8> {
    whole[..whole.len() * tenths / 10].to_vec()
}

/// With something behind it.
pub(super) fn and(whole: &[u8], more: &[u8]) -> Vec<u8> {
    [whole, more].concat()
}

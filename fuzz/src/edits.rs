//! Changes of files, as an input tells them: it is cheaper to damage what is whole than to come to
//! something that looks whole by chance.

/// The bytes of a file; none when it is not there.
pub(crate) type File = Option<Vec<u8>>;

/// An input that is used up from its front; zeros when there is no more.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> u8 {
        let Some((byte, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *byte
    }

    /// A number through `most`.
    fn number(&mut self, most: usize) -> usize {
        let number = u16::from_le_bytes([self.byte(), self.byte()]);
        usize::from(number) % (most + 1)
    }

    fn bytes(&mut self) -> &'a [u8] {
        let count = usize::from(self.byte()).min(self.0.len());
        let (bytes, rest) = self.0.split_at(count);
        self.0 = rest;
        bytes
    }
}

/// Changes the files as the input says, until it is used up.
pub(crate) fn edit(input: &[u8], files: &mut [File]) {
    let mut input = Input(input);
    while !input.0.is_empty() && !files.is_empty() {
        let what = input.byte();
        let which = input.number(files.len() - 1);
        let other = input.number(files.len() - 1);
        let other = files[other].clone().unwrap_or_default();
        let file = files[which].get_or_insert_default();
        let at = input.number(file.len());
        match what % 10 {
            0 => replace(file, at, input.bytes()),
            1 => flip(file, at, input.byte()),
            2 => file.truncate(at),
            3 => drop(file.splice(at..at, input.bytes().iter().copied())),
            4 => {
                let from = input.number(other.len());
                let count = input.number(other.len() - from);
                replace(file, at, &other[from..from + count]);
            }
            5 => {
                let count = input.number(file.len() - at);
                drop(file.drain(at..at + count));
            }
            6 => {
                let count = input.number(file.len() - at);
                file[at..at + count].fill(0);
            }
            7 => *file = std::mem::take(&mut input.0).to_vec(),
            8 => {
                // A number of LEB128 takes the place of one, which is mostly a byte long.
                let (number, bytes) = extreme(input.byte());
                let end = file.len().min(at + bytes);
                drop(file.splice(at..end, number));
            }
            _ => files[which] = None,
        }
    }
}

/// A number at the edge of its range, in eight bytes or as a LEB128, and the bytes it replaces.
fn extreme(which: u8) -> (Vec<u8>, usize) {
    let edges = [
        0,
        1,
        u64::MAX,
        u64::MAX - 1,
        i64::MAX as u64,
        1 << 63,
        u32::MAX.into(),
    ];
    let mut number: u64 = edges[usize::from(which >> 1) % edges.len()];
    if which & 1 == 0 {
        return (number.to_le_bytes().to_vec(), 8);
    }
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
    (bytes, 1)
}

fn replace(file: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    let end = at + bytes.len();
    if file.len() < end {
        file.resize(end, 0);
    }
    file[at..end].copy_from_slice(bytes);
}

fn flip(file: &mut [u8], at: usize, bit: u8) {
    if let Some(byte) = file.get_mut(at) {
        *byte ^= 1 << (bit % 8);
    }
}

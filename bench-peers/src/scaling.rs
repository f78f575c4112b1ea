//! How the cost grows: with the window, with threads, with breakers.

pub(crate) mod window;
pub(crate) mod quantile;
pub(crate) mod threads;
pub(crate) mod many;
pub(crate) mod memory;

/// From one that fits the first cache to one that fits none.
pub(crate) const WINDOWS: [u32; 8] = [64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576];

/// As people write it.
pub(crate) fn thousands(count: usize) -> String {
    let digits = count.to_string();
    if digits.len() < 5 {
        return digits;
    }
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        let texts = [64, 4096, 16_384, 1_048_576].map(thousands);
        assert_eq!(texts, ["64", "4096", "16 384", "1 048 576"]);
    }
}

//! Bytes as hex, and back, in the ways in which people write them.

/// Upper-case hex without blanks.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// Bytes written in hex: with or without blanks, colons, commas, hyphens or `0x`. A digit that
/// stands alone is a byte.
pub(crate) fn bytes(text: &str) -> Result<Vec<u8>, String> {
    let text = text.replace("\\x", " ");
    let mut bytes = Vec::with_capacity(text.len() / 2);
    let words = text.split(|c: char| c.is_whitespace() || matches!(c, ':' | ',' | ';' | '-'));
    for word in words {
        let digits = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")).unwrap_or(word);
        if let Some(wrong) = digits.chars().find(|c| !c.is_ascii_hexdigit()) {
            return Err(format!("{wrong:?} is not a hex digit"));
        }
        if digits.len() % 2 == 1 && digits.len() > 1 {
            return Err(format!("{} hex digits are not whole bytes", digits.len()));
        }
        let pairs = digits.as_bytes().chunks(2).map(|pair| {
            let pair = std::str::from_utf8(pair).unwrap_or_default();
            u8::from_str_radix(pair, 16)
        });
        for byte in pairs {
            bytes.push(byte.map_err(|error| error.to_string())?);
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::{bytes, hex};

    #[test]
    fn hex_is_read_however_people_write_it() {
        for text in [
            "ff00031d0c",
            "FF 00 03 1D 0C",
            "ff:00:03:1d:0c",
            "0xFF,0x0,0x3,0x1D,0xC",
            "\\xff\\x00\\x03\\x1d\\x0c",
            " FF00-031D 0C ",
        ] {
            assert_eq!(bytes(text).map(|bytes| hex(&bytes)).as_deref(), Ok("FF00031D0C"), "{text}");
        }
        assert_eq!(bytes(""), Ok(vec![]));
    }

    #[test]
    fn what_is_not_hex_is_named() {
        assert_eq!(bytes("ff 0g").unwrap_err(), "'g' is not a hex digit");
        assert_eq!(bytes("ff0").unwrap_err(), "3 hex digits are not whole bytes");
        assert_eq!(bytes("fé").unwrap_err(), "'é' is not a hex digit");
    }
}

//! What reads how tokens are to be listed, and what people type, over any bytes. Panics when a promise is broken.

use tokens::{Cursor, Sort, UserCode};

/// An order, a line feed, and a cursor; or a code that a person types.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(code) = text.parse::<UserCode>() {
        let shown = code.to_string();
        assert_eq!(shown.parse(), Ok(code), "{shown} is another code than {text}");
    }
    let Some((order, cursor)) = text.split_once('\n') else { return };
    let Ok(sort) = order.parse::<Sort>() else { return };
    if let Ok(read) = Cursor::parse(cursor, sort) {
        assert_eq!(
            Cursor::parse(&read.to_text(), sort),
            Ok(read),
            "{cursor} is another place when it comes back"
        );
    }
}

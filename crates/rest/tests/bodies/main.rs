//! Request bodies: the corpus beside this file, case by case (`*.txt`), and whatever else comes as a body.
//!
//! A case begins with `===` and what it is about. The next line has the method, the target and the media type (`-`
//! for none). Then comes the body, up to a line that begins with `->` and says what must come of it: the needs in
//! order (of the request line, then of the body), or the reason of a refusal. A need is `action:resource`, with
//! `[origin]` where neither the path nor the body names the resource. In the body `⟨ef bb bf⟩` stands for raw
//! bytes. NDJSON gets a final line feed unless the last line is `⟨end⟩`, and `⟨end⟩` alone is no body at all. Lines
//! that begin with `#` outside of bodies are comments.
//!
//! To add a case, add a block.

#![expect(clippy::expect_used, clippy::panic, reason = "helpers of tests fail by panicking")]

mod any;
mod cases;
mod corpus;

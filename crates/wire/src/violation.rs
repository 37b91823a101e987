/// Defines [`Violation`] from one table: the document each rule comes from, its label, the fitting status, and words.
macro_rules! violations {
    ($($(#[$doc:meta])* $name:ident $label:literal $status:literal $section:literal $words:literal;)*) => {
        /// A way in which a request breaks the framing or syntax of HTTP/1.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, thiserror::Error)]
        pub enum Violation {
            $($(#[$doc])* #[doc = concat!("\n\nSource: ", $section, ".")] #[error($words)] $name,)*
        }

        impl Violation {
            /// Every violation.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The label, for metrics and for [`Violation::from_reason`].
            pub const fn reason(self) -> &'static str {
                match self { $(Self::$name => $label),* }
            }

            /// The status that fits as the answer.
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status),* }
            }

            /// The document and section with the rule.
            pub const fn section(self) -> &'static str {
                match self { $(Self::$name => $section),* }
            }
        }
    };
}

violations! {
    /// A line ends in LF alone. A lenient reader sees a line end where a strict one sees a part of the line.
    BareLf "bare_lf" 400 "RFC 9112 section 2.2" "a line ends in LF without CR";
    /// A CR that is not followed by LF.
    BareCr "bare_cr" 400 "RFC 9112 section 2.2" "a CR stands without LF";
    /// NUL or another control character in the head or in a trailer.
    ControlCharacter "control_character" 400 "RFC 9110 section 5.5" "the head holds a control character";
    /// More than one empty line before the request line.
    EmptyLines "empty_lines" 400 "RFC 9112 section 2.2" "more than one empty line precedes the request";
    /// Not `method SP target SP version` with single spaces.
    InvalidRequestLine "invalid_request_line" 400 "RFC 9112 section 3" "the request line is malformed";
    /// The method is not a token.
    InvalidMethod "invalid_method" 400 "RFC 9110 section 9.1" "the method is not a token";
    /// The method under which refusals are handed on; nobody may send it.
    ReservedMethod "reserved_method" 400 "RFC 9110 section 16.1" "the method is reserved";
    /// `CONNECT` asks for a tunnel, which is never given.
    Connect "connect" 405 "RFC 9110 section 9.3.6" "CONNECT is not supported";
    /// A request line without version, as HTTP/0.9 had it.
    Http09 "http_0_9" 505 "RFC 9112 section 2.3" "the request line has no version";
    /// Neither HTTP/1.0 nor HTTP/1.1.
    UnsupportedVersion "unsupported_version" 505 "RFC 9112 section 2.3" "the version is neither HTTP/1.0 nor HTTP/1.1";
    /// The HTTP/2 preface where HTTP/2 is not allowed.
    Http2Preface "http2_preface" 505 "RFC 9113 section 3.4" "HTTP/2 is not spoken here";
    /// `#` in the target. Some parsers drop it and all behind it, and so judge another target than the next one.
    FragmentInTarget "fragment_in_target" 400 "RFC 9110 section 7.1" "the request target holds a fragment";
    /// A byte above 0x7E in the target.
    TargetNotAscii "target_not_ascii" 400 "RFC 9112 section 3.2" "the request target is not ASCII";
    /// The target `*`, which only `OPTIONS` may have and no resource here answers.
    AsteriskForm "asterisk_form" 400 "RFC 9112 section 3.2.4" "the request target is an asterisk";
    /// Neither origin-form nor absolute-form of `http` or `https` without user information.
    InvalidTarget "invalid_target" 400 "RFC 9112 section 3.2" "the request target has no known form";
    /// The authority of an absolute-form target is not the one of `Host`.
    AuthorityMismatch "authority_mismatch" 400 "RFC 9112 section 3.2.2" "the authority of the request target differs from Host";
    /// HTTP/1.1 without `Host`.
    MissingHost "missing_host" 400 "RFC 9112 section 3.2" "Host is missing";
    /// More than one `Host`.
    DuplicateHost "duplicate_host" 400 "RFC 9112 section 3.2" "Host is there more than once";
    /// `Host` is not a host with an optional port.
    InvalidHost "invalid_host" 400 "RFC 9112 section 3.2" "Host is malformed";
    /// A line that starts with a space or tab, once a way to continue the field before it.
    ObsFold "obs_fold" 400 "RFC 9112 section 5.2" "a field is folded over lines";
    /// Space between a field's name and its colon.
    SpaceBeforeColon "space_before_colon" 400 "RFC 9112 section 5.1" "a space stands before a field's colon";
    /// A field line without colon, or whose name is not a token.
    InvalidFieldName "invalid_field_name" 400 "RFC 9110 section 5.1" "a field name is malformed";
    /// The head is longer than [`crate::Limits::head_bytes`].
    HeadTooLarge "head_too_large" 431 "RFC 6585 section 5" "the head is too large";
    /// More fields than [`crate::Limits::fields`].
    TooManyFields "too_many_fields" 431 "RFC 6585 section 5" "the head has too many fields";
    /// The head took longer than [`crate::Limits::head_timeout`].
    HeadTimeout "head_timeout" 408 "RFC 9110 section 15.5.9" "the head took too long to arrive";
    /// Both `Content-Length` and `Transfer-Encoding`.
    LengthAndEncoding "length_and_encoding" 400 "RFC 9112 section 6.1" "both Content-Length and Transfer-Encoding are there";
    /// More than one `Content-Length`, even with the same value.
    DuplicateLength "duplicate_length" 400 "RFC 9112 section 6.3" "Content-Length is there more than once";
    /// `Content-Length` is not digits only, or beyond 2^63 - 1.
    InvalidLength "invalid_length" 400 "RFC 9110 section 8.6" "Content-Length is malformed";
    /// `Transfer-Encoding` is anything but one `chunked`.
    UnsupportedEncoding "unsupported_encoding" 501 "RFC 9112 section 6.1" "Transfer-Encoding is not exactly chunked";
    /// `Transfer-Encoding` in HTTP/1.0, which does not know it.
    EncodingInHttp10 "encoding_in_http_1_0" 400 "RFC 9112 section 6.1" "HTTP/1.0 has no Transfer-Encoding";
    /// A chunk size is not hexadecimal digits only.
    InvalidChunkSize "invalid_chunk_size" 400 "RFC 9112 section 7.1" "a chunk size is malformed";
    /// A chunk size has more than 16 digits or is beyond 2^63 - 1.
    ChunkSizeOverflow "chunk_size_overflow" 400 "RFC 9112 section 7.1" "a chunk size is too large";
    /// The data of a chunk is not followed by CRLF.
    InvalidChunkEnd "invalid_chunk_end" 400 "RFC 9112 section 7.1" "a chunk is longer than its size";
    /// A chunk extension holds a character that none may hold.
    InvalidChunkExtension "invalid_chunk_extension" 400 "RFC 9112 section 7.1.1" "a chunk extension is malformed";
    /// Chunk extensions are longer than the limits.
    ChunkExtensionTooLong "chunk_extension_too_long" 400 "RFC 9112 section 7.1.1" "chunk extensions are too long";
    /// A trailer field that changes framing, routing, authentication or the meaning of the content.
    ForbiddenTrailer "forbidden_trailer" 400 "RFC 9110 section 6.5.1" "a field stands in the trailers that may not";
    /// The trailers are longer than [`crate::Limits::trailer_bytes`].
    TrailersTooLarge "trailers_too_large" 431 "RFC 6585 section 5" "the trailers are too large";
}

impl Violation {
    /// The violation with this label.
    pub fn from_reason(reason: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|violation| violation.reason() == reason)
    }

    /// The violation of which the path of a request with [`crate::REFUSED_METHOD`] tells.
    ///
    /// `None` if no guard made that path.
    pub fn from_path(path: &str) -> Option<Self> {
        path.strip_prefix('/').and_then(Self::from_reason)
    }
}
